"""The section `routes`, as it is written. What several routes mean together is `route_rules`'."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, JsonValue, WithJsonSchema

from ostiary.config import (
    HttpUrl,
    LiftableDuration,
    LiftableSize,
    OriginUrl,
    RootSettings,
    Settings,
    Table,
    expected,
    later,
    parse_authority,
)
from ostiary.config.settings import LATER_HINT, NOT_IN_THIS_VERSION, refused
from ostiary.decision.routes import (
    USUAL_METHODS,
    AudienceKind,
    Disclosure,
    MetadataLocation,
    RouteProtocol,
    Upstream,
)
from ostiary.judge.gateway_settings import UnbuiltList, matching, only_empty
from ostiary.oauth.scopes import is_scope_token

_ROUTE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# Letters that nobody sees and that turn no other (Unicode's Default_Ignorable_Code_Point beside category Cf): of two
# names that look alike one would be somebody else's.
_UNSEEN = "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef"
_NAME = re.compile(rf"[^\s:/*{_UNSEEN}]{{1,128}}")
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]")
# RFC 3986 §2.3 unreserved alone: any other character may be sent escaped, which Envoy keeps and an upstream decodes;
# then `/a%3Ab` would be judged by a broader route than `/a:b`.
_PATH = re.compile(r"/|(/[A-Za-z0-9\-._~]+)+")
# No underscore: the listener refuses a request that has one in a name. No `*`: it would not mean Authorization (Fetch).
_HEADER = re.compile(r"[A-Za-z0-9-]+")
_HEADER_PHRASE = "the name of a header such as `content-type`"
_HEADER_HINT = "Letters, digits and `-`; no wildcard, which would not mean `Authorization`."
_WEB_PORTS = {"http": 80, "https": 443}
_UPSTREAM_PORTS = _WEB_PORTS | {"h2c": 80}

RouteName = Annotated[
    str, matching(_ROUTE_NAME, "a name such as `billing`", "Letters, digits, `.`, `_`, `-`; up to 64.")
]


def _name(text: str) -> str:
    # `isprintable`: no control characters, and none that only turns the direction of others (U+202E).
    if _NAME.fullmatch(text) is None or not text.isprintable():
        raise expected(
            "a name without `:`, `/`, `*`, blanks and characters that nobody sees", "It stands in audience entries."
        )
    return text


Name = Annotated[str, AfterValidator(_name)]


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
    scheme, separator, authority = text.partition("://")
    found = parse_authority(authority)
    if scheme not in _UPSTREAM_PORTS or not separator or found is None:
        return None
    host, port = found
    return Upstream(scheme=scheme, host=host, port=port or _UPSTREAM_PORTS[scheme])


def _upstream(text: str) -> str:
    if text.startswith("role:"):
        raise refused(NOT_IN_THIS_VERSION, LATER_HINT)
    if parse_upstream(text) is None:
        raise expected(
            "an upstream such as `http://127.0.0.1:9001`", "`http`, `https` or `h2c`, host and port, no path."
        )
    return text


def _page_origin(text: str) -> str:
    if text == "*":
        raise refused("is refused: no page is meant by it", "Name each origin that may call.")
    scheme, _, authority = text.partition("://")
    found = parse_authority(authority)
    usual = _WEB_PORTS.get(scheme)
    if usual is None or found is None or text != text.lower() or found[1] == usual:
        raise expected(
            "an origin such as `https://app.example.com`",
            "As a browser sends it: lower case, no path, no slash at the end, no port where it is the usual one.",
        )
    return text


Scope = Annotated[str, AfterValidator(_scope)]


class MatchSettings(Settings):
    """Which requests."""

    path: Annotated[str, AfterValidator(_path)]
    """A prefix of whole segments: `/a/b` is `/a/b` and `/a/b/c`, never `/a/bc`."""
    methods: Annotated[frozenset[Annotated[str, AfterValidator(_method)]], Field(min_length=1)] | None = None
    """Null: GET, HEAD, POST, PUT, PATCH, DELETE and OPTIONS."""
    host: Annotated[str, matching(_HOST, "a host name in lower case, without a port", "`api.example.com`")] | None = (
        None
    )
    """Null: every host."""


class AuthSettings(Settings):
    """Whom the route demands."""

    app_required: bool = True
    """The token has to name an app."""
    user_required: bool = True
    """The token has to name a user."""


class RouteMetadataSettings(Settings):
    """What the metadata document says beyond what follows from the route."""

    scopes_supported: tuple[Scope, ...] = ()
    """RFC 9728 §2: scopes beside those that the route demands."""
    resource_name: str | None = None
    """RFC 9728 §2: what a person is shown."""
    resource_documentation: HttpUrl | None = None
    """RFC 9728 §2: a page for developers."""


class CorsSettings(Settings):
    """Pages of other origins that may call the route from a browser."""

    origins: Annotated[tuple[Annotated[str, AfterValidator(_page_origin)], ...], Field(min_length=1)]
    """Exact: scheme, host and port as a browser writes them, `https://app.example.com`. No wildcard."""
    headers: tuple[Annotated[str, matching(_HEADER, _HEADER_PHRASE, _HEADER_HINT)], ...] = (
        "authorization",
        "content-type",
    )
    """Request headers that a page may send."""


class McpSettings(Settings):
    """How an MCP server's bodies are judged."""

    origins: UnbuiltList = ()
    """Pages that may call from a browser."""
    max_body: Annotated[str, later("1MiB")] = "1MiB"
    """The longest message that is judged."""
    tools: Annotated[Table[JsonValue], AfterValidator(only_empty), WithJsonSchema({"enum": [{}]})] = Field(
        default={}, validate_default=True
    )
    """Scopes by the name of a tool."""


class RouteSettings(Settings):
    """One published resource."""

    name: RouteName
    """How operators and the decision log call it; it may be changed without an effect on tokens."""
    gateway: Name
    """The gateway that audience entries speak of."""
    resource: Name
    """The API, or the MCP server, that audience entries speak of."""
    match: MatchSettings
    """Which requests."""
    public_url: OriginUrl | None = None
    """Origin under which clients know the route; needed where `match.host` is not that of `gateway.public_url`."""
    upstream: Annotated[str, AfterValidator(_upstream)] | None = None
    """Where an admitted request goes: `http`, `https` or `h2c`, host and port. Null: the route is only judged."""
    publish_internal: Annotated[bool, later(False)] = False  # noqa: FBT003 - the value that is allowed
    """Whether internal callbacks are reachable from outside."""
    strip_prefix: bool = False
    """Whether the upstream sees the path without the route's."""
    authorization_server: str | None = None
    """Who is asked about tokens: a name in `authorization_servers`."""
    protocol: RouteProtocol = RouteProtocol.HTTP
    """`mcp`: the URL of the resource counts as an audience, and legacy credentials are refused."""
    auth: AuthSettings = AuthSettings()
    """Whom the token has to name."""
    scopes: tuple[Scope, ...] = ()
    """All of them have to be in the token."""
    audiences: Annotated[frozenset[AudienceKind], Field(min_length=1)] | None = None
    """Kinds of entry that open the route. Null: every kind. URLs are `resource_audience`'s alone."""
    resource_audience: bool | None = None
    """Whether the URL of the resource in `aud` opens the route (RFC 8707). Null: true for `mcp` alone."""
    accept_bare_gateway: bool = False
    """Whether `gateway:NAME` without an API opens the route."""
    disclosure: Disclosure = Disclosure.REASON
    """`generic`: a refusal tells a client only which kind it is, and its reference."""
    plugins: tuple[str, ...] | None = None
    """The chain, in any order: priorities decide. Null: the default chain."""
    metadata_url: MetadataLocation = MetadataLocation.QUERY
    """Which location of the metadata document a challenge names: both are served."""
    metadata: RouteMetadataSettings = RouteMetadataSettings()
    """What the metadata document says beyond what follows from the route."""
    identity_headers: UnbuiltList = ()
    """Plain headers beside the signed identity."""
    mcp: McpSettings = Field(default_factory=McpSettings)
    """How an MCP server's bodies are judged."""
    cors: CorsSettings | None = None
    """Pages of other origins that may call from a browser. Null: none; OPTIONS is then judged like any method."""
    upstream_timeout: LiftableDuration | None = None
    """To the head of the upstream's answer, and its longest silence. Null: `gateway.limits` says; `none` lifts it."""
    body_bytes: LiftableSize | None = None
    """The longest body of a request; more is 413. Null: `gateway.limits` says; `none` lifts it."""
    max_stream: LiftableDuration | None = None
    """The longest life of an exchange, a stream's too; then it is cut. Null: `gateway.limits` says; `none` lifts it."""
    unsafe_anonymous: bool = False
    """Admits everybody. It has to be said where the chain demands no credential."""
    unsafe_forward_token: bool = False
    """The upstream is handed the token."""


class RoutesSettings(RootSettings[tuple[RouteSettings, ...]]):
    """All routes; their order means nothing."""
