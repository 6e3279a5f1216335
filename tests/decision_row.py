"""What a row of the decision table is, and the routes that it speaks of, written as a configuration file has them.

A key that is left out of a route has the default of the contract. Upstreams and the URLs of the authorities are the
runner's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.oauth.json import JsonValue

PUBLIC_URL: Final = "https://bkapi.example.com"
METADATA_URL: Final = PUBLIC_URL + "/.well-known/oauth-protected-resource"
MCP_PATHS: Final = {"bk-apigateway": {"base": "", "stage": "prod"}}

# What an authorization server of the table does. All are `kind: rfc7662`, with the contract's defaults.
ANSWERS: Final = "corp"
AWAY: Final = "away"  # nobody listens there
BUSY: Final = "busy"  # too many questions to it wait already; the chain alone can be told so

# A third-party plugin that raises; only a runner that can install plugins has it.
RAISES: Final = "example-raises"


class TokenState(StrEnum):
    """What the authority says of a token."""

    GOOD = "good"
    EXPIRED = "expired"
    REVOKED = "revoked"
    UNKNOWN = "unknown"
    MALFORMED = "malformed"  # no b64token: `malformed` says what is sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What a bearer token is.

    Attributes:
        client: whom it was issued to; "" for an answer that names nobody.
        subject: the user it is for; None for a client of its own accord.
        lifetime_seconds: None: the answer has no `exp`.
        claims: members of the introspection answer, whatever they would be otherwise.
        claims_from_now: the same, in seconds from now.
        malformed: what is sent where the state is `malformed`.
    """

    client: str = "reader"
    subject: str | None = "alice"
    audience: tuple[str, ...] = ("gateway:my-gateway/api:my-api",)
    scopes: tuple[str, ...] = ()
    lifetime_seconds: int | None = 600
    state: TokenState = TokenState.GOOD
    claims: Mapping[str, JsonValue] = field(default_factory=dict)
    claims_from_now: Mapping[str, int] = field(default_factory=dict)
    malformed: str = ""


def _route(gateway: str, resource: str, path: str, **settings: JsonValue) -> Mapping[str, JsonValue]:
    own: dict[str, JsonValue] = {"gateway": gateway, "resource": resource, "match": {"path": path}}
    return MappingProxyType(own | {"authorization_server": ANSWERS} | settings)


_SHIPPED_ORDER: Final[list[JsonValue]] = [
    "bk-oauth2-protected-resource",
    "bk-oauth2-verify",
    "bk-auth-validate",
    "bk-oauth2-audience-validate",
    "bk-oauth2-scope-validate",
]

ROUTES: Final[Mapping[str, Mapping[str, JsonValue]]] = {
    "plain": _route("my-gateway", "my-api", "/my-gateway/prod/plain"),
    "generic": _route("my-gateway", "my-api", "/my-gateway/prod/generic", disclosure="generic"),
    "inserted": _route("my-gateway", "my-api", "/my-gateway/prod/inserted", metadata_url="inserted"),
    "scoped": _route("my-gateway", "my-api", "/my-gateway/prod/scoped", scopes=["files.read", "files.delete"]),
    "machine": _route(
        "my-gateway", "my-api", "/my-gateway/prod/machine", auth={"app_required": True, "user_required": False}
    ),
    "nobody": _route(
        "my-gateway", "my-api", "/my-gateway/prod/nobody", auth={"app_required": False, "user_required": False}
    ),
    "bare": _route("my-gateway", "my-api", "/my-gateway/prod/bare", accept_bare_gateway=True),
    "resource": _route("my-gateway", "my-api", "/my-gateway/prod/resource", resource_audience=True),
    "away": _route("my-gateway", "my-api", "/my-gateway/prod/away", authorization_server=AWAY),
    "busy": _route("my-gateway", "my-api", "/my-gateway/prod/busy", authorization_server=BUSY),
    "unasked": _route("my-gateway", "my-api", "/my-gateway/prod/unasked", authorization_server=None),
    "broken": _route("my-gateway", "my-api", "/my-gateway/prod/broken", plugins=[RAISES, *_SHIPPED_ORDER]),
    "servers": _route("bk-apigateway", "mcp-proxy", "/prod/api/v2/mcp-servers"),
    "servers-only": _route(
        "bk-apigateway",
        "mcp-proxy",
        "/prod/api/v2/mcp-servers/narrow",
        audiences=["mcp_server"],
        resource_audience=True,
    ),
    "gateways-only": _route("bk-apigateway", "mcp-proxy", "/prod/api/v2/mcp-servers/wide", audiences=["gateway"]),
    "endpoint": _route("bk-apigateway", "mcp-proxy", "/prod/api/v2/mcp-servers/my/mcp", protocol="mcp"),
    "step-up": _route(
        "bk-apigateway", "mcp-proxy", "/prod/api/v2/mcp-servers/step-up", protocol="mcp", scopes=["tools.call"]
    ),
    "beside": _route("bk-apigateway", "stages", "/prod/api/v2/stages"),
    "deeper": _route("bk-apigateway", "stages", "/deeper"),
    "elsewhere": _route("my-gateway", "my-api", "/elsewhere/prod/api/v2/mcp-servers"),
}

Headers = tuple[tuple[str, str], ...]

BEARER: Final[Headers] = (("Authorization", "Bearer {token}"),)
LEGACY: Final[Headers] = (("X-Bkapi-Authorization", '{"bk_app_code": "reader", "bk_app_secret": "s"}'),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One request and what it comes to.

    Attributes:
        name: a slug, unique.
        path: as sent, canonical: below the route's path.
        headers: `{token}` stands for the token.
        verdict: `allow`, `deny` or `unavailable`.
        reason: None for `allow`.
        status: 200: the upstream's own answer.
        requirements: what the row shows, by the ids of `tests/conformance/requirements.py`.
        both_present: the gateway's setting; a door with another one skips the row.
        chain_only: why no door can be brought to it; None: every door runs it.
    """

    name: str
    route: str
    path: str
    method: str = "GET"
    headers: Headers = BEARER
    token: Token = field(default_factory=Token)
    verdict: str = "deny"
    reason: str | None = None
    status: int = 403
    requirements: tuple[str, ...] = ()
    both_present: str = "legacy"
    chain_only: str | None = None
