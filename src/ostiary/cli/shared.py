"""What the commands that read the file share: its option, and how one that is refused is shown."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from ostiary.cli.ending import Exit, environ_of, fail
from ostiary.config import Configuration, ConfigurationError, Problem, load
from ostiary.judge.loading import LATER_SECTIONS, judge_sections
from ostiary.judge.third_party import ThirdParty, find_third_party

FileOption = Annotated[
    Path, typer.Option("-c", "--config", metavar="FILE", help="The configuration file.", show_default=False)
]


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
