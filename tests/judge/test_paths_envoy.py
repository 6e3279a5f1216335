"""The real Envoy on the gateway's own files, and `judge.paths` with the router, are given the same targets.

They must come to the same path and the same route, or to the same refusal.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.judge.one_edge import EVERYTHING, HOST, running_edge

from ostiary.judge.generations import route_key
from ostiary.judge.paths import is_canonical, normalise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.judge.one_edge import RunningEdge

# Envoy's own parser, not its path rules, ends the request line here.
FRAMING = frozenset(b" \r\n")
# RFC 9112 §3.2: in no target, be it behind the path.
NO_TARGET = re.compile(rb"[^!-~]|#")

RAW_BYTES = [b"/x" + bytes([byte]) + b"y" for byte in range(256) if byte not in FRAMING]
ESCAPES = [form % byte for byte in range(256) for form in (b"/x%%%02Xy", b"/x%%%02xy")]
DOTS = [
    segment.encode()
    for segment in (".", "..", "...", "%2e", "%2E%2e", ".%2e", "%2e.", ".;", "..;", "..;x", ".;x;y", "%2e%2e;", "..%3b")
]
PLACES = [
    b"/%s",
    b"/%s/",
    b"/a/%s",
    b"/a/b/%s/",
    b"/a/%s/b",
    b"/a//%s/b",
    b"/a/b\\%s\\c",
    b"/a/%s//%s/b",
    b"/a/x%s/b",
]
DOT_SEGMENTS = [place.replace(b"%s", segment) for place in PLACES for segment in DOTS]
BY_HAND = Path(__file__).with_name("targets.txt").read_bytes().split()
CORPUS = [*RAW_BYTES, *ESCAPES, *DOT_SEGMENTS, *BY_HAND]

PIECES = st.sampled_from(
    [*'//..;\\ab14%?"|#~:[\x7fé', "..", "%2e", "%2E", "%4", "%31", "%61", "%25", "%2f", "%00", "%3b", "%zz", "x;y"]
)
TARGETS = st.lists(PIECES, max_size=12).map(lambda pieces: b"/" + "".join(pieces).encode())


@pytest.fixture(scope="module", params=[0, 200], ids=["few", "many"])
def edge(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[RunningEdge]:
    """One Envoy that tries its routes one by one, and one that finds them in a tree."""
    with running_edge(tmp_path_factory.mktemp("edge"), request.param) as running:
        yield running


def path_of(target: bytes) -> str | None:
    """What we make of a target; None: the edge refuses it."""
    return None if NO_TARGET.search(target) else normalise(target.partition(b"?")[0])


def difference(edge: RunningEdge, target: bytes) -> str | None:
    """What the two do not agree on: the path, and where every path is let through, the route."""
    seen = edge.ask(target)
    path = path_of(target)
    theirs = seen.path if seen.status == 200 else None
    if theirs != path:
        return f"{target!r}: Envoy {seen.status} {theirs!r}, we {path!r}"
    if path is None:
        return None
    matched = edge.table.match(host=HOST, path=path, method="GET")
    expected = (404, "") if matched is None else (200, route_key(1, matched.name))
    routed = edge.ask(target, HOST)
    return None if (routed.status, routed.route) == expected else f"{target!r}: Envoy {routed}, we {expected}"


def test_envoy_and_the_router_read_every_target_alike(edge: RunningEdge) -> None:
    """Contract gateway, Routes: the path corpus through Envoy and the router, the same path or refusal."""
    assert len(set(CORPUS)) > 800
    assert [found for target in CORPUS if (found := difference(edge, target))] == []


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(target=TARGETS)
def test_envoy_and_the_router_read_made_up_targets_alike(edge: RunningEdge, target: bytes) -> None:
    """Contract gateway, Routes: an attacker chooses the path."""
    assert difference(edge, target) is None


def test_a_canonical_target_leaves_envoy_as_it_came(edge: RunningEdge) -> None:
    """Contract forward-auth: what the proxy would not route differently."""
    canonical = [target for target in CORPUS if is_canonical(target)]
    assert len(canonical) > 200
    assert [target for target in canonical if edge.ask(target).target != target] == []


@pytest.mark.parametrize("target", ["/a/../b", "//b", "/%62", "/a/..;/b?x"])
def test_of_an_absolute_form_envoy_takes_the_path(edge: RunningEdge, target: str) -> None:
    """RFC 9112 §3.2.2: so it does not arrive at a door behind it; one before which nobody stands refuses it."""
    absolute = b"HTTP://" + EVERYTHING.encode() + b":80" + target.encode()
    assert edge.ask(absolute, HOST).path == "/b"
    assert normalise(absolute.partition(b"?")[0]) is None
    assert not is_canonical(absolute)
