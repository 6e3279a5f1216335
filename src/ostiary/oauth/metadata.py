"""Metadata documents: what a protected resource says of itself (RFC 9728), what an authority says (RFC 8414)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ostiary.oauth.json import JsonFault, JsonValue, parse_object

if TYPE_CHECKING:
    from collections.abc import Mapping

WELL_KNOWN_RESOURCE: Final = "/.well-known/oauth-protected-resource"
DEVELOPMENT_MARK: Final = "ostiary_development"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceMetadata:
    """RFC 9728 §2, the fields that we know how to fill.

    Attributes:
        resource: the resource identifier; clients compare it with the URL they used (§3.3), to the letter.
    """

    resource: str
    authorization_servers: tuple[str, ...]
    scopes_supported: tuple[str, ...] = ()
    resource_name: str | None = None
    resource_documentation: str | None = None

    def to_json(self) -> bytes:
        """The document; members without a value are left out (§3.2)."""
        members: dict[str, JsonValue] = {
            "resource": self.resource,
            "authorization_servers": list(self.authorization_servers),
            "bearer_methods_supported": ["header"],
        }
        if self.scopes_supported:
            members["scopes_supported"] = list(self.scopes_supported)
        if self.resource_name is not None:
            members["resource_name"] = self.resource_name
        if self.resource_documentation is not None:
            members["resource_documentation"] = self.resource_documentation
        return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationServerMetadata:
    """RFC 8414 §2, what we read of it. `development` marks the embedded server, which no production may trust."""

    issuer: str
    introspection_endpoint: str | None
    development: bool


def discovery_urls(issuer: str) -> tuple[str, str]:
    """Where an issuer's metadata may lie: RFC 8414 §3.1 (before the path), then OpenID discovery (behind it)."""
    url = urlsplit(issuer)
    origin = url.scheme + "://" + url.netloc
    path = url.path.rstrip("/")
    return (
        origin + "/.well-known/oauth-authorization-server" + path,
        origin + path + "/.well-known/openid-configuration",
    )


def parse_server_metadata(body: bytes, issuer: str) -> AuthorizationServerMetadata | None:
    """Read a metadata document; None when it is not one, or is another issuer's (RFC 8414 §3.3)."""
    try:
        document = parse_object(body)
    except JsonFault:
        return None
    if document.get("issuer") != issuer:
        return None
    endpoint = _text(document, "introspection_endpoint")
    return AuthorizationServerMetadata(
        issuer=issuer, introspection_endpoint=endpoint, development=document.get(DEVELOPMENT_MARK) is True
    )


def _text(document: Mapping[str, JsonValue], name: str) -> str | None:
    value = document.get(name)
    return value if isinstance(value, str) else None
