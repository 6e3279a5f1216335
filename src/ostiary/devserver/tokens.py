"""Clients, tokens and where they are remembered: in memory, bounded, for as long as the process lives."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import sha256
from threading import Lock
from typing import TYPE_CHECKING, Final

from ostiary.oauth.scopes import parse_scope

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ostiary.oauth.json import JsonValue

MAX_TOKENS: Final = 100_000
_TOKEN_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A confidential client (RFC 6749 §2.1). It may also introspect every token: this is a development server.

    Attributes:
        scopes: what it may ask for at the token endpoint, and what it gets when it asks for nothing.
    """

    client_id: str
    secret: str = field(repr=False)
    scopes: tuple[str, ...] = ()

    def check_grant_type(self, grant_type: str) -> bool:
        """Authlib's question before a grant: there is one grant."""
        return grant_type == "client_credentials"

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """Authlib's question for the scope of a token (RFC 6749 §3.3); None refuses with `invalid_scope`."""
        asked = self.scopes if scope is None else parse_scope(scope)
        return " ".join(asked) if asked is not None and set(asked) <= set(self.scopes) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What is known of an access token.

    Attributes:
        expires_at: seconds since the epoch; None for never.
        answer: the members of its introspection answer, all but `active` and `iss`.
    """

    client_id: str
    expires_at: int | None
    answer: Mapping[str, JsonValue]

    def check_client(self, client: Client) -> bool:
        """Authlib's question before a revocation (RFC 7009 §2.1): whether the token was issued to that client."""
        return self.client_id == client.client_id


class TokenStore:
    """Living tokens by the digest of their value, and how often each value was asked about. Safe between threads.

    Args:
        clock: seconds since the epoch.
        max_tokens: beyond it the oldest are forgotten, tokens and counts alike.
    """

    def __init__(self, *, clock: Callable[[], float], max_tokens: int) -> None:
        self._clock = clock
        self._max_tokens = max_tokens
        self._tokens: OrderedDict[bytes, Token] = OrderedDict()
        self._asked: OrderedDict[bytes, int] = OrderedDict()
        self._introspections = 0
        self._lock = Lock()

    @property
    def introspections(self) -> int:
        """How many introspection requests there were."""
        return self._introspections

    def introspections_of(self, value: str) -> int:
        """How many of them were about one token value."""
        with self._lock:
            return self._asked.get(_digest(value), 0)

    def count_introspection(self, value: str | None) -> None:
        """One more introspection request; `value` is None when it named no token."""
        with self._lock:
            self._introspections += 1
            if value is not None:
                digest = _digest(value)
                self._asked[digest] = self._asked.get(digest, 0) + 1
                _trim(self._asked, self._max_tokens)

    def issue(  # the members of an introspection answer
        self,
        value: str,
        *,
        client_id: str,
        subject: str | None,
        audience: tuple[str, ...],
        scope: str,
        lifetime_seconds: int | None,
        claims_override: Mapping[str, JsonValue],
    ) -> None:
        """Remember a token from now on."""
        now = int(self._clock())
        expires_at = None if lifetime_seconds is None else now + lifetime_seconds
        members: dict[str, JsonValue] = {
            "client_id": client_id,
            "token_type": "Bearer",
            "iat": now,
            "exp": expires_at,
            "sub": subject,
            "scope": scope or None,
            "aud": list(audience) or None,
        }
        answer = {name: member for name, member in members.items() if member is not None} | dict(claims_override)
        with self._lock:
            self._tokens[_digest(value)] = Token(client_id=client_id, expires_at=expires_at, answer=answer)
            _trim(self._tokens, self._max_tokens)

    def find(self, value: str) -> Token | None:
        """A token that is known, not revoked and not expired."""
        with self._lock:
            token = self._tokens.get(_digest(value))
        expired = token is not None and token.expires_at is not None and token.expires_at <= self._clock()
        return None if expired else token

    def revoke(self, value: str) -> None:
        """Forget a token; values are random, so none comes back."""
        with self._lock:
            self._tokens.pop(_digest(value), None)


def new_token() -> str:
    """An opaque access token: 256 random bits as base64url."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def _digest(value: str) -> bytes:
    return sha256(value.encode()).digest()


def _trim(entries: OrderedDict[bytes, Token] | OrderedDict[bytes, int], limit: int) -> None:
    while len(entries) > limit:
        entries.popitem(last=False)
