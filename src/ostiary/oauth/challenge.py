"""The `WWW-Authenticate` challenge of a protected resource (RFC 6750 §3, RFC 9728 §5.1; spec 002 FR-004)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import quote

# RFC 6750 §3: scope is %x21 / %x23-5B / %x5D-7E and SP; error and error_description have SP as well. No `"`, no `\`.
_PLAIN: Final = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+")
_QUOTABLE: Final = re.compile(r"[\x20-\x7e]*")  # RFC 9110 §5.6.4, ASCII only
_PATH_DELIMITERS: Final = "/%:@!$&'()*+,;="  # RFC 3986 §3.3 pchar and `/`; `%` stays, the path is escaped already


class BearerError(StrEnum):
    """RFC 6750 §3.1; there are no others."""

    INVALID_REQUEST = "invalid_request"
    INVALID_TOKEN = "invalid_token"  # noqa: S105 - a name from the RFC
    INSUFFICIENT_SCOPE = "insufficient_scope"


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """One Bearer challenge.

    Attributes:
        resource_metadata: where the protected resource metadata lies, an absolute URL.
        error: None when no credentials were sent (RFC 6750 §3.1, last paragraph).
        scopes: all scopes that are needed, not the missing ones.
        error_description: for developers; only where the door discloses reasons.
    """

    resource_metadata: str
    error: BearerError | None = None
    error_description: str | None = None
    scopes: tuple[str, ...] = ()

    def to_header(self) -> str:
        """The field value.

        Raises:
            ValueError: a text that RFC 6750 §3 cannot carry; configuration is checked, so this is a broken invariant.
        """
        parameters = [("resource_metadata", _quoted(self.resource_metadata))]
        if self.error is not None:
            parameters.append(("error", _plain(self.error)))
        if self.error_description is not None:
            parameters.append(("error_description", _plain(self.error_description)))
        if self.scopes:
            parameters.append(("scope", _plain(" ".join(self.scopes))))
        return "Bearer " + ", ".join([name + "=" + value for name, value in parameters])


def metadata_query_url(origin: str, path: str) -> str:
    """FR-004's location: the whole path as one query value, every byte outside RFC 3986 *unreserved* escaped.

    Any text will do: what a client wrote in a path never makes its refusal fail.
    """
    return origin + "/.well-known/oauth-protected-resource?resource=" + quote(path, safe="", errors="replace")


def metadata_inserted_url(origin: str, path: str) -> str:
    """RFC 9728 §3.1's location: the path behind the well-known name; a bare `/` adds nothing.

    Escapes stay as they are; what may not stand in a URL is escaped, so that any text will do.
    """
    inserted = quote(path, safe=_PATH_DELIMITERS, errors="replace")
    return origin + "/.well-known/oauth-protected-resource" + ("" if path == "/" else inserted)


def _plain(text: str) -> str:
    if _PLAIN.fullmatch(text) is None:
        raise ValueError("RFC 6750 §3 does not allow a character of this parameter")
    return '"' + text + '"'


def _quoted(text: str) -> str:
    if _QUOTABLE.fullmatch(text) is None:
        raise ValueError("a quoted-string holds visible ASCII and spaces here")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
