"""Verification: three answers, and what time says of the first."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples import BEARER, GRANT, ISSUER, NOW, POLICY, ROUTE, exchange

from ostiary.decision.reasons import Reason
from ostiary.decision.verdict import Deny
from ostiary.oauth.credentials import NO_CREDENTIALS, Credentials, Presented, RawToken
from ostiary.oauth.introspection import Active, Cause, ClaimFault, Grant, Inactive, Unavailable
from ostiary.plugins.exchange import BkApp, BkUser, Exchange
from ostiary.plugins.oauth2_verify import OAuth2Verify
from ostiary.plugins.questions import Introspect

if TYPE_CHECKING:
    from ostiary.decision.routes import Route
    from ostiary.plugins.questions import Fact


def verify(fact: Fact | None, *, route: Route = ROUTE, credentials: Credentials = BEARER) -> Exchange | Deny:
    """Run it; a `fact` of None: nobody may be asked."""
    steps = OAuth2Verify().run(exchange(route, credentials=credentials), credentials)
    try:
        question = next(steps)
        assert fact is not None, "it asked"
        assert credentials.bearer is not None
        assert question == Introspect(authority="corp", token=credentials.bearer)
        steps.send(fact)
    except StopIteration as end:
        outcome: Exchange | Deny = end.value
        return outcome
    raise AssertionError("it asked twice")


def granted(grant: Grant = GRANT, *, as_of: float = NOW) -> Active:
    return Active(grant=grant, as_of=as_of)


@pytest.mark.requirement("US2-1", "US2-2", "FR-008", "FR-010")
def test_a_good_token_sets_the_specs_variables() -> None:
    """002 FR-010; gateway.md, on success."""
    assert verify(granted()) == exchange()._replace(
        bk_app=BkApp(app_code="reader", verified=True, issuer=ISSUER, valid_error_message="", version=1),
        bk_user=BkUser(username="alice", verified=True, issuer=ISSUER, valid_error_message="", version=1),
        bk_app_code="reader",
        audience=("gateway:my-gateway/api:my-api",),
        auth_params_location="header",
        grant=GRANT,
    )


@pytest.mark.requirement("FR-010")
@pytest.mark.parametrize("absent", [None, ""])
def test_a_name_that_is_absent_is_empty_and_not_verified(absent: str | None) -> None:
    """gateway.md, on success: verified only if not empty."""
    outcome = verify(granted(replace(GRANT, app_code=absent, username=absent, audience=None)))
    assert isinstance(outcome, Exchange)
    assert outcome.bk_app == BkApp(app_code="", verified=False, issuer=ISSUER)
    assert outcome.bk_user == BkUser(username="", verified=False, issuer=ISSUER)
    assert (outcome.bk_app_code, outcome.audience) == ("", None)


@pytest.mark.requirement("US2-4", "SC-007")
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (None, Reason.TOKEN_INACTIVE),
        (ClaimFault.CLAIMS, Reason.TOKEN_CLAIMS),
        (ClaimFault.ISSUER, Reason.TOKEN_ISSUER),
        (ClaimFault.TYPE, Reason.TOKEN_TYPE),
        (ClaimFault.BOUND, Reason.TOKEN_BOUND),
        (ClaimFault.NO_EXPIRY, Reason.TOKEN_NO_EXPIRY),
    ],
)
def test_a_token_that_does_not_count_is_refused_with_its_own_reason(fault: ClaimFault | None, reason: Reason) -> None:
    """002 US2-4; gateway.md, verification."""
    outcome = verify(Inactive(fault=fault, claims=("active", "cnf")))
    assert outcome == Deny(reason, note="" if fault is None else "the answer has: active, cnf")


def test_every_fault_has_a_reason_of_its_own() -> None:
    """Ours: a fault without a row would be a 503."""
    outcomes = [verify(Inactive(fault=fault)) for fault in (None, *ClaimFault)]
    reasons = {outcome.reason for outcome in outcomes if isinstance(outcome, Deny)}
    assert len(reasons) == len(ClaimFault) + 1


@pytest.mark.requirement("edge-3")
@pytest.mark.parametrize("cause", Cause)
def test_an_authority_that_cannot_tell_is_never_a_bad_token(cause: Cause) -> None:
    """002 edge case 3; conventions 3."""
    outcome = verify(Unavailable(cause=cause, note="status 500"))
    overloaded = cause is Cause.OVERLOADED
    reason = Reason.AUTHORITY_OVERLOADED if overloaded else Reason.AUTHORITY_UNAVAILABLE
    assert outcome == Deny(reason, note=f"{cause.value}: status 500")
    assert verify(Unavailable(cause=cause)) == Deny(reason, note=cause.value)


@pytest.mark.requirement("edge-2", "US2-4")
@pytest.mark.parametrize("token", ["", " ", "a b", "a=b", "\ta", "a,b", "\xff", "a" * 8193])
def test_nobody_is_asked_about_what_cannot_be_a_token(token: str) -> None:
    """002 edge case 2."""
    credentials = Credentials(presented=Presented.BEARER, bearer=RawToken(token))
    assert verify(None, credentials=credentials) == Deny(Reason.TOKEN_FORMAT)


def test_without_a_token_or_an_authority_nobody_is_asked_and_nothing_allowed() -> None:
    """Conventions 4: an empty policy denies."""
    nobody = replace(ROUTE, policy=replace(POLICY, authority=None))
    for outcome in (verify(None, credentials=NO_CREDENTIALS), verify(None, route=nobody)):
        assert isinstance(outcome, Deny)
        assert outcome.reason is Reason.POLICY_EMPTY


TIMES = st.integers(-70, 70)


@given(TIMES | st.none(), TIMES | st.none(), st.integers(0, 60), st.integers(-100, 100))
def test_a_token_lives_from_nbf_to_exp_by_the_clock_of_its_use(
    expires_in: int | None, begins_in: int | None, leeway: int, used_in: int
) -> None:
    """RFC 7662 §2.2, RFC 7519 §4.1.4: on or after `exp` it is dead, from `nbf` on it lives; `leeway` widens both."""
    as_of = NOW + used_in  # not the arrival of the request: an answer may be remembered
    grant = replace(
        GRANT,
        expires_at=None if expires_in is None else as_of + expires_in,
        not_before=None if begins_in is None else as_of + begins_in,
    )
    route = replace(ROUTE, policy=replace(POLICY, leeway_seconds=float(leeway)))
    outcome = verify(granted(grant, as_of=as_of), route=route)
    if expires_in is not None and expires_in <= -leeway:
        assert outcome == Deny(Reason.TOKEN_EXPIRED)
    elif begins_in is not None and begins_in > leeway:
        assert outcome == Deny(Reason.TOKEN_NOT_YET_VALID)
    else:
        assert isinstance(outcome, Exchange)


@pytest.mark.parametrize(("used_in", "lives"), [(599, True), (600, False), (10_000, False), (-1, True)])
def test_a_remembered_answer_dies_with_its_token(used_in: int, lives: bool) -> None:  # noqa: FBT001 - a column
    """gateway.md, verification: `exp` is re-checked on every use, by the clock of the use and not of the arrival."""
    assert isinstance(verify(granted(as_of=NOW + used_in)), Exchange) == lives


@pytest.mark.requirement("FR-005")
def test_it_runs_before_legacy_verification() -> None:
    """002 FR-005: 18732, before `bk-auth-verify` at 18730."""
    assert OAuth2Verify().priority == 18732


@given(st.text(min_size=1, max_size=20))
def test_no_outcome_holds_the_token(token: str) -> None:
    """architecture.md: the exchange has its digest and the grant."""
    canary = "Canary7f3a9c"
    credentials = Credentials(presented=Presented.BEARER, bearer=RawToken(canary + token))
    fact = granted() if credentials.bearer is not None and credentials.bearer.is_b64token else None
    assert canary not in repr(verify(fact, credentials=credentials))
