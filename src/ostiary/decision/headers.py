"""Header names that mean something to us: who may send them, who may see them. One table for every door."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ostiary.oauth.credentials import LEGACY_AUTHORIZATION

if TYPE_CHECKING:
    from collections.abc import Iterable

# Set by us for the upstream on every judged and allowed request, empty where there is nothing to say.
IDENTITY: Final = ("x-bkapi-jwt", "x-bkapi-app", "x-bkapi-user")

# What a plugin sees of a request is what Envoy hands to the decision service, at every door, without credentials.
_HANDED_ON: Final = frozenset({b"x-request-id", b"origin", b"content-type", b"upgrade"})
_HANDED_ON_PREFIX: Final = b"mcp-"

# A client has no business with these, in any spelling: `X_Bkapi_Jwt` reaches a WSGI application as `HTTP_X_BKAPI_JWT`.
_MANAGED: Final = re.compile(
    rb"x[^a-z0-9]+(bkapi[^a-z0-9]+(jwt|app|user|request|error).*"
    rb"|(ostiary|envoy|forwarded|original|rewrite|real)([^a-z0-9]+.*)?"
    rb"|request[^a-z0-9]+id)"
)
_MISSPELT_LEGACY: Final = re.compile(rb"x[^a-z0-9]+bkapi[^a-z0-9]+authorization")
# Whom the request is from, a proxy for CGI (RFC 3875 §4.1.18), and another method than the one that was judged.
_MANAGED_EXACT: Final = frozenset(
    {
        b"forwarded",
        b"true-client-ip",
        b"x-client-ip",
        b"proxy",
        b"x-http-method",
        b"x-http-method-override",
        b"x-method-override",
    }
)


def handed_on(headers: Iterable[tuple[bytes, bytes]]) -> tuple[tuple[bytes, bytes], ...]:
    """Those that a plugin may see; names in lower case."""
    return tuple([pair for pair in headers if pair[0] in _HANDED_ON or pair[0].startswith(_HANDED_ON_PREFIX)])


def is_managed(name: bytes) -> bool:
    """Whether a client's header of this name is removed before the application; `name` in lower case."""
    return (
        name in _MANAGED_EXACT
        or _MANAGED.fullmatch(name) is not None
        or (name != LEGACY_AUTHORIZATION and _MISSPELT_LEGACY.fullmatch(name) is not None)
    )
