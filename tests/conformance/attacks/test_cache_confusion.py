"""Cache confusion: what is remembered of a token is remembered of that token, at that authority, and of nothing else.

Oathkeeper GHSA-4mq7-pvjg-xp2r and CVE-2021-32701; Skipper 2e312257; liboauth2 CWE-613; Tyk, Duende and BlueKing key by
the bare token; Kong remembered `expires_in <= 0` for ever.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import pytest
from tests.conformance.attacks.doors import API, CANARY, attack, volley
from tests.conformance.attacks.wire import http1
from tests.e2e.authority import active, says

from ostiary.decision.reasons import Reason

if TYPE_CHECKING:
    from tests.conformance.attacks.doors import Door, GatewayDoor
    from tests.e2e.authority import Authority

_INACTIVE: Final = (401, Reason.TOKEN_INACTIVE)


def _asked(authority: Authority, token: str) -> int:
    return sum(token.encode() in question for question in authority.received)


def test_one_token_at_two_authorities_is_two_verdicts(gateway: GatewayDoor) -> None:
    """Attack table: never a shared verdict; in either order, and each of them remembered."""
    for first, second in (("corp", "other"), ("other", "corp")):
        token = f"{CANARY}.two-{first}"
        gateway.authorities[first].answers[token] = says(active(aud=[API]))
        paths = {"corp": "/api", "other": "/other-authority"}
        for _ in range(2):
            assert attack(gateway, http1(paths[first], token=token)).verdict == (200, None)
            assert attack(gateway, http1(paths[second], token=token)).verdict == _INACTIVE


def test_each_route_judges_what_is_remembered_by_its_own_policy(door: Door, gateway: GatewayDoor) -> None:
    """Attack table: scope and audience are judged again on a hit."""
    token = CANARY + ".re-judged"
    gateway.authorities["corp"].answers[token] = says(active(aud=[API]))
    rows = {"/api": (200, None), "/api/admin": (403, Reason.SCOPE_MISSING)}
    if door is gateway:
        rows["/other-api"] = (403, Reason.AUDIENCE_GATEWAY_MISMATCH)
    found = [(path, attack(door, http1(path, token=token))) for _ in range(4) for path in rows]
    assert [(path, outcome.verdict) for path, outcome in found] == [*rows.items()] * 4
    assert "hit" in [outcome.record.cache for _, outcome in found]


def test_a_token_dies_while_it_is_remembered(door: Door, gateway: GatewayDoor) -> None:
    """Attack table: `exp` in the past on a hit."""
    token = CANARY + ".dies" + str(id(door))
    gateway.authorities["corp"].answers[token] = says(active(aud=[API], exp=time.time() + 1))
    assert attack(door, http1("/api", token=token)).verdict == (200, None)
    give_up = time.monotonic() + 10
    while (outcome := attack(door, http1("/api", token=token))).statuses == [200]:
        assert time.monotonic() < give_up
    assert outcome.verdict == (401, Reason.TOKEN_EXPIRED)


@pytest.mark.parametrize("exp", [0, -1, 1])
def test_an_expired_token_is_not_remembered(door: Door, gateway: GatewayDoor, exp: int) -> None:
    """Attack table: Kong's `expires_in <= 0`."""
    token = f"{CANARY}.expired{exp}-{id(door)}"
    corp = gateway.authorities["corp"]
    corp.answers[token] = says(active(aud=[API], exp=exp))
    for _ in range(2):
        assert attack(door, http1("/api", token=token)).verdict == (401, Reason.TOKEN_EXPIRED)
    assert _asked(corp, token) == 2


def test_tokens_that_begin_or_end_alike_are_others(door: Door, gateway: GatewayDoor) -> None:
    """Attack table: a key is over all of it."""
    token = CANARY + ".alike"
    gateway.authorities["corp"].answers[token] = says(active(aud=[API]))
    assert attack(door, http1("/api", token=token)).verdict == (200, None)
    others = [token[:-1], token + "e", token + "=", token.upper(), "x" + token, token[1:], token.replace(".", "-")]
    found = volley(door, {other: http1("/api", token=other) for other in others})
    assert {outcome.held().verdict for outcome in found.values()} == {_INACTIVE}


def test_a_flood_of_random_tokens_pushes_no_good_one_out(gateway: GatewayDoor) -> None:
    """Attack table: what is remembered of it was asked for once and for each worker."""
    token, corp = CANARY + ".stays", gateway.authorities["corp"]
    corp.answers[token] = says(active(aud=[API]))
    assert {attack(gateway, http1("/api", token=token)).reply.status for _ in range(4)} == {200}
    before = _asked(corp, token)
    flood = volley(gateway, {number: http1("/api", token=f"{CANARY}.flood{number}") for number in range(150)})
    assert {tuple(outcome.statuses) for outcome in flood.values()} == {(401,)}
    assert {attack(gateway, http1("/api", token=token)).record.cache for _ in range(4)} == {"hit"}
    assert _asked(corp, token) == before <= 2
