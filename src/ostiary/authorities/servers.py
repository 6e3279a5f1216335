"""What tells one kind of authorization server from another: how it is asked, and how its answer is read. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ostiary.authorities.wire import Answer, Ask
    from ostiary.oauth.credentials import RawToken
    from ostiary.oauth.introspection import Grant, Inactive, Unavailable


class Server(Protocol):
    """An authorization server of some kind."""

    @property
    def endpoint(self) -> str | None:
        """Where it is asked; None: its metadata say."""
        ...

    def to_ask(self, token: RawToken, *, endpoint: str, reference: str) -> Ask:
        """The request about a token.

        Args:
            endpoint: the given one, or the one of its metadata.
            reference: of the request that is judged.
        """
        ...

    def parse(self, answer: Answer) -> Grant | Inactive | Unavailable:
        """What it said."""
        ...
