"""The gateways that the tests of this folder share."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from tests.decision_row import AWAY, PUBLIC_URL, ROUTES
from tests.e2e.running import Running, running
from tests.integrations.judging import BOTH_PRESENT, GATE, TABLE

from ostiary.demo.upstreams import echo_api
from ostiary.devserver import DevelopmentServer, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ostiary.oauth.json import JsonValue


@pytest.fixture(scope="session")
def authority() -> Iterator[DevelopmentServer]:
    """An authorization server that stays up."""
    server = DevelopmentServer([GATE])
    with serve(server):
        yield server


@pytest.fixture(scope="session")
def upstream() -> Iterator[str]:
    """An API that repeats what reached it."""
    with closing(echo_api("upstream")) as listener:
        yield listener.start()


def table_file(issuer: str, upstream: str, away: str, both_present: str) -> dict[str, JsonValue]:
    """The routes of the decision table, published."""
    server: dict[str, JsonValue] = {
        "kind": "rfc7662",
        "issuer": issuer,
        "client_id": GATE.client_id,
        "client_secret": {"file": "gate.secret"},
    }
    gone: dict[str, JsonValue] = {**server, "issuer": away, "introspection_endpoint": away + "/introspect"}
    servers: dict[str, JsonValue] = {"corp": server, AWAY: gone}
    gateway: dict[str, JsonValue] = {"public_url": PUBLIC_URL, "both_present": both_present}
    routes: list[JsonValue] = [
        {"name": name, **ROUTES[name], "upstream": upstream} for name in sorted({row.route for row in TABLE})
    ]
    return {
        "version": 1,
        "gateway": gateway,
        "authorization_servers": servers,
        "routes": routes,
    }


@pytest.fixture(scope="session")
def gateways(
    tmp_path_factory: pytest.TempPathFactory, authority: DevelopmentServer, upstream: str
) -> Iterator[dict[str, Running]]:
    """A gateway of the decision table's routes for each value of `both_present`; nobody listens at `away`."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        legacy, refuse = [table_file(authority.issuer, upstream, away, value) for value in BOTH_PRESENT]
        with running(tmp_path_factory.mktemp("l"), legacy) as one, running(tmp_path_factory.mktemp("r"), refuse) as two:
            yield dict(zip(BOTH_PRESENT, (one, two), strict=True))


@pytest.fixture(scope="session")
def gateway(gateways: dict[str, Running]) -> Running:
    """The one with the default settings."""
    return gateways["legacy"]
