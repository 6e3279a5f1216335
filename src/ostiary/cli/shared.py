"""What several commands share: the file's option, the environment, exit codes, and how a refused file is shown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from enum import IntEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from ostiary.config import Configuration, ConfigurationError, Problem, load
from ostiary.judge.loading import LATER_SECTIONS, judge_sections
from ostiary.judge.third_party import ThirdParty, find_third_party

Environ = Mapping[str, str]

FileOption = Annotated[
    Path, typer.Option("-c", "--config", metavar="FILE", help="The configuration file.", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


class Exit(IntEnum):
    """Exit codes; a script may rely on them."""

    OK = 0
    DENIED = 1
    FAILED = 1  # no command denies anything where it says so
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


def refuse(context: typer.Context, what: str, hint: str = "", code: Exit = Exit.USAGE) -> NoReturn:
    """Say what is wrong, as JSON on stdout where the command prints JSON, and end."""
    if wants_json(context):
        problem = Problem(where=None, key="", what=what, hint=hint)
        typer.echo(json.dumps({"problems": problems_as_json([problem])}))
        raise typer.Exit(code)
    fail(f"error: {what}" + (f"\nhint: {hint}" if hint else ""), code)


def wants_json(context: typer.Context) -> bool:
    """Whether the command was given `--json`."""
    return context.params.get("as_json") is True


def problems_as_json(problems: Iterable[Problem]) -> list[dict[str, object]]:
    """Every problem with all its members; those that it does not have are null."""
    return [
        {
            "file": None if problem.where is None else problem.where.file,
            "line": None if problem.where is None else problem.where.line,
            "column": None if problem.where is None else problem.where.column,
            "key": problem.key,
            "what": problem.what,
            "hint": problem.hint,
            "failure_class": problem.failure_class,
        }
        for problem in problems
    ]


def load_or_fail(context: typer.Context, file: Path) -> tuple[Configuration, ThirdParty]:
    """The valid file, or the end with all that is wrong with it: JSON on stdout for `--json`, otherwise on stderr."""
    third_party = find_third_party()
    try:
        return load(file, judge_sections(third_party), environ_of(context), later=LATER_SECTIONS), third_party
    except ConfigurationError as error:
        if wants_json(context):
            typer.echo(json.dumps({"valid": False, "problems": problems_as_json(error.problems)}))
            raise typer.Exit(Exit.USAGE) from None
        fail(str(error))
