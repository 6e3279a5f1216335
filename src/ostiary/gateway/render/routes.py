"""`rds.json`: virtual hosts and routes. The first that matches wins, so the most specific is rendered first."""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING, Final

from ostiary.decision.routes import USUAL_METHODS
from ostiary.gateway.render.clusters import upstream_name
from ostiary.gateway.render.cors import cors_answers, cors_policy
from ostiary.gateway.render.filters import STRIP, STRIP_BUT_TOKEN, body_limit, switched_off, switched_on
from ostiary.gateway.render.finding import ANSWERED_HERE, answered, header_match, routes_of
from ostiary.gateway.render.tree import duration
from ostiary.judge.generations import route_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ostiary.decision.routes import Edge, Route
    from ostiary.gateway.render.tree import Node, Tree

ROUTES_KIND: Final = "envoy.config.route.v3.RouteConfiguration"
# Behind a route's name, which has no colon: what Envoy answers itself about it.
OTHER_METHODS: Final = ":other-methods"
PREFLIGHT: Final = ":preflight"
_ANNOUNCED: Final = "access-control-request-method"


def route_configuration(generation: int, routes: Iterable[Route]) -> Tree:
    """One virtual host for each host that a route names, and one for all others.

    A domain that matches never falls back to `*`, so each has the guards, the routes of every host, and the last 404.
    """
    published = sorted(routes, key=_specificity)
    hosts = sorted({route.match.host for route in published if route.match.host is not None})
    return {
        "name": "public",
        # Else a route to a cluster that is not there is accepted and answers 503. In a tree Envoy does not look.
        "validate_clusters": True,
        # `Host` goes to the upstream with its port; only the domains below are matched without it.
        "ignore_port_in_host_matching": True,
        "virtual_hosts": [
            *(_virtual_host(host, [host], host, generation, published) for host in hosts),
            _virtual_host("any", ["*"], None, generation, published),
        ],
    }


def _virtual_host(name: str, domains: list[str], host: str | None, generation: int, published: Sequence[Route]) -> Tree:
    own = [route for route in published if route.match.host in {host, None}]
    groups = {
        place: _group(generation, place[1], list(group))
        for place, group in groupby(own, key=lambda route: (route.match.host, route.match.path))
    }
    return {"name": name, "domains": domains, **routes_of(host, groups)}


def _specificity(route: Route) -> tuple[bool, int, str, str, str]:
    """A host before none, then more segments; the rest only makes the file the same each time."""
    match = route.match
    return match.host is None, -len(_segments(match.path)), match.host or "", match.path, route.name


def _segments(path: str) -> list[str]:
    return [segment for segment in path.split("/") if segment]


def _group(generation: int, path: str, group: Sequence[Route]) -> list[Tree]:
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
            preflights.append(_preflight(name, _path(path), _methods(_ANNOUNCED, methods), policy))
        routes.append(
            {
                "name": name,
                "match": _matching(_path(path), _methods(":method", methods)),
                "route": _action(route.name, path, route.edge),
                **_switches(route, route.edge, policy),
                **(cors_answers() if policy else {}),
            }
        )
    if covered and covered < set(USUAL_METHODS):
        routes.append(answered(route_key(generation, group[0].name) + OTHER_METHODS, _path(path), 404))
    return [*preflights, *routes]


def _preflight(name: str, path: dict[str, Node], announced: list[Tree], policy: Mapping[str, Tree]) -> Tree:
    """Goes where the request that it announces would go (Fetch, CORS-preflight request).

    The filter reads no policy beside a `direct_response`, so this is a route, to nowhere: an origin that is not listed
    gets 404, and nothing is forwarded. No client can send the header, `ostiary.clear` removes it.
    """
    preflight = [header_match(":method", {"exact": "OPTIONS"}), _present("origin")]
    return {
        "name": name + PREFLIGHT,
        "match": _matching(path, [*preflight, *(announced or [_present(_ANNOUNCED)])]),
        "route": {"cluster_header": "x-ostiary-none", "cluster_not_found_response_code": "NOT_FOUND"},
        "typed_per_filter_config": {**ANSWERED_HERE, **policy},
    }


def _path(path: str) -> dict[str, Node]:
    return {"prefix": "/"} if path == "/" else {"path_separated_prefix": path}


def _matching(path: dict[str, Node], headers: list[Tree]) -> Tree:
    return path | {"headers": headers} if headers else path


def _methods(name: str, methods: frozenset[str]) -> list[Tree]:
    """Matchers of a header that names a method; all seven need none, `guard.method` has refused the others."""
    if methods >= set(USUAL_METHODS):
        return []
    if len(methods) == 1:
        return [header_match(name, {"exact": method}) for method in methods]
    return [header_match(name, {"safe_regex": {"regex": "|".join(sorted(methods))}})]


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
        filters |= ANSWERED_HERE
    if edge.unsafe_forward_token:
        filters |= {STRIP: switched_off(STRIP), STRIP_BUT_TOKEN: switched_on()}
    if edge.body_bytes is not None:
        filters[body_limit(edge.body_bytes)] = switched_on()
    return {"typed_per_filter_config": filters} if filters else {}
