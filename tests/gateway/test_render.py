"""Rendering without an Envoy: what follows from a table, and what would be refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.gateway.doubles import route

from ostiary.decision.dialects import CONTENT_TYPE, bkapi_error
from ostiary.decision.routes import USUAL_METHODS
from ostiary.gateway import Plan, render
from ostiary.gateway.render.replies import local_reply_config
from ostiary.gateway.render.tree import duration, literal
from ostiary.judge.routing import RouteTable

if TYPE_CHECKING:
    from ostiary.decision.routes import Route
    from ostiary.gateway.render.tree import Tree


def plain(tree: Tree) -> Any:
    """As Envoy reads it."""
    return json.loads(render.to_text(tree))


def hosts(*routes: Route) -> dict[str, Any]:
    """Virtual hosts by name."""
    (configuration,) = plain(render.rds(1, routes))["resources"]
    return {host["name"]: host for host in configuration["virtual_hosts"]}


def names(host: dict[str, Any]) -> list[str]:
    """A host's routes, in order."""
    return [rendered["name"] for rendered in host["routes"]]


def test_every_host_has_the_guards_first_and_nothing_last() -> None:
    """NOTES, traps: a guard in `*` only does not guard, and without the last route the gate answers."""
    for host in hosts(route("a", "/a", 1), route("b", "/b", 1, host="h.example")).values():
        guards = [f"guard.{name}" for name in ("connect", "method", "host", "path", "dots", "upgrade", "forwarded")]
        assert names(host)[:8] == [*guards, "metadata"]
        assert names(host)[-1] == "nothing"


def test_the_order_of_the_file_means_nothing() -> None:
    """gateway.md, Routes."""
    routes = [
        route("c", "/x/y/z", 1),
        route("root", "/", 1, host="h.example"),
        route("a", "/x", 1, methods="GET"),
        route("b", "/x", 1, methods="POST"),
        route("d", "/x/y", 1, host="h.example"),
    ]
    assert render.rds(1, routes) == render.rds(1, routes[::-1])
    assert render.cds(1, routes) == render.cds(1, routes[::-1])
    judged = [name for name in names(hosts(*routes)["h.example"]) if name.startswith("1:")]
    assert judged == ["1:d", "1:root", "1:c", "1:a", "1:b", "1:a:other-methods"]
    assert hosts(*routes)["h.example"]["domains"] == ["h.example"]


def test_a_group_that_has_every_method_needs_no_last_word() -> None:
    """NOTES, rendering: unknown methods have ended at the guard."""
    first, rest = USUAL_METHODS[:3], USUAL_METHODS[3:]
    routes = route("a", "/x", 1, methods=",".join(first)), route("b", "/x", 1, methods=",".join(rest))
    assert not [name for name in names(hosts(*routes)["any"]) if name.endswith(":other-methods")]


FILLING = [route(f"filling-{number}", f"/filling/{number}", 1) for number in range(101)]


def lists_of(host: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """In a tree: the routes that are tried for each path."""
    tree = host["matcher"]["on_no_match"]["matcher"]["matcher_tree"]
    return {path: found["action"]["typed_config"]["routes"] for path, found in tree["prefix_match_map"]["map"].items()}


def tried(host: dict[str, Any]) -> dict[str, list[str]]:
    """Their names."""
    return {path: [rendered["name"] for rendered in routes] for path, routes in lists_of(host).items()}


def test_of_many_routes_only_those_at_and_above_a_path_are_tried() -> None:
    """NOTES, figures: each route that is passed over costs; the guards come once, before the tree."""
    routes = [
        route("root", "/", 1, methods="GET"),
        route("a", "/a", 1),
        route("a-c", "/a/b/c", 1, methods="GET"),
        route("ab", "/ab", 1),
        route("hosted", "/a/b", 1, host="h.example"),
    ]
    assert "matcher" not in hosts(*FILLING[:100])["any"]
    found = hosts(*FILLING, *routes)
    (guards,) = found["any"]["matcher"]["matcher_list"]["matchers"]
    assert names(guards["on_match"]["action"]["typed_config"])[0] == "guard.connect"
    root = ["1:root", "1:root:other-methods", "nothing"]
    plain_host, h_example = tried(found["any"]), tried(found["h.example"])
    assert plain_host["/"] == root
    assert plain_host["/a"] == ["1:a", *root]
    assert plain_host["/a/b/c"] == ["1:a-c", "1:a-c:other-methods", "1:a", *root]
    assert plain_host["/ab"] == ["1:ab", *root]
    assert plain_host["/filling/7"] == ["1:filling-7", *root]
    assert plain_host["/.well-known/oauth-protected-resource"] == ["metadata", *root]
    assert "/a/b" not in plain_host
    assert h_example["/a/b/c"] == ["1:hosted", "1:a-c", "1:a-c:other-methods", "1:a", *root]


PATHS = st.lists(st.sampled_from(["a", "b", "ab", "a-b"]), max_size=4).map(lambda segments: "/" + "/".join(segments))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    paths=st.sets(st.tuples(st.sampled_from([None, "h.example"]), PATHS), max_size=12),
    host=st.sampled_from(["h.example", "other.example"]),
    target=st.tuples(PATHS, st.sampled_from(["", "/", "b", "/b", "-b"])).map("".join),
)
def test_in_a_tree_the_first_that_matches_is_the_most_specific(
    paths: set[tuple[str | None, str]], host: str, target: str
) -> None:
    """gateway.md, Routes: the same route that the router in Python finds."""
    routes = [
        *FILLING,
        *(route(f"r{number}", path, 1, host=of) for number, (of, path) in enumerate(sorted(paths, key=str))),
    ]
    found = hosts(*routes)
    lists = lists_of(found.get(host, found["any"]))
    longest = max((path for path in lists if target.startswith(path)), key=len)
    first = next(each["name"] for each in lists[longest] if begins(target, each["match"]))
    expected = RouteTable(routes).match(host=host, path=target, method="GET")
    assert first == ("nothing" if expected is None else "1:" + expected.name)


def begins(path: str, match: dict[str, str]) -> bool:
    """As Envoy matches a path."""
    prefix = match.get("path_separated_prefix")
    return True if prefix is None else path == prefix or path.startswith(prefix + "/")


@pytest.mark.parametrize("filling", [[], FILLING])
def test_every_upstream_that_a_route_names_is_rendered(filling: list[Route]) -> None:
    """NOTES, reload: `validate_clusters` refuses a forgotten one, but Envoy does not look into a tree."""
    routes = [route("a", "/a", 1), route("b", "/a/b", 1, host="h.example", anonymous=True), *filling]
    (routing,) = plain(render.rds(1, routes))["resources"]
    clusters = {cluster["name"] for cluster in plain(render.cds(1, routes))["resources"]}
    assert set(re.findall(r'"cluster": "([^"]+)"', json.dumps(routing))) == {"metadata", *clusters}


def test_a_route_that_no_envoy_of_ours_serves_is_not_rendered() -> None:
    """decision.routes: `edge` is None there."""
    bare = route("a", "/a", 1)
    without = type(bare)(name="a", match=bare.match, policy=bare.policy, publication=bare.publication)
    assert names(hosts(without)["any"])[-2:] == ["metadata", "nothing"]
    assert plain(render.cds(1, (without,)))["resources"] == []


def test_an_https_upstream_needs_something_to_verify_it_against() -> None:
    """NOTES, traps: without `validation_context` any certificate is good."""
    with pytest.raises(ValueError, match="nothing to verify it against"):
        render.cds(1, (route("a", "/a", 443, to="partner.example.com", scheme="https"),))


def test_every_local_reply_is_a_row_of_the_dialects_table() -> None:
    """Architecture: rendered from `decision.dialects`, never typed again; only the judge's own words are left alone."""
    judge, denial, *rest = plain(local_reply_config())["mappers"]
    assert judge["status_code"] == 503
    assert "480" in json.dumps(judge["filter"])
    assert not {"body_format_override", "headers_to_add"} & {*judge, *denial}
    for mapper in rest:
        body = json.loads(mapper["body_format_override"]["text_format_source"]["inline_string"])
        headers = {option["header"]["key"]: option["header"]["value"] for option in mapper["headers_to_add"]}
        status = body["code"] // 100 % 1000 if body["code_name"] not in _NAMED else _NAMED[body["code_name"]]
        error = bkapi_error(status)
        assert (body["code"], body["code_name"], body["message"]) == (error.code, error.name, error.message)
        assert headers["x-bkapi-error-code"] == str(error.code)
        assert headers["x-bkapi-error-message"] == error.message
        assert mapper["body_format_override"]["content_type"] == CONTENT_TYPE


_NAMED = {bkapi_error(status).name: status for status in (400, 401, 403, 404, 413, 429, 500, 502, 503, 504)}


def test_what_changes_often_is_not_in_the_listener() -> None:
    """NOTES, files: a change of routes never drains connections."""
    one, two = (
        Plan(listen=("127.0.0.1", 1), data_dir=Path("/d"), routes=(route(name, "/" + name, 1),)) for name in "ab"
    )
    assert render.lds(1, one) == render.lds(1, two)
    assert render.bootstrap(one) == render.bootstrap(two)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (60, "60s"), (0.5, "0.5s"), (7.5, "7.5s"), (0.000000001, "0.000000001s"), (1e6, "1000000s")],
)
def test_durations_are_what_protocol_buffers_read(seconds: float, text: str) -> None:
    """google.protobuf.Duration, JSON mapping."""
    assert duration(seconds) == text


def test_a_percent_sign_in_a_fixed_text_is_no_format() -> None:
    """NOTES, traps: a lone one refuses the listener."""
    assert literal("100 %DURATION%") == "100 %%DURATION%%"
