"""What a tour is made of: chapters of visits. A visit is one request and what it must come to; `tour` has the rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Incident(StrEnum):
    """What happens to the authorization server before a visit."""

    STOPS = "the authorization server is taken down"
    RETURNS = "the authorization server is back"


class Fate(StrEnum):
    """What has become of a token before it is first shown."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"  # nobody issued it


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What a bearer token is. Equal ones are one token, so a second visit with an equal one shows it again.

    Attributes:
        subject: the user it is for; None for a client of its own accord.
        audience: `{origin}` stands for the gateway's.
        lifetime_seconds: negative for one that has expired.
        claimed_seconds: the `exp` that the authorization server claims all the same, from now; None: the true one.
        fresh: any text; makes it another token than one that is equal otherwise.
    """

    client: str = "reader"
    subject: str | None = None
    audience: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    lifetime_seconds: int = 3600
    claimed_seconds: int | None = None
    fate: Fate = Fate.GOOD
    fresh: str = ""


Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request and what it must come to.

    Attributes:
        title: what it shows, for the reader of the tour.
        target: as sent, byte by byte.
        headers: as sent; `{token}` stands for the token.
        expected: facts that must be found, by name; None: the fact must be absent. `facts` says which there are;
            `{origin}` and `{issuer}` stand for the URLs of this run.
        shows: what of spec 002 it shows, by the ids of the requirements.
        before: what happens first.
        patience_seconds: it is tried again for so long until it comes to what is expected: after an outage.
        unjudged: why there is no decision to explain; "" where there is one.
        quoted: the header of the answer that is worth printing.
    """

    title: str
    method: str
    target: str
    headers: Headers = ()
    body: bytes = b""
    token: Token | None = None
    expected: Mapping[str, str | None] = field(default_factory=dict)
    shows: tuple[str, ...] = ()
    before: Incident | None = None
    patience_seconds: float = 0.0
    unjudged: str = ""
    quoted: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """Visits under one heading: a user story, mostly."""

    title: str
    question: str
    visits: tuple[Visit, ...]
