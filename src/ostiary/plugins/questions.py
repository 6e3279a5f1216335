"""What a plugin may ask of the world, and the facts it is resumed with. Asking is the driver's; no I/O here."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ostiary.oauth.introspection import Active, Inactive, Unavailable

if TYPE_CHECKING:
    from collections.abc import Generator

    from ostiary.oauth.credentials import RawToken


class UnexpectedFactError(Exception):
    """A driver resumed a question with another question's fact: a broken invariant, 503 `plugin-failed`."""


class Introspect(NamedTuple):
    """Whether a token is active, and what is granted by it (RFC 7662).

    Attributes:
        authority: the name of the authorization server to ask, from the route.
    """

    authority: str
    token: RawToken

    def ask(self) -> Generator[Introspect, Fact, IntrospectionFact]:
        """Ask, and be typed to this question's facts alone: `fact = yield from Introspect(…).ask()`."""
        fact = yield self
        if not isinstance(fact, (Active, Inactive, Unavailable)):
            raise UnexpectedFactError("Introspect was resumed with another question's fact")
        return fact


IntrospectionFact = Active | Inactive | Unavailable

Question = Introspect
Fact = IntrospectionFact
