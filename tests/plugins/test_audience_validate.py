"""Audience in its place in the chain; the grammar itself is `decision`'s."""

from __future__ import annotations

import pytest
from tests.samples import MCP_ROUTE, exchange

from ostiary.decision.audience import WARN_ENTRIES
from ostiary.decision.reasons import Reason
from ostiary.decision.verdict import Deny
from ostiary.plugins.audience_validate import AudienceValidate
from ostiary.plugins.auth_validate import AuthValidate
from ostiary.plugins.exchange import Exchange

GOOD = "gateway:my-gateway/api:my-api"
OTHER = "gateway:other/api:*"


def judged(*entries: str) -> Exchange | Deny:
    return AudienceValidate().run(exchange()._replace(audience=entries, notes=("before",)))


@pytest.mark.requirement("FR-013", "US4-4")
@pytest.mark.parametrize("audience", [None, ()])
def test_a_token_without_an_audience_is_refused(audience: tuple[str, ...] | None) -> None:
    """002 FR-013."""
    assert AudienceValidate().run(exchange()._replace(audience=audience)) == Deny(Reason.AUDIENCE_EMPTY)


@pytest.mark.requirement("US4-1", "FR-016")
def test_a_match_changes_nothing() -> None:
    """002 US4-1."""
    begun = exchange()._replace(audience=(GOOD,))
    assert AudienceValidate().run(begun) is begun


@pytest.mark.requirement("US3-3", "FR-015", "FR-017")
def test_the_path_that_is_judged_is_the_exchanges() -> None:
    """002 US3-3."""
    begun = exchange(MCP_ROUTE, path="/prod/api/v2/mcp-servers/server-b/sse")
    outcome = AudienceValidate().run(begun._replace(audience=("mcp_server:server-a",)))
    assert outcome == Deny(Reason.AUDIENCE_MCP_MISMATCH)


@pytest.mark.requirement("edge-6")
def test_over_a_hundred_entries_are_a_warning_and_no_limit() -> None:
    """002 edge case 6: process all audiences, log a warning."""
    outcome = judged(*(OTHER,) * WARN_ENTRIES, GOOD)
    assert isinstance(outcome, Exchange)
    assert outcome.notes == ("before", "warning: 101 audience entries")
    exactly = judged(*(OTHER,) * (WARN_ENTRIES - 1), GOOD)
    assert isinstance(exactly, Exchange)
    assert exactly.notes == ("before",)


def test_forms_that_nobody_knows_are_counted_for_operators() -> None:
    """gateway.md, audience grammar: ignored and counted."""
    passed = judged("?", "??", GOOD)
    assert isinstance(passed, Exchange)
    assert passed.notes == ("before", "2 of an unknown form")
    refused = judged(*("?",) * 101, OTHER)
    assert refused == Deny(
        Reason.AUDIENCE_GATEWAY_MISMATCH, note="warning: 102 audience entries; 101 of an unknown form"
    )


@pytest.mark.requirement("FR-011")
def test_it_runs_behind_general_validation() -> None:
    """002 FR-011: 17678, behind `bk-auth-validate` at 17680."""
    assert AudienceValidate().priority == 17678
    assert AudienceValidate().priority < AuthValidate().priority == 17680
