"""`ostiary check`: is the file valid. Offline: what only a network can tell is not asked."""

from __future__ import annotations

import json

import typer

from ostiary.cli.shared import Exit, FileOption, JsonOption, environ_of, third_party_or_fail
from ostiary.config import ConfigurationError, Problem, load
from ostiary.judge.loading import LATER_SECTIONS, judge_sections
from ostiary.judge.route_rules import build_routes


def check(context: typer.Context, file: FileOption, *, as_json: JsonOption = False) -> None:
    """Validate a configuration file: shape, meaning, routes, chains, secret references.

    Says everything that is wrong, each with file:line:column and a hint. Exit code 0, or 2.
    """
    third_party = third_party_or_fail()
    try:
        configuration = load(file, judge_sections(third_party), environ_of(context), later=LATER_SECTIONS)
    except ConfigurationError as error:
        if as_json:
            typer.echo(json.dumps({"valid": False, "problems": [_as_json(problem) for problem in error.problems]}))
        else:
            typer.echo(str(error), err=True)
        raise typer.Exit(Exit.USAGE) from None
    routes = build_routes(configuration, third_party)
    if as_json:
        typer.echo(json.dumps({"valid": True, "routes": len(routes), "sha256": configuration.bytes_sha256}))
    else:
        typer.echo(f"{file} is valid: {len(routes)} {'route' if len(routes) == 1 else 'routes'}.")


def _as_json(problem: Problem) -> dict[str, object]:
    where = problem.where
    return {
        "file": None if where is None else where.file,
        "line": None if where is None else where.line,
        "column": None if where is None else where.column,
        "key": problem.key,
        "what": problem.what,
        "hint": problem.hint,
    }
