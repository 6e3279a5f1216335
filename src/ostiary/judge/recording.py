"""What a decision leaves behind: one constructor call on the request path, from values that are there anyway."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from ostiary.decision.reasons import CONSEQUENCES
from ostiary.decision.verdict import Deny
from ostiary.diagnostics.record import DecisionRecord
from ostiary.oauth.introspection import Active, Grant, Inactive

if TYPE_CHECKING:
    from ostiary.authorities import Told
    from ostiary.decision.facts import RequestFacts
    from ostiary.decision.routes import Route
    from ostiary.decision.verdict import Verdict
    from ostiary.plugins.drivers import Walked
    from ostiary.plugins.questions import Fact

_OK: Final = 200
_NOTHING: Final = Grant(issuer="")
# Not the class itself: docs/adr/values-of-a-request.md says what its keywords cost.
_record: Final = partial(DecisionRecord.__new__, DecisionRecord)


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
    fact = None if told is None else told.fact
    grant = fact.grant if isinstance(fact, Active) else _NOTHING
    return _record(
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
        client_id=grant.client_id,
        subject=grant.subject,
        token_digest=None if walked is None else walked.exchange.token_digest,
        token_type=grant.token_type,
        active=_said_active(fact),
        exp=grant.expires_at,
        scopes=grant.scopes,
        claims=fact.claims if isinstance(fact, Inactive) else grant.claims,
        audience=grant.audience,
        cache=None if told is None else told.cache,
        authority_seconds=None if told is None else told.authority_seconds,
        total_seconds=seconds,
        steps=() if walked is None else walked.steps,
    )


def _said_active(fact: Fact | None) -> bool | None:
    """What the authority said of `active`; None: nothing, or what is no boolean."""
    if isinstance(fact, Active):
        return True
    return fact.active if isinstance(fact, Inactive) else None
