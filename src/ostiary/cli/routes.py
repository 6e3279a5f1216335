"""`ostiary routes`, `schema`: what a file says, and what one may say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

from ostiary.cli.ending import JsonOption
from ostiary.cli.printing import show_table
from ostiary.cli.shared import FileOption, load_or_fail
from ostiary.config import schema
from ostiary.judge.loading import judge_sections
from ostiary.judge.route_rules import build_routes

if TYPE_CHECKING:
    from ostiary.decision.routes import Route


def show_routes(context: typer.Context, file: FileOption, *, as_json: JsonOption = False) -> None:
    """Show the routes of a file, most specific first, each with its policy and chain."""
    configuration, third_party = load_or_fail(context, file)
    routes = sorted(build_routes(configuration, third_party), key=_specificity)
    if as_json:
        typer.echo(json.dumps([_as_json(route) for route in routes]))
        return
    show_table(
        ("ROUTE", "MATCH", "FOR", "DEMANDS", "ASKS"),
        [
            (route.name, _match(route), _for(route), _demands(route), route.policy.authority or "nobody")
            for route in routes
        ],
    )


def show_schema() -> None:
    """Print the JSON Schema of the configuration file, for editors: `# yaml-language-server: $schema=…`."""
    typer.echo(json.dumps(schema(judge_sections({})), indent=2))


def _specificity(route: Route) -> tuple[bool, str, int, str]:
    return (route.match.host is None, route.match.host or "", -route.match.path.count("/"), route.name)


def _match(route: Route) -> str:
    methods = "" if route.match.methods is None else ",".join(sorted(route.match.methods)) + " "
    return methods + (route.match.host or "") + route.match.path


def _for(route: Route) -> str:
    return f"{route.policy.gateway}/{route.policy.resource}"


def _demands(route: Route) -> str:
    if route.unsafe_anonymous:
        return "nothing (unsafe_anonymous)"
    wanted = {"app": route.policy.app_required, "user": route.policy.user_required}
    return ", ".join([name for name, required in wanted.items() if required] + list(route.policy.scopes)) or "a token"


def _as_json(route: Route) -> dict[str, object]:
    policy = route.policy
    return {
        "name": route.name,
        "host": route.match.host,
        "path": route.match.path,
        "methods": None if route.match.methods is None else sorted(route.match.methods),
        "gateway": policy.gateway,
        "resource": policy.resource,
        "authority": policy.authority,
        "protocol": policy.protocol,
        "scopes": list(policy.scopes),
        "app_required": policy.app_required,
        "user_required": policy.user_required,
        "disclosure": policy.disclosure,
        "unsafe_anonymous": route.unsafe_anonymous,
        "chain": list(policy.chain),
    }
