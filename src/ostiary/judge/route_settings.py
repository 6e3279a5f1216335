"""The section `routes`, as it is written. What several routes mean together is `route_rules`'."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, JsonValue

from ostiary.config import HttpUrl, LiftableDuration, OriginUrl, RootSettings, Settings, Table, expected, later
from ostiary.config.settings import LATER_HINT, NOT_IN_THIS_VERSION, refused
from ostiary.decision.routes import (
    USUAL_METHODS,
    AudienceKind,
    Disclosure,
    MetadataLocation,
    RouteProtocol,
    Upstream,
)
from ostiary.judge.gateway_settings import Unbuilt, UnbuiltList, matching, only_empty
from ostiary.oauth.scopes import is_scope_token

_ROUTE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NAME = re.compile(r"[^\s:/*\x00-\x1f\x7f]{1,128}")
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]")
# RFC 3986 §2.3 unreserved alone: any other character may be sent escaped, which Envoy keeps and an upstream decodes;
# then `/a%3Ab` would be judged by a broader route than `/a:b`.
_PATH = re.compile(r"/|(/[A-Za-z0-9\-._~]+)+")
_UPSTREAM_PORTS = {"http": 80, "https": 443, "h2c": 80}

RouteName = Annotated[
    str, matching(_ROUTE_NAME, "a name such as `billing`", "Letters, digits, `.`, `_`, `-`; up to 64.")
]
Name = Annotated[str, matching(_NAME, "a name without `:`, `/`, `*` and blanks", "It stands in audience entries.")]


def _path(text: str) -> str:
    if _PATH.fullmatch(text) is None or {".", ".."} & set(text.split("/")):
        raise expected(
            "a path such as `/my-gateway/prod/billing`",
            "Whole segments of letters, digits, `-`, `.`, `_`, `~`; no slash at the end, no dot segments.",
        )
    return text


def _method(text: str) -> str:
    if text not in USUAL_METHODS:
        raise expected("one of " + ", ".join(USUAL_METHODS), "In upper case. TRACE and CONNECT are never forwarded.")
    return text


def _scope(text: str) -> str:
    if not is_scope_token(text):
        raise expected("a scope", 'RFC 6749 §3.3: visible ASCII without `"` and `\\`, no blanks.')
    return text


def parse_upstream(text: str) -> Upstream | None:
    """`http://host:port`, `https://…` or `h2c://…`, and nothing behind it; None for anything else."""
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        return None
    if url.scheme not in _UPSTREAM_PORTS or not url.hostname or text != f"{url.scheme}://{url.netloc}":
        return None
    if "@" in url.netloc or port == 0 or not text.isascii():
        return None
    return Upstream(scheme=url.scheme, host=url.hostname, port=port or _UPSTREAM_PORTS[url.scheme])


def _upstream(text: str) -> str:
    if text.startswith("role:"):
        raise refused(NOT_IN_THIS_VERSION, LATER_HINT)
    if parse_upstream(text) is None:
        raise expected(
            "an upstream such as `http://127.0.0.1:9001`", "`http`, `https` or `h2c`, host and port, no path."
        )
    return text


Scope = Annotated[str, AfterValidator(_scope)]


class MatchSettings(Settings):
    """Which requests."""

    path: Annotated[str, AfterValidator(_path)]
    methods: Annotated[frozenset[Annotated[str, AfterValidator(_method)]], Field(min_length=1)] | None = None
    host: Annotated[str, matching(_HOST, "a host name in lower case, without a port", "`api.example.com`")] | None = (
        None
    )


class AuthSettings(Settings):
    """Whom the route demands."""

    app_required: bool = True
    user_required: bool = True


class RouteMetadataSettings(Settings):
    """What the metadata document says beyond what follows from the route."""

    scopes_supported: tuple[Scope, ...] = ()
    resource_name: str | None = None
    resource_documentation: HttpUrl | None = None


class McpSettings(Settings):
    """How an MCP server's bodies are judged."""

    origins: UnbuiltList = ()
    max_body: Annotated[str, later("1MiB")] = "1MiB"
    tools: Annotated[Table[JsonValue], AfterValidator(only_empty)] = Field(default={}, validate_default=True)


class RouteSettings(Settings):
    """One published resource."""

    name: RouteName
    gateway: Name
    resource: Name
    match: MatchSettings
    public_url: OriginUrl | None = None
    upstream: Annotated[str, AfterValidator(_upstream)] | None = None
    publish_internal: Annotated[bool, later(False)] = False  # noqa: FBT003 - the value that is allowed
    strip_prefix: bool = False
    authorization_server: str | None = None
    protocol: RouteProtocol = RouteProtocol.HTTP
    auth: AuthSettings = AuthSettings()
    scopes: tuple[Scope, ...] = ()
    audiences: Annotated[frozenset[AudienceKind], Field(min_length=1)] | None = None
    resource_audience: bool | None = None
    accept_bare_gateway: bool = False
    disclosure: Disclosure = Disclosure.REASON
    plugins: tuple[str, ...] | None = None
    metadata_url: MetadataLocation = MetadataLocation.QUERY
    metadata: RouteMetadataSettings = RouteMetadataSettings()
    identity_headers: UnbuiltList = ()
    mcp: McpSettings = Field(default_factory=McpSettings)
    cors: Unbuilt = None
    upstream_timeout: LiftableDuration | None = None
    body_bytes: Unbuilt = None
    max_stream: Unbuilt = None
    unsafe_anonymous: bool = False
    unsafe_forward_token: bool = False


class RoutesSettings(RootSettings[tuple[RouteSettings, ...]]):
    """All routes; their order means nothing."""
