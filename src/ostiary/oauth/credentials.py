"""Credentials as they were presented (RFC 6750 §2.1, RFC 9110 §11.6.2; spec 002 FR-002, FR-003).

Parsed once, before the chain. What travels on is *what kind* was there (`Presented`), never a value; the raw token
is handed only to the plugin that introspects it. Tokens in a query or a body are never read.
"""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection

AUTHORIZATION: Final = b"authorization"
LEGACY_AUTHORIZATION: Final = b"x-bkapi-authorization"
CREDENTIALS: Final = frozenset({AUTHORIZATION, LEGACY_AUTHORIZATION})

MAX_TOKEN_BYTES: Final = 8 * 1024
# RFC 6750 §2.1: b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
_B64TOKEN: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*", re.ASCII)


class Presented(StrEnum):
    """What the two credential headers held; detection reads this and nothing else."""

    NONE = "none"  # absent, empty, another scheme, or `Bearer` with nothing behind it
    BEARER = "bearer"
    LEGACY = "legacy"
    BOTH = "both"
    MALFORMED = "malformed"  # cannot be read in one way: two legacy fields, or Bearer beside another credential


class RawToken:
    """A bearer token as it was sent, of any syntax. Shows nothing of itself; `reveal` is the only way in."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The token itself: for the authority that is asked about it, and for a keyed hash."""
        return self._value

    @property
    def is_b64token(self) -> bool:
        """Whether it has RFC 6750's syntax and at most 8 KiB; nothing else about it is checked."""
        return len(self._value) <= MAX_TOKEN_BYTES and _B64TOKEN.fullmatch(self._value) is not None

    def digest(self) -> TokenDigest:
        """What a record may say of the token."""
        return TokenDigest(hashlib.sha256(self._value.encode("latin-1", "replace")).hexdigest()[:12])

    def __eq__(self, other: object) -> bool:
        """Equal by value; not a comparison with a secret of ours."""
        return self._value == other._value if isinstance(other, RawToken) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "RawToken(…)"


class TokenDigest(str):
    """The first 12 hex digits of a token's SHA-256: enough to find it again, too little to use it."""

    __slots__ = ()


class RawLegacy:
    """The value of `X-Bkapi-Authorization`, unparsed. Shows nothing of itself."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        """The header's bytes, for the plugin that verifies legacy credentials."""
        return self._value

    def __repr__(self) -> str:
        return "RawLegacy(…)"


class Credentials(NamedTuple):
    """Both credential headers, read. At most one value: of `both`, only the legacy one, which wins."""

    presented: Presented
    bearer: RawToken | None = None
    legacy: RawLegacy | None = None


NO_CREDENTIALS: Final = Credentials(presented=Presented.NONE)
_MALFORMED: Final = Credentials(presented=Presented.MALFORMED)
# Until Python 3.12 a member that is read from its class costs as much as the rest of the parsing.
_BEARER: Final = Presented.BEARER


def parse_credentials(headers: Collection[tuple[bytes, bytes]]) -> Credentials:
    """Read the two credential headers.

    Args:
        headers: pairs of a lower-case name and a value, in the order of the wire.
    """
    alone = dict(headers)
    if len(alone) == len(headers) and LEGACY_AUTHORIZATION not in alone:
        # What nearly every request has; all below would come to the same.
        value = alone.get(AUTHORIZATION)
        return NO_CREDENTIALS if value is None else _parse_authorization([value])
    authorization = [value for name, value in headers if name == AUTHORIZATION]
    legacy = [value.strip(b" \t") for name, value in headers if name == LEGACY_AUTHORIZATION]
    if len(legacy) > 1:  # even if one is empty: two readers could pick two values
        return _MALFORMED
    bearer = _parse_authorization(authorization)
    if legacy and legacy[0]:
        presented = Presented.LEGACY if bearer.presented is Presented.NONE else Presented.BOTH
        return Credentials(presented=presented, legacy=RawLegacy(legacy[0]))
    return bearer


def _parse_authorization(values: list[bytes]) -> Credentials:
    """RFC 9110 §5.3: several fields are one, joined with a comma; Envoy has done so, and dropped the empty ones."""
    present = values if len(values) == 1 else [value for value in values if value.strip(b" \t")]
    field = b",".join(present).decode("latin-1").strip(" \t")
    if "," in field:
        mixed = any(_split(part.strip(" \t"))[0] for part in field.split(","))
        return _MALFORMED if mixed else NO_CREDENTIALS
    is_bearer, token = _split(field)
    return Credentials(_BEARER, RawToken(token)) if is_bearer and token else NO_CREDENTIALS


def _split(part: str) -> tuple[bool, str]:
    """Whether the scheme is Bearer, in any case, and what is behind it. RFC 9110 §11.1: it ends at SP, not at a tab."""
    scheme, _, rest = part.partition(" ")
    return scheme.lower() == "bearer", rest.lstrip(" ")
