"""What a decision leaves behind: one constructor call on the request path, from values that are there anyway."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.decision.reasons import CONSEQUENCES
from ostiary.decision.verdict import Deny
from ostiary.diagnostics.record import DecisionRecord
from ostiary.oauth.introspection import Active, Inactive

if TYPE_CHECKING:
    from ostiary.authorities import Told
    from ostiary.decision.facts import RequestFacts
    from ostiary.decision.routes import Route
    from ostiary.decision.verdict import Verdict
    from ostiary.oauth.introspection import Grant
    from ostiary.plugins.drivers import Walked

_OK = 200


def compose_record(
    facts: RequestFacts,
    *,
    route: Route | None,
    verdict: Verdict,
    walked: Walked | None,
    told: Told | None,
    time: float,
    seconds: float,
) -> DecisionRecord:
    """The record of one decision.

    Args:
        facts: the request; of its headers nothing goes in.
        route: the matched one, if any.
        verdict: what it came to.
        walked: the end of the chain; None where none was walked.
        told: the last thing an authority said, if one was asked.
        time: wall clock at arrival.
        seconds: how long the decision took.
    """
    reason = verdict.reason if isinstance(verdict, Deny) else None
    policy = None if route is None else route.policy
    exchange = None if walked is None else walked.exchange
    grant = _grant(told)
    active, claims = _answer(told)
    return DecisionRecord(
        reference=facts.reference,
        time=time,
        door=facts.door,
        method=facts.method,
        path=facts.path,
        peer=facts.peer,
        verdict=verdict.label,
        status=_OK if reason is None else CONSEQUENCES[reason].status or 0,
        reason=reason,
        disclosure=None if policy is None or reason is None else policy.disclosure,
        route=None if route is None else route.name,
        gateway=None if policy is None else policy.gateway,
        resource=None if policy is None else policy.resource,
        authority=None if policy is None or told is None else policy.authority,
        client_id=None if grant is None else grant.client_id,
        subject=None if grant is None else grant.subject,
        token_digest=None if exchange is None else exchange.token_digest,
        token_type=None if grant is None else grant.token_type,
        active=active,
        exp=None if grant is None else grant.expires_at,
        scopes=() if grant is None else grant.scopes,
        claims=claims,
        audience=None if grant is None else grant.audience,
        cache=None if told is None else told.cache,
        authority_seconds=None if told is None else told.authority_seconds,
        total_seconds=seconds,
        steps=() if walked is None else walked.steps,
    )


def _grant(told: Told | None) -> Grant | None:
    return told.fact.grant if told is not None and isinstance(told.fact, Active) else None


def _answer(told: Told | None) -> tuple[bool | None, tuple[str, ...]]:
    """What the authority said of `active`, and the names of what else it said."""
    if told is None:
        return None, ()
    if isinstance(told.fact, Active):
        return True, told.fact.grant.claims
    if isinstance(told.fact, Inactive):
        return told.fact.fault is not None, told.fact.claims
    return None, ()
