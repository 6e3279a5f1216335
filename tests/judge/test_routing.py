"""The Python router: the most specific route wins, the file's order means nothing."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest
from tests.samples import ROUTE

from ostiary.decision.routes import USUAL_METHODS, Match, Route
from ostiary.judge.routing import RouteTable


def _route(name: str, path: str, methods: set[str] | None = None, host: str | None = None) -> Route:
    match = Match(path=path, methods=None if methods is None else frozenset(methods), host=host)
    return replace(ROUTE, name=name, match=match)


_ROUTES = (
    _route("root", "/"),
    _route("a", "/a"),
    _route("a-b", "/a/b", {"GET"}),
    _route("a-b-write", "/a/b", {"POST"}),
    _route("host", "/a", host="api.example.com"),
)


@pytest.mark.parametrize(
    ("host", "path", "method", "expected"),
    [
        ("x", "/", "GET", "root"),
        ("x", "/ab", "GET", "root"),
        ("x", "/a", "GET", "a"),
        ("x", "/a/", "GET", "a"),
        ("x", "/a/bc", "DELETE", "a"),
        ("x", "/a/b", "GET", "a-b"),
        ("x", "/a/b/c", "POST", "a-b-write"),
        ("x", "/a/b", "PUT", None),  # never a broader route
        ("x", "/A", "GET", "root"),
        ("x", "/a", "TRACE", None),
        ("x", "/a", "get", None),
        ("api.example.com", "/a/b", "PUT", "host"),
        ("API.example.com:8443", "/a", "GET", "host"),
        ("api.example.com.", "/a", "GET", "host"),
        ("api.example.com", "/z", "GET", "root"),
        ("", "/a", "GET", "a"),
    ],
)
def test_a_host_stands_before_none_then_more_segments_before_fewer(
    host: str, path: str, method: str, expected: str | None
) -> None:
    """Ours: `gateway.md`, Routes."""
    found = RouteTable(_ROUTES).match(host=host, path=path, method=method)
    assert (None if found is None else found.name) == expected


def test_the_file_s_order_means_nothing() -> None:
    """Ours: `gateway.md`, Routes."""
    for order in permutations(_ROUTES[:4]):
        found = RouteTable(order).match(host="x", path="/a/b", method="GET")
        assert found is not None
        assert found.name == "a-b"


def test_without_methods_a_route_has_the_seven_usual_ones() -> None:
    """Ours: never TRACE, CONNECT or an unknown one."""
    table = RouteTable([_route("a", "/a")])
    allowed = [method for method in (*USUAL_METHODS, "TRACE", "CONNECT", "PROPFIND") if _match(table, method)]
    assert allowed == list(USUAL_METHODS)


def test_metadata_finds_a_resource_whatever_may_be_done_with_it() -> None:
    """RFC 9728 §3: a resource is named by its URL; methods say nothing about it."""
    found = RouteTable(_ROUTES).match_any_method(host="x", path="/a/b/c")
    assert found is not None
    assert found.match.path == "/a/b"
    assert RouteTable([]).match_any_method(host="x", path="/") is None


def test_a_route_is_found_by_its_name() -> None:
    """Ours: behind Envoy nobody matches twice."""
    table = RouteTable(_ROUTES)
    assert table.named("a") is _ROUTES[1]
    assert table.named("nobody") is None


@pytest.mark.parametrize("host", ["api.example.com:", "api.example.com:x", "api.example.com..", "x,y", " "])
def test_of_a_host_that_cannot_be_read_there_is_no_route(host: str) -> None:
    """attacks.md, path confusion: who reads it otherwise would serve another host than was judged."""
    assert RouteTable(_ROUTES).match(host=host, path="/a", method="GET") is None


def _match(table: RouteTable, method: str) -> bool:
    return table.match(host="x", path="/a", method=method) is not None
