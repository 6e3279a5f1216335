"""What a decision leaves behind: all that explains it, and nothing that opens a door."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.judge.asking import YES, Authority, judge, told
from tests.samples import GRANT, NOW, REFERENCE, ROUTE, facts

from ostiary.authorities import CacheOutcome
from ostiary.decision.facts import Door
from ostiary.decision.reasons import CONSEQUENCES, Reason
from ostiary.decision.routes import Disclosure
from ostiary.decision.verdict import VerdictLabel
from ostiary.diagnostics.record import DecisionRecord, RecordSource
from ostiary.diagnostics.record_json import to_json
from ostiary.oauth.credentials import RawToken
from ostiary.oauth.introspection import (
    INACTIVE,
    Active,
    Cause,
    ClaimFault,
    Expected,
    Grant,
    Inactive,
    Unavailable,
    read_claims,
)
from ostiary.plugins.drivers import StepOutcome

if TYPE_CHECKING:
    from ostiary.authorities import Told
    from ostiary.decision.routes import Route
    from ostiary.oauth.json import JsonValue

pytestmark = pytest.mark.anyio

TOKEN = "a-token-canary"
DIGEST = RawToken(TOKEN).digest()
COOKIE = (b"cookie", b"session=a-cookie-canary")
BEARER = ((b"authorization", b"Bearer " + TOKEN.encode()), COOKIE)


async def _record(
    answer: Told = YES, *, path: str = "/billing", route: Route = ROUTE, token: bool = True
) -> DecisionRecord:
    request = facts(path, BEARER if token else (COOKIE,))._replace(peer="192.0.2.1")
    decision = await judge(Authority(answer=answer), route).decide(request)
    assert decision.record is not None
    return decision.record


async def test_an_allow_has_everything_but_the_token() -> None:
    """operator.md, decision record, field by field."""
    grant = replace(GRANT, scopes=("read",), claims=("active", "aud", "sub"), token_type="bearer")
    record = await _record(told(Active(grant=grant, as_of=NOW)), path="/billing/7")
    assert [(step.plugin, step.outcome) for step in record.steps] == [
        (name, StepOutcome.PASSED) for name in ROUTE.policy.chain
    ]
    assert record._replace(steps=()) == DecisionRecord(
        reference=REFERENCE,
        time=NOW,
        door=Door.CLI,
        method="GET",
        path="/billing/7",
        peer="192.0.2.1",
        verdict=VerdictLabel.ALLOW,
        status=200,
        source=RecordSource.JUDGE,
        reason=None,
        disclosure=None,
        route="billing",
        gateway="my-gateway",
        resource="my-api",
        authority="corp",
        client_id="reader",
        subject="alice",
        token_digest=DIGEST,
        token_type="bearer",
        active=True,
        exp=GRANT.expires_at,
        scopes=("read",),
        claims=("active", "aud", "sub"),
        audience=GRANT.audience,
        cache=CacheOutcome.MISS,
        authority_seconds=0.25,
        total_seconds=record.total_seconds,
    )
    assert record.total_seconds > 0


async def test_a_denial_has_its_reason_and_ends_at_its_step() -> None:
    """operator.md: who it was is known although it was refused."""
    wrong = replace(GRANT, audience=("gateway:my-gateway/api:another",))
    record = await _record(told(Active(grant=wrong, as_of=NOW)))
    assert (record.verdict, record.status) == (VerdictLabel.DENY, 403)
    assert (record.reason, record.disclosure) == (Reason.AUDIENCE_GATEWAY_MISMATCH, Disclosure.REASON)
    assert (record.client_id, record.subject, record.audience) == ("reader", "alice", wrong.audience)
    assert (record.steps[-1].plugin, record.steps[-1].outcome) == ("bk-oauth2-audience-validate", StepOutcome.DENIED)


async def test_a_stranger_leaves_no_authority_and_no_token() -> None:
    """operator.md: nobody was asked, and the record does not look as if somebody had been."""
    record = await _record(token=False)
    assert (record.reason, record.status) == (Reason.CREDENTIALS_MISSING, 401)
    unknown = ("authority", "client_id", "subject", "token_digest", "active", "exp", "audience", "cache")
    assert {name: getattr(record, name) for name in unknown} == dict.fromkeys(unknown)
    assert record.authority_seconds is None


@pytest.mark.parametrize(
    ("fact", "known"),
    [
        (INACTIVE, (None, (), Reason.TOKEN_INACTIVE)),
        (Inactive(active=False, claims=("active", "x")), (False, ("active", "x"), Reason.TOKEN_INACTIVE)),
        # The authority said yes, in terms that are not accepted.
        (Inactive(active=True, fault=ClaimFault.NO_EXPIRY, claims=("a",)), (True, ("a",), Reason.TOKEN_NO_EXPIRY)),
    ],
)
async def test_an_answer_that_says_no_is_kept_by_the_names_of_its_members(
    fact: Inactive, known: tuple[bool, tuple[str, ...], Reason]
) -> None:
    """operator.md: the claim names, `active`, and no other value."""
    record = await _record(told(fact))
    assert (record.active, record.claims, record.reason) == known
    assert (record.authority, record.token_digest, record.client_id) == ("corp", DIGEST, None)


@pytest.mark.parametrize(
    ("active", "recorded"), [(True, True), (False, False), ("true", None), (1, None), (0, None), (None, None)]
)
async def test_active_is_recorded_as_it_was_said(active: JsonValue, recorded: bool | None) -> None:  # noqa: FBT001 - a column
    """RFC 7662 §2.2: a boolean. Of what is none the record says nothing, least of all yes."""
    said = read_claims({"active": active, "exp": NOW + 600}, Expected(issuer=GRANT.issuer))
    fact = Active(grant=said, as_of=NOW) if isinstance(said, Grant) else said
    assert (await _record(told(fact))).active is recorded


@pytest.mark.parametrize("cause", list(Cause))
@pytest.mark.requirement("edge-3")
async def test_could_not_tell_says_who_did_not_and_why(cause: Cause) -> None:
    """Conventions 3; edge case 3: the log has the error, and says nothing of `active`."""
    record = await _record(told(Unavailable(cause=cause, note="for operators")))
    assert (record.verdict, record.status, record.active) == (VerdictLabel.UNAVAILABLE, 503, None)
    assert record.reason in {Reason.AUTHORITY_UNAVAILABLE, Reason.AUTHORITY_OVERLOADED}
    assert (record.authority, record.authority_seconds) == ("corp", 0.25)
    assert record.steps[-1].outcome is StepOutcome.UNAVAILABLE
    assert cause in record.steps[-1].note


async def test_without_a_route_there_is_the_request_alone() -> None:
    """Conventions 4: an unmatched route denies, and has its own reason."""
    record = await _record(path="/nowhere")
    assert (record.verdict, record.status, record.reason) == (VerdictLabel.DENY, 404, Reason.ROUTE_UNMATCHED)
    told_of_a_route = ("route", "gateway", "resource", "disclosure", "authority", "token_digest")
    assert {name: getattr(record, name) for name in told_of_a_route} == dict.fromkeys(told_of_a_route)
    assert record.steps == ()


async def test_what_a_client_may_read_is_said_where_it_was_refused() -> None:
    """operator.md: disclosure shown."""
    generic = replace(ROUTE, policy=replace(ROUTE.policy, disclosure=Disclosure.GENERIC))
    assert (await _record(token=False, route=generic)).disclosure is Disclosure.GENERIC
    assert (await _record(route=generic)).disclosure is None


@pytest.mark.parametrize("answer", [YES, told(INACTIVE), told(Unavailable(cause=Cause.TIMEOUT))])
async def test_no_header_of_the_request_is_in_a_record(answer: Told) -> None:
    """operator.md: never a token, a secret, a body."""
    record = await _record(answer)
    held = repr(tuple(record)).encode() + to_json(record)
    assert b"canary" not in held
    assert DIGEST.encode() in held


def test_every_reason_that_is_composed_has_a_status_for_the_record() -> None:
    """Ours: 0 would be no answer; the edge's reasons are recorded as they were sent, by another hand."""
    without = {reason for reason, row in CONSEQUENCES.items() if row.status is None}
    assert without == {reason for reason in Reason if reason.startswith("edge-")}
