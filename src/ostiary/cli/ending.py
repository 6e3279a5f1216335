"""What every command shares: the environment it is handed, `--json`, and the codes it ends with."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Annotated, NoReturn

import typer

Environ = Mapping[str, str]

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


class Exit(IntEnum):
    """Exit codes; a script may rely on them."""

    OK = 0
    DENIED = 1
    USAGE = 2
    FAILED = 2  # not 1: a script would read that `decide` denied
    UNAVAILABLE = 3


def environ_of(context: typer.Context) -> Environ:
    """The process's environment, handed in at the top: nothing below reads it by itself."""
    environ = context.find_root().obj
    return environ if isinstance(environ, dict) else {}


def fail(text: str, code: Exit = Exit.USAGE) -> NoReturn:
    """Say what went wrong on stderr, and end."""
    typer.echo(text, err=True)
    raise typer.Exit(code)
