"""The decision record: all that an operator may learn of one decision, and nothing that opens a door.

It is made on the request path, where it costs one constructor call; it is bounded, made safe to print and written as
JSON where it is sent. Never a token, a secret or a body.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from ostiary.decision.facts import Door
    from ostiary.decision.reasons import Reason
    from ostiary.decision.routes import Disclosure
    from ostiary.decision.verdict import VerdictLabel
    from ostiary.plugins.drivers import Step

MAX_TEXT: Final = 256


class RecordSource(StrEnum):
    """Who refused or admitted."""

    JUDGE = "judge"
    EDGE = "edge"  # Envoy itself, perhaps after the judge had allowed


class DecisionRecord(NamedTuple):
    """One decision.

    Attributes:
        reference: the request id.
        time: wall clock in seconds when the request arrived.
        method, path, peer: of the request; the path normalised, without its query.
        status: of the answer; 200 for an allow.
        disclosure: how much of the reason was shown; None where nothing was composed.
        authority: the name of the authorization server that was asked.
        subject: as the authority said it. Whoever sends the record replaces it.
        token_digest: the first 12 hex digits of the token's SHA-256.
        claims: names of the members of the authority's answer.
        active: what the authority said; None: nothing.
        exp: seconds since the epoch.
        audience: all entries; only the first 100 are written. None: the token has none.
        audience_total: how many there were before they were cut; 0: count them.
        cache: `hit`, `miss`, `inactive-hit` or `coalesced`.
        authority_seconds, total_seconds: how long the authority and all of it took.
        steps: of the chain, in their order.
    """

    reference: str
    time: float
    door: Door
    method: str
    path: str
    verdict: VerdictLabel
    status: int
    source: RecordSource = RecordSource.JUDGE
    reason: Reason | None = None
    disclosure: Disclosure | None = None
    route: str | None = None
    gateway: str | None = None
    resource: str | None = None
    peer: str = ""
    authority: str | None = None
    client_id: str | None = None
    subject: str | None = None
    token_digest: str | None = None
    token_type: str | None = None
    active: bool | None = None
    exp: float | None = None
    scopes: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    audience: tuple[str, ...] | None = None
    audience_total: int = 0
    cache: str | None = None
    authority_seconds: float | None = None
    total_seconds: float = 0.0
    steps: tuple[Step, ...] = ()

    def __repr__(self) -> str:
        """Nothing but the reference: a person may be in the rest."""
        return f"DecisionRecord(reference={self.reference!r}, …)"


def visible(text: str, limit: int = MAX_TEXT) -> str:
    """Text from the wire as a terminal or a log line may hold it: nothing unprintable, at most `limit` characters.

    Control characters, line ends, lone surrogates and characters that turn the direction of writing become escapes.
    """
    if not text.isprintable():
        text = "".join([each if each.isprintable() else ascii(each)[1:-1] for each in text[:limit]])
    return text if len(text) <= limit else text[: limit - 1] + "…"
