"""What routes mean together: the check of the section `routes`, and the frozen `Route` values that follow from it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar
from urllib.parse import urlsplit

from ostiary.authorities.settings import AUTHORIZATION_SERVERS, AuthorizationServersSettings
from ostiary.config import Complaint, Configuration, Section, refuse_insecure_http
from ostiary.decision.routes import (
    USUAL_METHODS,
    Cors,
    Edge,
    Match,
    Policy,
    Publication,
    Route,
    RouteMetadata,
    RouteProtocol,
)
from ostiary.judge.gateway_settings import GATEWAY, GatewaySettings
from ostiary.judge.route_settings import RouteSettings, RoutesSettings, parse_upstream
from ostiary.judge.third_party import ThirdPartyError
from ostiary.oauth.resource import is_at_or_below, parse_origin, path_segments
from ostiary.plugins.chain import DEFAULT_CHAIN, SHIPPED, accepts_legacy, judge_chain, link_chain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ostiary.config import KeyPath
    from ostiary.plugins.plugin import Plugin

NumberT = TypeVar("NumberT", int, float)

# Envoy answers these before any route is looked at, so a route at or below them would never be reached.
_RESERVED = ("/.well-known/oauth-protected-resource", "/.well-known/jwks.json")


def routes_section(third_party: Mapping[str, Plugin]) -> Section[RoutesSettings]:
    """The section `routes`, judged with the third-party plugins that are installed here."""
    check = partial(_check, third_party=third_party)
    return Section(name="routes", model=RoutesSettings, check=check, default=RoutesSettings(()))


def build_routes(configuration: Configuration, third_party: Mapping[str, Plugin]) -> tuple[Route, ...]:
    """The routes of a valid configuration, in the file's order."""
    gateway = configuration.require(GATEWAY)
    servers = configuration.find(AUTHORIZATION_SERVERS)
    routes = configuration.require(routes_section(third_party)).root
    return tuple(_build(route, gateway, servers, third_party) for route in routes)


def publication_of(route: RouteSettings, gateway: GatewaySettings) -> Publication:
    """What URLs about a route are built from. A route's own `public_url` stands for everything about it."""
    origin = route.public_url or gateway.public_url
    host = gateway.hosts.bk_apigateway_host
    scheme = origin.partition("://")[0]
    parsed = parse_origin(origin)
    if parsed is None:
        raise ValueError("a public_url that the section's model let through is no origin")
    challenge = f"{scheme}://{host}" if host is not None and route.public_url is None else origin
    return Publication(origin=origin, challenge_origin=challenge, parsed=parsed)


def _build(
    route: RouteSettings,
    gateway: GatewaySettings,
    servers: AuthorizationServersSettings | None,
    third_party: Mapping[str, Plugin],
) -> Route:
    server = servers.root.get(route.authorization_server or "") if servers is not None else None
    is_mcp = route.protocol is RouteProtocol.MCP
    chain = tuple(link.plugin.name for link in link_chain(_chain_names(route), third_party))
    demands = {"app_required": route.auth.app_required, "user_required": route.auth.user_required}
    policy = Policy(
        gateway=route.gateway,
        resource=route.resource,
        authority=None if server is None else route.authorization_server,
        issuer="" if server is None else server.issuer,
        leeway_seconds=0.0 if server is None else server.leeway,
        scopes=tuple(dict.fromkeys(route.scopes)),
        audiences=route.audiences,
        resource_audience=is_mcp if route.resource_audience is None else route.resource_audience,
        accept_bare_gateway=route.accept_bare_gateway,
        mcp_paths=gateway.mcp_paths_of(route.gateway),
        both_present=gateway.both_present,
        legacy_accepted=accepts_legacy(chain, protocol=route.protocol, **demands),
        disclosure=route.disclosure,
        protocol=route.protocol,
        chain=chain,
        **demands,
    )
    return Route(
        name=route.name,
        match=Match(path=route.match.path, methods=route.match.methods, host=route.match.host),
        policy=policy,
        publication=publication_of(route, gateway),
        edge=_edge(route, gateway),
        metadata=RouteMetadata(
            scopes_supported=route.metadata.scopes_supported,
            resource_name=route.metadata.resource_name,
            resource_documentation=route.metadata.resource_documentation,
        ),
        metadata_location=route.metadata_url,
        unsafe_anonymous=route.unsafe_anonymous,
    )


def _edge(route: RouteSettings, gateway: GatewaySettings) -> Edge | None:
    upstream = None if route.upstream is None else parse_upstream(route.upstream)
    if upstream is None:
        return None
    limits = gateway.limits
    return Edge(
        upstream=upstream,
        strip_prefix=route.strip_prefix,
        upstream_timeout_seconds=_limit(route.upstream_timeout, limits.upstream_timeout),
        max_stream_seconds=_limit(route.max_stream, limits.max_stream),
        body_bytes=_limit(route.body_bytes, limits.body_bytes),
        cors=None if route.cors is None else Cors(origins=route.cors.origins, headers=route.cors.headers),
        unsafe_forward_token=route.unsafe_forward_token,
    )


def _limit(own: NumberT | Literal["none"] | None, inherited: NumberT | Literal["none"] | None) -> NumberT | None:
    """A route's own limit, or else the one that it inherits; `none` is no limit."""
    limit = inherited if own is None else own
    return None if limit == "none" else limit


def _chain_names(route: RouteSettings) -> tuple[str, ...]:
    return DEFAULT_CHAIN if route.plugins is None else route.plugins


def _check(
    routes: RoutesSettings, configuration: Configuration, *, third_party: Mapping[str, Plugin]
) -> Iterator[Complaint]:
    gateway = configuration.find(GATEWAY)
    for index, route in enumerate(routes.root):
        yield from _check_authority(index, route, configuration)
        yield from _check_chain(index, route, third_party)
        yield from _check_place(index, route)
        if gateway is not None:
            yield from _check_publication(index, route, gateway)
    yield from _check_pairs(routes.root)
    root = None if gateway is None else gateway.metadata.root
    if root is not None and root not in {route.name for route in routes.root}:
        yield Complaint(
            path=("gateway", "metadata", "root"), what="names no route", hint="Write a route's `name`, or null."
        )


def _check_authority(index: int, route: RouteSettings, configuration: Configuration) -> Iterator[Complaint]:
    path = ("routes", index, "authorization_server")
    if route.authorization_server is None:
        if not route.unsafe_anonymous:
            yield Complaint(path=path, what="is missing", hint="Name one of `authorization_servers`: it is asked.")
    elif AUTHORIZATION_SERVERS.name not in configuration.broken:
        servers = configuration.find(AUTHORIZATION_SERVERS)
        if servers is None or route.authorization_server not in servers.root:
            yield Complaint(
                path=path, what="names no authorization server", hint="It must be a key of `authorization_servers`."
            )


def _check_chain(index: int, route: RouteSettings, third_party: Mapping[str, Plugin]) -> Iterator[Complaint]:
    path = ("routes", index, "plugins")
    names = _chain_names(route)
    unknown = [name for name in names if name not in SHIPPED and name not in third_party]
    for name in unknown:
        yield Complaint(
            path=(*path, names.index(name)), what="names no plugin", hint="Those that ship: " + ", ".join(SHIPPED) + "."
        )
    if len(set(names)) < len(names):
        yield Complaint(path=path, what="names a plugin twice", hint="Each plugin runs once.")
    if not unknown:
        yield from _check_others(path, names, third_party)
    if not unknown and not route.unsafe_anonymous:
        faults = judge_chain(
            names,
            app_required=route.auth.app_required,
            user_required=route.auth.user_required,
            scopes=bool(route.scopes),
        )
        for fault in faults:
            yield Complaint(path=path, what="is refused: " + fault.what, hint=fault.hint)


def _check_others(path: KeyPath, names: tuple[str, ...], third_party: Mapping[str, Plugin]) -> Iterator[Complaint]:
    """Load the plugins of others that the route names."""
    taken = {link.plugin.priority for name, link in SHIPPED.items() if name in names}
    for index, name in enumerate(names):
        if name in SHIPPED or name in names[:index]:
            continue
        try:
            priority = third_party[name].priority
        except ThirdPartyError as error:
            what, hint = f"names a plugin that {error}", "Mend or uninstall its distribution, or leave the plugin out."
        else:
            if priority not in taken:
                taken.add(priority)
                continue
            what, hint = "names a plugin whose priority another one of the route has", "Which runs first must be said."
        yield Complaint(path=(*path, index), what=what, hint=hint)


def _check_place(index: int, route: RouteSettings) -> Iterator[Complaint]:
    for reserved in _RESERVED:
        if is_at_or_below(path_segments(route.match.path), path_segments(reserved)):
            yield Complaint(
                path=("routes", index, "match", "path"),
                what="can never be reached",
                hint=f"{reserved} is answered before any route.",
            )


def _check_publication(index: int, route: RouteSettings, gateway: GatewaySettings) -> Iterator[Complaint]:
    own = route.public_url
    if gateway.listen is not None and route.upstream is None:
        yield Complaint(
            path=("routes", index, "upstream"), what="is missing", hint="Where allowed requests go: `http://host:port`."
        )
    if own is not None:
        yield from refuse_insecure_http(own, ("routes", index, "public_url"), allow_insecure_http=None)
    host = route.match.host
    if host is not None and host.strip("[]") != urlsplit(own or gateway.public_url).hostname:
        yield Complaint(
            path=("routes", index, "public_url"),
            what="does not have the route's host" if own else "is missing",
            hint="Everything published about the route is built from it: its host must be `match.host`.",
        )


def _check_pairs(routes: tuple[RouteSettings, ...]) -> Iterator[Complaint]:
    """No two of a name; where host and path are equal, methods are disjoint, or one would never be reached."""
    names: set[str] = set()
    places: dict[tuple[str, str | None], dict[str, str]] = {}
    for index, route in enumerate(routes):
        if route.name in names:
            yield Complaint(path=("routes", index, "name"), what="stands twice", hint="A route's name is its identity.")
        names.add(route.name)
        taken = places.setdefault((route.match.path, route.match.host), {})
        methods = [method for method in USUAL_METHODS if route.match.methods is None or method in route.match.methods]
        shadow = next((taken[method] for method in methods if method in taken), None)
        if shadow is not None:
            yield Complaint(
                path=("routes", index, "match"),
                what=f"is shadowed: route {shadow!r} has the same host and path",
                hint="Give both disjoint `methods`, or change one of the paths.",
            )
        for method in methods:
            taken.setdefault(method, route.name)
