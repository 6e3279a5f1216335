"""Failing open: whatever is of no use is *could not tell*: 503, closed, and over by itself.

BlueKing's 24-hour fallback; apisix#12373; Skipper CVE-2026-65838; mod_auth_openidc, ChangeLog 29 to 35; Envoy
CVE-2026-47205. What dies under load is in `test_deaths_under_load`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import pytest
from tests.conformance.attacks.doors import API, CANARY, Outcome, attack, volley
from tests.conformance.attacks.failures import FAILURES, NEVER_WELL
from tests.conformance.attacks.wire import http1
from tests.e2e.authority import active, says

from ostiary.decision.reasons import Reason
from ostiary.decision.verdict import VerdictLabel

if TYPE_CHECKING:
    from tests.conformance.attacks.doors import GatewayDoor

_COULD_NOT_TELL: Final = (503, Reason.AUTHORITY_UNAVAILABLE)


def _token(name: str) -> str:
    return f"{CANARY}.failing.{name}"


@pytest.fixture(scope="module")
def outcomes(gateway: GatewayDoor) -> dict[str, Outcome]:
    for name, failing in FAILURES.items():
        gateway.authorities[name].answers[_token(name)] = failing
    attacks = {name: http1(f"/{name}", token=_token(name)) for name in (*FAILURES, *NEVER_WELL)}
    found = volley(gateway, attacks)
    for name in FAILURES:
        gateway.authorities[name].answers[_token(name)] = says(active(aud=[API]))
    return found


@pytest.mark.requirement("edge-3")
@pytest.mark.parametrize("name", [*FAILURES, *NEVER_WELL])
def test_an_authority_that_is_of_no_use_is_503(outcomes: dict[str, Outcome], name: str) -> None:
    """Attack table; gateway.md, Verification: `Retry-After: 1`, no challenge; operators get the true reason."""
    outcome = outcomes[name].held()
    assert outcome.verdict == _COULD_NOT_TELL
    assert outcome.record.verdict is VerdictLabel.UNAVAILABLE
    assert outcome.reached == []
    assert (outcome.reply.header("retry-after"), outcome.reply.header("www-authenticate")) == ("1", None)
    assert b"authorization server unavailable" in outcome.reply.body


@pytest.mark.parametrize("name", FAILURES)
def test_it_is_over_by_itself(gateway: GatewayDoor, outcomes: dict[str, Outcome], name: str) -> None:
    """Attack table: the very token that could not be told; nothing was remembered of it."""
    assert outcomes[name].statuses == [503]
    give_up = time.monotonic() + 10
    while (outcome := attack(gateway, http1(f"/{name}", token=_token(name)))).statuses == [503]:  # a breaker is open
        assert time.monotonic() < give_up
    assert outcome.verdict == (200, None)


def test_a_yes_is_not_remembered_beyond_its_time_because_nobody_answers(gateway: GatewayDoor) -> None:
    """BlueKing's fallback: what was good once is no answer to a question that nobody answers now."""
    corp, token = gateway.authorities["corp"], CANARY + ".once-good"
    corp.answers[token] = says(active(aud=[API], exp=time.time() + 1))
    assert attack(gateway, http1("/api", token=token)).verdict == (200, None)
    corp.answers[token] = FAILURES["server-error"]
    give_up = time.monotonic() + 10
    while (outcome := attack(gateway, http1("/api", token=token))).statuses == [200]:
        assert time.monotonic() < give_up
    seen = [outcome.verdict]
    while _COULD_NOT_TELL not in seen:
        assert time.monotonic() < give_up
        seen.append(attack(gateway, http1("/api", token=token)).verdict)
    assert set(seen) <= {(401, Reason.TOKEN_EXPIRED), _COULD_NOT_TELL}
