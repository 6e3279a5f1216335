"""`rds.yaml`: virtual hosts and routes. The first that matches wins, so the most specific is rendered first."""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING, Final

from ostiary.decision.routes import USUAL_METHODS
from ostiary.gateway.render.clusters import upstream_name
from ostiary.gateway.render.cors import cors_answers, cors_policy
from ostiary.gateway.render.filters import DECISION, GATE, STRIP_TOKEN, body_limit, switched_off, switched_on
from ostiary.gateway.render.tree import duration, typed
from ostiary.judge.generations import route_key
from ostiary.oauth.metadata import WELL_KNOWN_RESOURCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ostiary.decision.routes import Edge, Route
    from ostiary.gateway.render.tree import Node, Tree

ROUTES_KIND: Final = "envoy.config.route.v3.RouteConfiguration"
# Behind a route's name, which has no colon: what Envoy answers itself about it.
OTHER_METHODS: Final = ":other-methods"
PREFLIGHT: Final = ":preflight"
_ANNOUNCED: Final = "access-control-request-method"
GUARD_HOST: Final = "guard.host"
GUARD_PATH: Final = "guard.path"
GUARD_DOTS: Final = "guard.dots"
GUARD_FORWARDED: Final = "guard.forwarded"
# Header matchers run before the path, for every route that is passed over: a regular expression costs four times an
# exact match there, and below this number nobody notices.
_MANY: Final = 100

# No decision, no gate: only for what Envoy answers itself and for what is public.
_ANSWERED_HERE: Final = {name: switched_off(name) for name in (DECISION, GATE)}


def route_configuration(generation: int, routes: Iterable[Route]) -> Tree:
    """One virtual host for each host that a route names, and one for all others.

    A domain that matches never falls back to `*`, so each has the guards, the routes of every host, and the last 404.
    """
    published = sorted(routes, key=_specificity)
    many = len(published) > _MANY
    hosts = sorted({route.match.host for route in published if route.match.host is not None})
    return {
        "name": "public",
        # Else a route to a cluster that is not there is accepted and answers 503.
        "validate_clusters": True,
        # `Host` goes to the upstream as sent; only the domains below are matched without its port.
        "ignore_port_in_host_matching": True,
        "virtual_hosts": [
            *(
                {
                    "name": host,
                    "domains": [host, host + "."],
                    "routes": _routes(generation, [r for r in published if r.match.host in {host, None}], many=many),
                }
                for host in hosts
            ),
            {
                "name": "any",
                "domains": ["*"],
                "routes": _routes(generation, [r for r in published if r.match.host is None], many=many),
            },
        ],
    }


def _specificity(route: Route) -> tuple[bool, int, str, str, str]:
    """A host before none, then more segments; the rest only makes the file the same each time."""
    match = route.match
    return match.host is None, -len(_segments(match.path)), match.host or "", match.path, route.name


def _segments(path: str) -> list[str]:
    return [segment for segment in path.split("/") if segment]


def _routes(generation: int, routes: Sequence[Route], *, many: bool) -> list[Tree]:
    judged: list[Tree] = []
    for (_, path), group in groupby(routes, key=lambda route: (route.match.host, route.match.path)):
        judged.extend(_group(generation, path, list(group), many=many))
    return [*_GUARDS, _METADATA, *judged, _NOTHING]


def _group(generation: int, path: str, group: Sequence[Route], *, many: bool) -> list[Tree]:
    """Routes of one host and path, which differ in their methods; a method that none has ends here with 404."""
    preflights: list[Tree] = []
    routes: list[Tree] = []
    covered: set[str] = set()
    for route in group:
        if route.edge is None:
            continue
        name = route_key(generation, route.name)
        methods = frozenset(USUAL_METHODS) if route.match.methods is None else route.match.methods
        covered |= methods
        policy = {} if route.edge.cors is None else cors_policy(route.edge.cors, methods)
        if policy:
            preflights.extend(
                _preflight(name, _path(path), matchers, policy) for matchers in _methods(_ANNOUNCED, methods, many=many)
            )
        routes.extend(
            {
                "name": name,
                "match": _matching(_path(path), matchers),
                "route": _action(route.name, path, route.edge),
                **_switches(route, route.edge, policy),
                **(cors_answers() if policy else {}),
            }
            for matchers in _methods(":method", methods, many=many)
        )
    if covered and covered < set(USUAL_METHODS):
        routes.append(_answered(route_key(generation, group[0].name) + OTHER_METHODS, _path(path), 404))
    return [*preflights, *routes]


def _preflight(name: str, path: dict[str, Node], announced: list[Tree], policy: Mapping[str, Tree]) -> Tree:
    """Goes where the request that it announces would go (Fetch, CORS-preflight request).

    The filter reads no policy beside a `direct_response`, so this is a route, to nowhere: an origin that is not listed
    gets 404, and nothing is forwarded. No client can send the header, `ostiary.clear` removes it.
    """
    preflight = [_header(":method", {"exact": "OPTIONS"}), _present("origin")]
    return {
        "name": name + PREFLIGHT,
        "match": _matching(path, [*preflight, *(announced or [_present(_ANNOUNCED)])]),
        "route": {"cluster_header": "x-ostiary-none", "cluster_not_found_response_code": "NOT_FOUND"},
        "typed_per_filter_config": {**_ANSWERED_HERE, **policy},
    }


def _path(path: str) -> dict[str, Node]:
    return {"prefix": "/"} if path == "/" else {"path_separated_prefix": path}


def _matching(path: dict[str, Node], headers: list[Tree]) -> Tree:
    return path | {"headers": headers} if headers else path


def _methods(name: str, methods: frozenset[str], *, many: bool) -> list[list[Tree]]:
    """One matcher of a header, or one for each method; all seven need none, `guard.method` has refused the others."""
    if methods >= set(USUAL_METHODS):
        return [[]]
    if many or len(methods) == 1:
        return [[_header(name, {"exact": method})] for method in sorted(methods)]
    return [[_header(name, {"safe_regex": {"regex": "|".join(sorted(methods))}})]]


def _header(name: str, string_match: Tree, *, invert: bool = False) -> Tree:
    matcher: dict[str, Node] = {"name": name, "string_match": string_match}
    return matcher | {"invert_match": True} if invert else matcher


def _present(name: str) -> Tree:
    return {"name": name, "present_match": True}


def _action(name: str, path: str, edge: Edge) -> Tree:
    """`timeout` would bound the whole exchange, a stream's too; silence is what `idle_timeout` bounds."""
    action: dict[str, Node] = {
        "cluster": upstream_name(name, edge.upstream),
        "timeout": "0s",
        "idle_timeout": duration(edge.upstream_timeout_seconds or 0.0),
    }
    if edge.max_stream_seconds is not None:
        action["max_stream_duration"] = {"max_stream_duration": duration(edge.max_stream_seconds)}
    if edge.strip_prefix and path != "/":
        # `prefix_rewrite: /` would make `//y` of `/x/y`; unanchored, every occurrence would go.
        action["regex_rewrite"] = {"pattern": {"regex": "^" + re.escape(path) + "/?"}, "substitution": "/"}
    return action


def _switches(route: Route, edge: Edge, policy: Mapping[str, Tree]) -> dict[str, Node]:
    """Which filters the route leaves out, which it adds, and what it tells them."""
    filters: dict[str, Node] = {**policy}
    if route.unsafe_anonymous:
        filters |= _ANSWERED_HERE
    if edge.unsafe_forward_token:
        filters[STRIP_TOKEN] = switched_off(STRIP_TOKEN)
    if edge.body_bytes is not None:
        filters[body_limit(edge.body_bytes)] = switched_on()
    return {"typed_per_filter_config": filters} if filters else {}


def _answered(name: str, match: Tree, status: int) -> Tree:
    return {
        "name": name,
        "match": match,
        "direct_response": {"status": status},
        "typed_per_filter_config": _ANSWERED_HERE,
    }


def _all(name: str, pattern: str, *, invert: bool = False) -> Tree:
    return {"prefix": "/", "headers": [_header(name, {"safe_regex": {"regex": pattern}}, invert=invert)]}


# Before every route, in every virtual host: `Host: api.example.com:abc` matches the domain `api.example.com`.
_GUARDS: Final = (
    # No other matcher takes CONNECT; without this it would be the gate's 503.
    _answered("guard.connect", {"connect_matcher": {}}, 404),
    # TRACE, and whatever HTTP/2 lets through.
    _answered("guard.method", _all(":method", "|".join(USUAL_METHODS), invert=True), 404),
    _answered(
        GUARD_HOST,
        _all(":authority", r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?", invert=True),
        400,
    ),
    # A "%" that is no escape: normalisation lets it through. A byte that is no visible ASCII: HTTP/2 lets it through.
    _answered(GUARD_PATH, _all(":path", r"([!-$&->@-~]|%[0-9A-Fa-f]{2})*(\?[!-~]*)?", invert=True), 400),
    # `/a/%2e%2e;/b` is `/a/..;/b` when it has been normalised, and `/b` to a servlet container behind us.
    _answered(GUARD_DOTS, _all(":path", r"[^?]*/\.\.?;.*"), 400),
    # Over 20 entries Envoy reads none, and takes the proxy for the client. Without trusted proxies it is gone by now.
    _answered(GUARD_FORWARDED, _all("x-forwarded-for", r"(?:.*,){20}.*"), 400),
)

_METADATA: Final[Tree] = {
    "name": "metadata",
    "match": {"path_separated_prefix": WELL_KNOWN_RESOURCE},
    "route": {
        "cluster": "metadata",
        "timeout": "5s",
        # A GET may be sent twice.
        "retry_policy": {
            "retry_on": "connect-failure,refused-stream,reset",
            "num_retries": 2,
            "retry_host_predicate": [
                {
                    "name": "envoy.retry_host_predicates.previous_hosts",
                    "typed_config": typed("envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"),
                }
            ],
            "host_selection_retry_max_attempts": 8,
        },
    },
    "typed_per_filter_config": _ANSWERED_HERE,
}

# Where no route matches, the decision is skipped and the gate would answer 503.
_NOTHING: Final = _answered("nothing", {"prefix": "/"}, 404)
