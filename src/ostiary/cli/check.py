"""`ostiary check`: is the file valid. Offline: what only a network can tell is not asked."""

from __future__ import annotations

import json

import typer

from ostiary.cli.ending import JsonOption
from ostiary.cli.shared import FileOption, load_or_fail
from ostiary.judge.route_rules import build_routes


def check(context: typer.Context, file: FileOption, *, as_json: JsonOption = False) -> None:
    """Validate a configuration file: shape, meaning, routes, chains, secret references.

    Says everything that is wrong, each with file:line:column and a hint. Exit code 0, or 2.
    """
    configuration, third_party = load_or_fail(context, file)
    routes = build_routes(configuration, third_party)
    if as_json:
        typer.echo(json.dumps({"valid": True, "routes": len(routes), "sha256": configuration.bytes_sha256}))
    else:
        typer.echo(f"{file} is valid: {len(routes)} {'route' if len(routes) == 1 else 'routes'}.")
