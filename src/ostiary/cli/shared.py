"""What several commands share: the file's option, the environment, exit codes, and how a refused file is shown."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from ostiary.config import Configuration, ConfigurationError, load
from ostiary.judge.loading import LATER_SECTIONS, judge_sections
from ostiary.judge.third_party import ThirdPartyError, find_third_party

if TYPE_CHECKING:
    from ostiary.plugins.plugin import Plugin

Environ = Mapping[str, str]

FileOption = Annotated[
    Path, typer.Option("-c", "--config", metavar="FILE", help="The configuration file.", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


class Exit(IntEnum):
    """Exit codes; a script may rely on them."""

    OK = 0
    DENIED = 1
    USAGE = 2
    UNAVAILABLE = 3


def environ_of(context: typer.Context) -> Environ:
    """The process's environment, handed in at the top: nothing below reads it by itself."""
    environ = context.find_root().obj
    return environ if isinstance(environ, dict) else {}


def fail(text: str, code: Exit = Exit.USAGE) -> NoReturn:
    """Say what went wrong on stderr, and end."""
    typer.echo(text, err=True)
    raise typer.Exit(code)


def third_party_or_fail() -> Mapping[str, Plugin]:
    """The installed third-party plugins, or the end with what is wrong with one."""
    try:
        return find_third_party()
    except ThirdPartyError as error:
        fail(f"error: {error}\nhint: uninstall the distribution, or fix its entry point.")


def load_or_fail(context: typer.Context, file: Path) -> tuple[Configuration, Mapping[str, Plugin]]:
    """The valid file, or all that is wrong with it on stderr and exit code 2."""
    third_party = third_party_or_fail()
    try:
        return load(file, judge_sections(third_party), environ_of(context), later=LATER_SECTIONS), third_party
    except ConfigurationError as error:
        fail(str(error))
