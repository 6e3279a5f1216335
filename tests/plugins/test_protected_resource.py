"""Which path a request takes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.samples import POLICY, ROUTE, exchange

from ostiary.decision.reasons import Reason
from ostiary.decision.routes import BothPresent
from ostiary.decision.verdict import Deny
from ostiary.oauth.credentials import Credentials, Presented
from ostiary.plugins.exchange import Exchange
from ostiary.plugins.protected_resource import ProtectedResource


def detect(
    presented: Presented, *, legacy_accepted: bool = True, both: BothPresent = BothPresent.LEGACY
) -> Exchange | Deny:
    policy = replace(POLICY, legacy_accepted=legacy_accepted, both_present=both)
    begun = exchange(replace(ROUTE, policy=policy), credentials=Credentials(presented=presented))
    outcome = ProtectedResource().run(begun)
    if isinstance(outcome, Exchange):
        assert outcome._replace(is_bk_oauth2=None) == begun  # it sets the one variable
    return outcome


def path_of(outcome: Exchange | Deny) -> bool | None:
    assert isinstance(outcome, Exchange)
    return outcome.is_bk_oauth2


@pytest.mark.requirement("US1-2", "FR-003", "SC-002")
@pytest.mark.parametrize("legacy_accepted", [True, False])
@pytest.mark.parametrize("both", BothPresent)
def test_a_bearer_token_takes_the_oauth2_path(legacy_accepted: bool, both: BothPresent) -> None:  # noqa: FBT001 - a column
    """002 FR-003."""
    assert path_of(detect(Presented.BEARER, legacy_accepted=legacy_accepted, both=both)) is True


@pytest.mark.requirement("US1-1", "FR-002", "SC-001")
@pytest.mark.parametrize("both", BothPresent)
def test_legacy_credentials_take_the_legacy_path(both: BothPresent) -> None:
    """002 FR-002."""
    assert path_of(detect(Presented.LEGACY, both=both)) is False


@pytest.mark.requirement("edge-1", "SC-001")
def test_of_both_the_legacy_credentials_win() -> None:
    """002 edge case 1."""
    assert path_of(detect(Presented.BOTH)) is False


@pytest.mark.parametrize("legacy_accepted", [True, False])
def test_of_both_none_wins_where_the_operator_refuses_that(legacy_accepted: bool) -> None:  # noqa: FBT001 - a column
    """gateway.md, detection 1: precedence lets a client pick the weaker path."""
    outcome = detect(Presented.BOTH, legacy_accepted=legacy_accepted, both=BothPresent.REFUSE)
    assert outcome == Deny(Reason.CREDENTIALS_CONFLICT)


@pytest.mark.requirement("SC-001")
@pytest.mark.parametrize("presented", [Presented.LEGACY, Presented.BOTH])
def test_where_nobody_would_judge_legacy_credentials_the_request_ends(presented: Presented) -> None:
    """gateway.md, the chain: `legacy-not-accepted`, with `is_bk_oauth2 = False`."""
    outcome = detect(presented, legacy_accepted=False)
    assert outcome == Deny(Reason.LEGACY_NOT_ACCEPTED, note="is_bk_oauth2 = False")


@pytest.mark.requirement("US1-3", "FR-004", "SC-004")
def test_without_credentials_the_request_ends() -> None:
    """002 FR-004."""
    assert detect(Presented.NONE) == Deny(Reason.CREDENTIALS_MISSING)


def test_credentials_that_can_be_read_in_two_ways_end_the_request() -> None:
    """gateway.md, detection."""
    assert detect(Presented.MALFORMED) == Deny(Reason.CREDENTIALS_MALFORMED)


@pytest.mark.requirement("FR-001")
def test_it_runs_before_the_token_source_is_detected() -> None:
    """002 FR-001: 18740, before `bk-access-token-source` at 18735."""
    assert ProtectedResource().priority == 18740
