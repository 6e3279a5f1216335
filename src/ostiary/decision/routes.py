"""Routes and policies as frozen values: what settings become, and all that travels upwards of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ostiary.oauth.resource import Origin

USUAL_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class AudienceKind(StrEnum):
    """The two kinds of entry that a route can be narrowed to. A resource (RFC 8707) is neither."""

    MCP_SERVER = "mcp_server"
    GATEWAY = "gateway"


class Disclosure(StrEnum):
    """How much of a reason a client may read."""

    GENERIC = "generic"
    REASON = "reason"


class BothPresent(StrEnum):
    """What bearer and legacy credentials in one request come to."""

    LEGACY = "legacy"
    REFUSE = "refuse"


class RouteProtocol(StrEnum):
    """What is spoken behind a route."""

    HTTP = "http"
    MCP = "mcp"


class MetadataLocation(StrEnum):
    """Which of the two locations a challenge names; both are always served."""

    QUERY = "query"
    INSERTED = "inserted"


@dataclass(frozen=True, slots=True, kw_only=True)
class McpPaths:
    """Where a gateway has its MCP servers: `{base}/{stage}/api/v2/mcp-servers/{name}`. `base` is "" or `/a/b`."""

    base: str = ""
    stage: str = "prod"

    @property
    def prefix(self) -> str:
        """Everything before the name, trailing slash included."""
        return self.base + "/" + self.stage + "/api/v2/mcp-servers/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What URLs are built from; never from a request.

    Attributes:
        origin: `public_url`'s, as it is written: `https://bkapi.example.com`.
        challenge_origin: the same, or with the authority of `hosts.bk-apigateway-host`.
        parsed: `origin` for comparison.
    """

    origin: str
    challenge_origin: str
    parsed: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the chain judges by.

    Attributes:
        authority: the name of the authorization server that is asked; None: nobody is.
        issuer: that authority's issuer.
        leeway_seconds: how far `exp` and `nbf` may be off, 0 to 60.
        audiences: which of the two kinds of entry are read; None: both.
        resource_audience: whether resource identifiers are read, whatever `audiences` says.
        mcp_paths: of the route's gateway, None where it has none.
        legacy_accepted: whether legacy credentials are judged on this route at all; follows from its chain.
        chain: plugin names, highest priority first.
    """

    gateway: str
    resource: str
    authority: str | None
    issuer: str = ""
    leeway_seconds: float = 0.0
    app_required: bool = True
    user_required: bool = True
    scopes: tuple[str, ...] = ()
    audiences: frozenset[AudienceKind] | None = None
    resource_audience: bool = False
    accept_bare_gateway: bool = False
    mcp_paths: McpPaths | None = None
    both_present: BothPresent = BothPresent.LEGACY
    legacy_accepted: bool = False
    disclosure: Disclosure = Disclosure.REASON
    protocol: RouteProtocol = RouteProtocol.HTTP
    chain: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Which requests a route is for.

    Attributes:
        path: `/`, or segments without a trailing slash; a prefix by whole segments.
        methods: None: the seven usual ones. Never TRACE or CONNECT.
        host: lower case, without port; None: every host.
    """

    path: str
    methods: frozenset[str] | None = None
    host: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """Where an allowed request goes. `scheme` is `http`, `https` or `h2c` (HTTP/2 without TLS)."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cors:
    """Whose pages may call a route from a browser (Fetch, CORS protocol).

    Attributes:
        origins: as a browser writes them in `Origin`.
        headers: what a page may send beside the headers that every page may.
    """

    origins: tuple[str, ...]
    headers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """What Envoy alone needs to know of a route.

    Attributes:
        upstream_timeout_seconds: to the response headers, and the longest silence; None: no limit.
        max_stream_seconds: the whole exchange, a stream's too; None: no limit.
        body_bytes: of a request; None: no limit.
        cors: None: no page of another origin.
    """

    upstream: Upstream
    strip_prefix: bool = False
    upstream_timeout_seconds: float | None = 60.0
    max_stream_seconds: float | None = None
    body_bytes: int | None = None
    cors: Cors | None = None
    unsafe_forward_token: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteMetadata:
    """What the RFC 9728 document says beyond what follows from the route."""

    scopes_supported: tuple[str, ...] = ()
    resource_name: str | None = None
    resource_documentation: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One published resource. `edge` is None where no Envoy of ours stands before it."""

    name: str
    match: Match
    policy: Policy
    publication: Publication
    edge: Edge | None = None
    metadata: RouteMetadata = field(default_factory=RouteMetadata)
    metadata_location: MetadataLocation = MetadataLocation.QUERY
    unsafe_anonymous: bool = False
