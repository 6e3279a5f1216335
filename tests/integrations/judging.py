"""A judge that asks a real authorization server, and tokens for it; the doors' tests share them."""

from __future__ import annotations

import json
import socket
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from tests.decision_row import AWAY, PUBLIC_URL, ROUTES, Row, TokenState
from tests.decision_table import ROWS

from ostiary.config import load_bytes
from ostiary.devserver import Client, DevelopmentServer
from ostiary.judge.loading import SYSTEM_CLOCKS, judge_sections, load_judge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from _pytest.mark.structures import ParameterSet

    from ostiary.authorities import Clocks
    from ostiary.config import Configuration
    from ostiary.judge.judge import Judge
    from ostiary.oauth.json import JsonValue

GATE: Final = Client(client_id="gate", secret="sesame")
SECRETS: Final = {"GATE_SECRET": GATE.secret}
API: Final = "gateway:my-gateway/api:my-api"
BOTH_PRESENT: Final = ("legacy", "refuse")

# Rows that a door can be brought to.
TABLE: Final = [row for row in ROWS if row.chain_only is None]


def parameters(rows: Iterable[Row]) -> list[ParameterSet]:
    """Rows as a test's parameters, each tagged with what it shows."""
    return [
        pytest.param(row, id=row.name, marks=[pytest.mark.requirement(*row.requirements)] if row.requirements else [])
        for row in rows
    ]


def route(name: str, path: str, **settings: JsonValue) -> dict[str, JsonValue]:
    """A route of a configuration file."""
    own: dict[str, JsonValue] = {
        "name": name,
        "gateway": "my-gateway",
        "resource": "my-api",
        "match": {"path": path},
        "authorization_server": "corp",
        "auth": {"user_required": False},
    }
    return own | settings


def table_routes() -> list[JsonValue]:
    """The routes of the decision table."""
    return [{"name": name, **ROUTES[name]} for name in sorted({row.route for row in TABLE})]


def file_of(issuer: str, routes: list[JsonValue], *, away: str = "", **gateway: JsonValue) -> bytes:
    """A configuration file; YAML has JSON in it."""
    server: dict[str, JsonValue] = {
        "kind": "rfc7662",
        "issuer": issuer,
        "client_id": GATE.client_id,
        "client_secret": {"env": "GATE_SECRET"},
    }
    servers: dict[str, JsonValue] = {"corp": server}
    if away:
        servers[AWAY] = {**server, "issuer": away, "introspection_endpoint": away + "/introspect"}
    members: dict[str, JsonValue] = {
        "version": 1,
        "gateway": {"listen": None, "public_url": PUBLIC_URL, **gateway},
        "authorization_servers": servers,
        "routes": routes,
    }
    return json.dumps(members).encode()


def configured(data: bytes) -> Configuration:
    """The file, read."""
    return load_bytes(data, judge_sections({}), SECRETS, origin=Path("/nowhere/ostiary.yaml"))


@asynccontextmanager
async def judging(data: bytes, clocks: Clocks = SYSTEM_CLOCKS) -> AsyncIterator[Judge]:
    """A judge of a file while the block runs; it believes the development server."""
    judge = load_judge(configured(data), third_party={}, clocks=clocks, allow_development_issuer=True)
    try:
        yield judge
    finally:
        await judge.aclose()


@asynccontextmanager
async def table_judges(authority: DevelopmentServer) -> AsyncIterator[Mapping[str, Judge]]:
    """Judges of the decision table's routes, one for each value of `both_present`. Nobody listens at `away`."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        files = [
            file_of(authority.issuer, table_routes(), away=away, both_present=both_present)
            for both_present in BOTH_PRESENT
        ]
        async with judging(files[0]) as legacy, judging(files[1]) as refuse:
            yield dict(zip(BOTH_PRESENT, (legacy, refuse), strict=True))


def mint(authority: DevelopmentServer, row: Row) -> str:
    """The token of a row, as the authorization server has it."""
    spec = row.token
    if spec.state is TokenState.MALFORMED:
        return spec.malformed
    if spec.state is TokenState.UNKNOWN:
        return "nobody-issued-this"
    now = int(time.time())
    token = authority.mint(
        client_id=spec.client,
        subject=spec.subject,
        audience=spec.audience,
        scopes=spec.scopes,
        lifetime_seconds=-10 if spec.state is TokenState.EXPIRED else spec.lifetime_seconds,
        claims_override={**spec.claims, **{name: now + offset for name, offset in spec.claims_from_now.items()}},
    )
    if spec.state is TokenState.REVOKED:
        authority.revoke(token)
    return token


def lines_of(row: Row, token: str) -> bytes:
    """The header fields of a row, for the wire."""
    return b"".join(
        [(name + ": " + value.replace("{token}", token) + "\r\n").encode("latin-1") for name, value in row.headers]
    )
