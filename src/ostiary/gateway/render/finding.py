"""How a virtual host finds a request's route: what it refuses first, then its routes, one by one or through a tree.

One by one, each route that is passed over costs up to a microsecond. In the tree, the longest path that the request's
begins with (letter by letter) leads to the routes of that path and of those above it, and only they are tried: any
other route's path is no whole-segment prefix of the request's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ostiary.decision.hosts import HOST_PATTERN
from ostiary.decision.routes import USUAL_METHODS
from ostiary.gateway.render.filters import DECISION, GATE, switched_off
from ostiary.gateway.render.tree import typed
from ostiary.oauth.metadata import WELL_KNOWN_RESOURCE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ostiary.gateway.render.tree import Node, Tree

GUARD_HOST: Final = "guard.host"
GUARD_PATH: Final = "guard.path"
GUARD_DOTS: Final = "guard.dots"
GUARD_UPGRADE: Final = "guard.upgrade"
GUARD_FORWARDED: Final = "guard.forwarded"
_MANY: Final = 100  # fewer paths are tried one by one, and nobody notices

# No decision, no gate: only for what Envoy answers itself and for what is public.
ANSWERED_HERE: Final = {name: switched_off(name) for name in (DECISION, GATE)}


def routes_of(host: str | None, groups: Mapping[tuple[str | None, str], Sequence[Tree]]) -> dict[str, Node]:
    """The part of a virtual host that finds a route.

    Args:
        host: whose virtual host it is; None: that of all others.
        groups: by host and path, the most specific first; those of `host` and of None.
    """
    if len(groups) > _MANY:
        return {"matcher": _guarded(_by_path(host, {(host, WELL_KNOWN_RESOURCE): [_METADATA], **groups}))}
    return {"routes": [*_GUARD_ROUTES, _METADATA, *(route for group in groups.values() for route in group), _NOTHING]}


def answered(name: str, match: Tree, status: int) -> Tree:
    """A route that Envoy answers itself."""
    return {
        "name": name,
        "match": match,
        "direct_response": {"status": status},
        "typed_per_filter_config": ANSWERED_HERE,
    }


def header_match(name: str, string_match: Tree, *, invert: bool = False) -> Tree:
    """A matcher of a header."""
    matcher: dict[str, Node] = {"name": name, "string_match": string_match}
    return matcher | {"invert_match": True} if invert else matcher


def _by_path(host: str | None, groups: Mapping[tuple[str | None, str], Sequence[Tree]]) -> Tree:
    def tried(path: str) -> list[Tree]:
        owners = dict.fromkeys((host, None))
        return [route for owner in owners for above in _upwards(path) for route in groups.get((owner, above), ())]

    paths = {"/", *(path for _, path in groups)}
    lists = {path: _one_of([*tried(path), _NOTHING]) for path in sorted(paths)}
    return {"matcher_tree": {"input": _header_input(":path"), "prefix_match_map": {"map": lists}}}


def _upwards(path: str) -> list[str]:
    """`/a/b` → `/a/b`, `/a`, `/`."""
    segments = path.removeprefix("/").split("/") if path != "/" else []
    return ["/" + "/".join(segments[:length]) for length in range(len(segments), -1, -1)]


def _guarded(rest: Tree) -> Tree:
    predicates = [guard.predicate() for guard in _GUARDS]
    refused = {"predicate": {"or_matcher": {"predicate": predicates}}, "on_match": _one_of(_GUARD_ROUTES)}
    return {"matcher_list": {"matchers": [refused]}, "on_no_match": {"matcher": rest}}


def _one_of(routes: Sequence[Tree]) -> Tree:
    return {"action": {"name": "routes", "typed_config": typed("envoy.config.route.v3.RouteList", routes=routes)}}


def _header_input(name: str) -> Tree:
    return {"name": name, "typed_config": typed("envoy.type.matcher.v3.HttpRequestHeaderMatchInput", header_name=name)}


@dataclass(frozen=True, slots=True)
class _Test:
    """A header that matches, or where that is `wanted`, one that does not."""

    header: str
    pattern: str
    wanted: bool = False

    def matcher(self) -> Tree:
        return header_match(self.header, {"safe_regex": {"regex": self.pattern}}, invert=self.wanted)

    def predicate(self) -> Tree:
        pattern: Tree = {"safe_regex": {"google_re2": {}, "regex": self.pattern}}
        matches: Tree = {"single_predicate": {"input": _header_input(self.header), "value_match": pattern}}
        return {"not_matcher": matches} if self.wanted else matches


@dataclass(frozen=True, slots=True)
class _Guard:
    """What no route gets: a request of which all `tests` are true."""

    name: str
    status: int
    tests: tuple[_Test, ...]

    def route(self) -> Tree:
        return answered(self.name, {"prefix": "/", "headers": [test.matcher() for test in self.tests]}, self.status)

    def predicate(self) -> Tree:
        predicates = [test.predicate() for test in self.tests]
        return {"and_matcher": {"predicate": predicates}} if len(predicates) > 1 else predicates[0]


_GUARDS: Final = (
    # CONNECT, TRACE, and whatever HTTP/2 lets through.
    _Guard("guard.method", 404, (_Test(":method", "|".join(USUAL_METHODS), wanted=True),)),
    _Guard(GUARD_HOST, 400, (_Test(":authority", HOST_PATTERN, wanted=True),)),
    # A "%" that is no escape: normalisation lets it through. A byte that is no visible ASCII: HTTP/2 lets it through.
    _Guard(GUARD_PATH, 400, (_Test(":path", r"([!-$&->@-~]|%[0-9A-Fa-f]{2})*(\?[!-~]*)?", wanted=True),)),
    # `/a/%2e%2e;/b` is `/a/..;/b` when it has been normalised, and `/b` to a servlet container behind us.
    _Guard(GUARD_DOTS, 400, (_Test(":path", r"[^?]*/\.\.?;.*"),)),
    # RFC 6455 §4.1: a handshake is a GET. To an upstream of HTTP/2 each is the same CONNECT, whatever was judged.
    _Guard(GUARD_UPGRADE, 400, (_Test("upgrade", "(?i)websocket"), _Test(":method", "GET", wanted=True))),
    # Over 20 entries Envoy reads none, and takes the proxy for the client. Without trusted proxies it is gone by now.
    _Guard(GUARD_FORWARDED, 400, (_Test("x-forwarded-for", r"(?:.*,){20}.*"),)),
)

# Before every route, in every virtual host: `Host: api.example.com:abc` matches the domain `api.example.com`.
_GUARD_ROUTES: Final = (
    # No other matcher takes CONNECT; without this it would be the gate's 503.
    answered("guard.connect", {"connect_matcher": {}}, 404),
    *(guard.route() for guard in _GUARDS),
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
    "typed_per_filter_config": ANSWERED_HERE,
}

# Where no route matches, the decision is skipped and the gate would answer 503.
_NOTHING: Final = answered("nothing", {"prefix": "/"}, 404)
