"""Operator surface: nothing of it is reached through the public listener, by no name and no spelling.

Envoy Gateway CVE-2025-24030.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest
from tests.conformance.attacks.doors import GOOD, Outcome, volley
from tests.conformance.attacks.wire import head2, http1
from tests.e2e.running import OPERATOR_TOKEN

if TYPE_CHECKING:
    from tests.conformance.attacks.doors import Attack, GatewayDoor

_PATHS: Final = (
    "/metrics",
    "/healthz",
    "/readyz",
    "/ready",
    "/stats",
    "/stats/prometheus",
    "/config_dump",
    "/clusters",
    "/listeners",
    "/logging",
    "/quitquitquit",
    "/drain_listeners",
    "/server_info",
    "/check/api",
    "/check/open",
    "/body/api",
    "/console",
    "/docs",
    "/openapi.json",
    "/debug/pprof",
    "/open/../metrics",
    "/open/%2e%2e/stats",
    "/.well-known/oauth-protected-resource/../../metrics",
    "/.well-known/jwks.json",
)
# Clusters and sockets by the names that they have inside.
_HOSTS: Final = (b"decision", b"metadata", b"worker", b"admin", b"localhost", b"127.0.0.1", b"unix")
_OPERATOR: Final = b"Authorization: Bearer " + OPERATOR_TOKEN.encode()


@pytest.fixture(scope="module")
def outcomes(gateway: GatewayDoor) -> dict[tuple[object, ...], Outcome]:
    attacks: dict[tuple[object, ...], Attack] = {}
    for path in _PATHS:
        attacks |= {(path, host): http1(path, _OPERATOR, host=host) for host in _HOSTS}
        attacks |= {(path, method): http1(path, _OPERATOR, method=method) for method in (b"POST", b"PUT")}
        attacks[path, "absolute"] = http1(f"http://decision{path}", _OPERATOR)
        attacks[path, "good"] = http1(path, token=GOOD)
        attacks[path, "verdict"] = http1(path, b"x-ostiary-verdict: allow", b"x-ostiary-route: 1:api")
        attacks[path, "http/2"] = head2(path.encode(), token=OPERATOR_TOKEN, authority=b"decision")
    return volley(gateway, attacks)


@pytest.mark.parametrize("path", _PATHS)
def test_nothing_of_the_inside_is_reached_from_outside(outcomes: dict[tuple[object, ...], Outcome], path: str) -> None:
    """Attack table: console, metrics, Envoy's admin, the decision sockets; with an operator's token too."""
    found = [outcome.held() for key, outcome in outcomes.items() if key[0] == path]
    assert len(found) > len(_HOSTS)
    assert {outcome.reply.status for outcome in found} == {404}
    assert {json.loads(outcome.reply.body)["code_name"] for outcome in found} == {"API_NOT_FOUND"}
    assert all(outcome.reached == [] for outcome in found)
