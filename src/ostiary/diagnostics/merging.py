"""Two records of one request become one; and what Envoy refused by itself becomes a record.

An MCP POST is asked twice, head and body; Envoy may refuse what the judge allowed. Whichever arrives first.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from ostiary.decision.facts import Door
from ostiary.decision.verdict import VerdictLabel
from ostiary.diagnostics.record import DecisionRecord, RecordSource

if TYPE_CHECKING:
    from ostiary.decision.reasons import Reason


def edge_record(
    *,
    reference: str,
    time: float,
    status: int,
    reason: Reason,
    method: str = "",
    path: str = "",
    route: str | None = None,
    peer: str = "",
    duration_seconds: float = 0.0,
) -> DecisionRecord:
    """The record of an answer of Envoy's own.

    Args:
        reference: as Envoy gave it.
        time: wall clock in seconds when the request arrived.
        status: as sent; 503 is shown as `unavailable`.
        reason: by the table of code details.
        method, path: "" where Envoy could not parse that far; the path without its query.
        route: the route's name, without its generation.
        peer: the client's address.
        duration_seconds: until the last byte of the answer.
    """
    unavailable = status == HTTPStatus.SERVICE_UNAVAILABLE
    return DecisionRecord(
        reference=reference,
        time=time,
        door=Door.GATEWAY,
        method=method,
        path=path,
        verdict=VerdictLabel.UNAVAILABLE if unavailable else VerdictLabel.DENY,
        status=status,
        source=RecordSource.EDGE,
        reason=reason,
        route=route,
        peer=peer,
        total_seconds=duration_seconds,
    )


def merge(one: DecisionRecord, other: DecisionRecord) -> DecisionRecord:
    """One record of two with the same reference; the order of the two does not matter.

    Two of the judge: the later one, with the steps of both. One of the edge: it adds nothing to a refusal of the judge
    that it passed on; where the client got another answer than the judge gave, that one stands, with all that the judge
    knew.
    """
    first, second = (one, other) if one.time <= other.time else (other, one)
    if first.source is second.source:
        return _joined(first, second) if second.source is RecordSource.JUDGE else first
    judged, edge = (one, other) if one.source is RecordSource.JUDGE else (other, one)
    if judged.verdict is not VerdictLabel.ALLOW and judged.status == edge.status:
        return judged
    return judged._replace(
        source=RecordSource.EDGE,
        verdict=edge.verdict,
        status=edge.status,
        reason=edge.reason,
        total_seconds=max(judged.total_seconds, edge.total_seconds),
        steps=first.steps + second.steps,
    )


def _joined(first: DecisionRecord, second: DecisionRecord) -> DecisionRecord:
    """Two answers of the judge: the later has the last word; what it did not ask again the earlier one knew."""
    return second._replace(
        time=first.time,
        authority=second.authority or first.authority,
        client_id=second.client_id or first.client_id,
        subject=second.subject or first.subject,
        token_digest=second.token_digest or first.token_digest,
        token_type=second.token_type or first.token_type,
        active=first.active if second.active is None else second.active,
        exp=first.exp if second.exp is None else second.exp,
        scopes=second.scopes or first.scopes,
        claims=second.claims or first.claims,
        audience=first.audience if second.audience is None else second.audience,
        audience_total=second.audience_total or first.audience_total,
        cache=first.cache or second.cache,
        authority_seconds=_sum(first.authority_seconds, second.authority_seconds),
        total_seconds=first.total_seconds + second.total_seconds,
        steps=first.steps + second.steps,
    )


def _sum(one: float | None, other: float | None) -> float | None:
    return other if one is None else one + (other or 0.0)
