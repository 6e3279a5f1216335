"""One gateway and one Guard for all attacks, and who stands around them."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Final

import pytest
from tests.authorities.peer import rfc7662
from tests.conformance.attacks.doors import API, GOOD, Door, GatewayDoor, GuardDoor, Records, Upstream
from tests.conformance.attacks.failures import FAILURES, NEVER_WELL
from tests.decision_row import PUBLIC_URL
from tests.e2e.authority import Authority, active, says
from tests.e2e.running import running
from tests.integrations.judging import configured, route

from ostiary.devserver import Listener
from ostiary.integrations.asgi import Guard
from ostiary.judge.loading import load_judge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp

    from ostiary.oauth.json import JsonValue

# Above the number from which the gateway matches in another way; the tests of `tests/gateway` stay below it.
_MORE_ROUTES: Final = 120
_INNER: Final[dict[str, JsonValue]] = {
    "match": {"path": "/api", "host": "internal.example.com"},
    "public_url": "https://internal.example.com",
    "scopes": ["admin"],
}


def _routes(upstream: str) -> list[JsonValue]:
    """One that the good token opens, several that it does not, and one that is open."""

    def to(name: str, path: str, **settings: JsonValue) -> dict[str, JsonValue]:
        return route(name, path, upstream=upstream, **settings)

    return [
        to("api", "/api"),
        to("admin", "/api/admin", scopes=["admin"]),
        to("other-api", "/other-api", resource="another"),
        to("other-authority", "/other-authority", authorization_server="other"),
        to("open", "/open", unsafe_anonymous=True),
        to("written", "/written", match={"path": "/written", "methods": ["POST"]}),
        to("inner", "/api", **_INNER),
    ]


def _server(url: str, secret: JsonValue) -> dict[str, JsonValue]:
    return rfc7662(url, client_secret=secret, timeout="500ms")


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayDoor]:
    """A gateway with two workers and many routes; a route, and an authority of its own, for each kind of failure."""
    upstream = Upstream()
    names = ("corp", "other", *FAILURES)
    with ExitStack() as stack:
        to = stack.enter_context(closing(Listener(upstream.application))).start()
        authorities = {name: stack.enter_context(closing(Authority({}))) for name in names}
        authorities["corp"].answers[GOOD] = says(active(aud=[API]))
        secret: JsonValue = {"file": "gate.secret"}
        servers: dict[str, JsonValue] = {name: _server(each.start(), secret) for name, each in authorities.items()}
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            servers |= {name: _server(made(nobody.getsockname()[1]), secret) for name, made in NEVER_WELL.items()}
        routes = _routes(to)
        routes += [route(name, f"/{name}", upstream=to, authorization_server=name) for name in (*FAILURES, *NEVER_WELL)]
        routes += [route(f"more-{number}", f"/more/{number}/x", upstream=to) for number in range(_MORE_ROUTES)]
        members: dict[str, JsonValue] = {
            "version": 1,
            "gateway": {"public_url": PUBLIC_URL, "workers": 2, "decision_timeout": "1s"},
            "authorization_servers": servers,
            "token_cache": {"max_bytes": "64KiB"},  # a flood need not be long
            "routes": routes,
        }
        started = stack.enter_context(running(tmp_path_factory.mktemp("a"), members))
        yield GatewayDoor(gateway=started, upstream=upstream, authorities=authorities)


@pytest.fixture(scope="session")
def guard(gateway: GatewayDoor) -> Iterator[GuardDoor]:
    """Guard, which asks the same authority."""
    upstream = Upstream()
    records = Records()
    members: dict[str, JsonValue] = {
        "version": 1,
        "gateway": {"listen": None, "public_url": PUBLIC_URL},
        "authorization_servers": {"corp": _server(gateway.authorities["corp"].start(), {"env": "GATE_SECRET"})},
        "routes": [
            route("api", "/api"),
            route("admin", "/api/admin", scopes=["admin"]),
            route("inner", "/api", **_INNER),
        ],
    }

    def make() -> ASGIApp:
        judge = load_judge(configured(json.dumps(members).encode()), third_party={})
        return Guard(upstream.application(judge.aclose), judge, record=records.take)

    with closing(Listener(make)) as listener:
        yield GuardDoor(port=int(listener.start().rpartition(":")[2]), upstream=upstream, records=records)


@pytest.fixture(scope="session", params=["gateway", "guard"])
def door(request: pytest.FixtureRequest, gateway: GatewayDoor, guard: GuardDoor) -> Door:
    """Each door that judges."""
    return gateway if request.param == "gateway" else guard
