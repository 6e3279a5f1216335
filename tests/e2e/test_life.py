"""A gateway that is changed and ended while it is used: `ostiary serve` as a process, under load."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Final

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as HttpRoute
from tests.authorities.peer import rfc7662
from tests.decision_row import PUBLIC_URL
from tests.e2e.authority import Authority, active, says
from tests.e2e.serving import serving, write
from tests.integrations.judging import GATE

from ostiary.devserver import Listener

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.requests import Request
    from tests.e2e.serving import Served

    from ostiary.oauth.json import JsonValue

GOOD: Final = "a-good-token"
ENVIRON: Final = {"OPERATOR": "o" * 40, "SECRET": GATE.secret}
CLIENTS: Final = 4


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with closing(Authority({GOOD: says(active())})) as authority:
        yield authority.start()


def members(issuer: str, upstream: str, *, refuses: bool = False) -> dict[str, JsonValue]:
    """Two routes: one that admits the token always, one that may demand what it lacks."""

    def route(name: str, scopes: list[JsonValue]) -> dict[str, JsonValue]:
        return {
            "name": name,
            "gateway": "my-gateway",
            "resource": "my-api",
            "match": {"path": f"/{name}"},
            "upstream": upstream,
            "authorization_server": "corp",
            "scopes": scopes,
        }

    return {
        "decision_log": {"sample_allows": 0},
        "gateway": {"public_url": PUBLIC_URL},
        "authorization_servers": {"corp": rfc7662(issuer)},
        "routes": [route("steady", []), route("wavering", ["never.granted"] if refuses else [])],
    }


class Client(threading.Thread):
    """Asks again and again on one connection, and counts what comes back, what is lost too."""

    def __init__(self, port: int, path: str, done: threading.Event) -> None:
        super().__init__()
        self.statuses: Counter[int | str] = Counter()
        self._port = port
        self._path = path
        self._done = done

    def run(self) -> None:
        with closing(HTTPConnection("127.0.0.1", self._port, timeout=20)) as connection:
            while not self._done.is_set():
                try:
                    connection.request("GET", self._path, headers={"Authorization": f"Bearer {GOOD}"})
                    response = connection.getresponse()
                    response.read()
                    self.statuses[response.status] += 1
                except OSError as error:
                    self.statuses[type(error).__name__] += 1


@pytest.mark.timeout(600)
@pytest.mark.parametrize("reloads", [15, pytest.param(200, marks=pytest.mark.long)])
def test_reloads_under_load_lose_and_misjudge_nothing(tmp_path: Path, issuer: str, upstream: str, reloads: int) -> None:
    """Architecture, reload: no restart, no dropped request, and who is refused now is refused at once."""
    file = write(tmp_path, members(issuer, upstream))
    done = threading.Event()
    with serving(file, ENVIRON, level="info") as served:
        clients = [Client(served.port, path, done) for path in ("/steady", "/wavering") * (CLIENTS // 2)]
        for client in clients:
            client.start()
        try:
            wrong = [number for number in range(1, reloads + 1) if not _reload(served, issuer, upstream, number)]
        finally:
            done.set()
            for client in clients:
                client.join()
        assert served.end(signal.SIGTERM) == 0
    counted = {client: dict(client.statuses) for client in clients}
    assert wrong == []
    assert [set(client.statuses) for client in clients[::2]] == [{200}] * (CLIENTS // 2), counted
    assert [set(client.statuses) for client in clients[1::2]] == [{200, 403}] * (CLIENTS // 2), counted
    assert sum(client.statuses.total() for client in clients) > 10 * reloads


def _reload(served: Served, issuer: str, upstream: str, number: int) -> bool:
    """Change the file, have it read, and see that the new one decides the very next request."""
    whole = json.loads(served.file.read_bytes())
    refuses = number % 2 == 1
    served.file.write_text(json.dumps(whole | {"routes": members(issuer, upstream, refuses=refuses)["routes"]}))
    served.process.send_signal(signal.SIGHUP)
    assert served.stderr.wait_for(b'"reloaded"', number), [line for line in served.stderr.lines if b"reload" in line]
    answer = served.send("GET", "/wavering", (("Authorization", b"Bearer " + GOOD.encode()),))
    return answer.status == (403 if refuses else 200)


def test_a_stream_that_does_not_end_is_cut_and_counted(tmp_path: Path, issuer: str) -> None:
    """configuration.md, `serve`: SIGTERM drains and ends within 15 s with exit 0."""
    with socket.create_server(("127.0.0.1", 0)) as endless:
        upstream = f"http://127.0.0.1:{endless.getsockname()[1]}"
        with serving(write(tmp_path, members(issuer, upstream)), ENVIRON) as served:
            with closing(HTTPConnection("127.0.0.1", served.port, timeout=20)) as connection:
                connection.request("GET", "/steady", headers={"Authorization": f"Bearer {GOOD}"})
                stream, _ = endless.accept()
                with stream:
                    stream.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nlive\r\n")
                    assert connection.getresponse().read(4) == b"live"
                    began = time.monotonic()
                    assert served.end(signal.SIGTERM) == 0
                    assert time.monotonic() - began < 15
            (line,) = [line for line in served.stderr.lines if b"still running" in line]
            assert json.loads(line)["cut"] == 1


@dataclass(slots=True)
class Slow:
    """Answers a question when it is told to."""

    asked: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    async def __call__(self, _: Request) -> Response:
        self.asked.set()
        await asyncio.to_thread(self.released.wait, 20)
        return JSONResponse(active())


@contextmanager
def upstreams(*names: str) -> Iterator[list[str]]:
    """One for each name, which it answers."""
    with ExitStack() as stack:
        yield [stack.enter_context(closing(Listener(partial(_says, name)))).start() for name in names]


def _says(name: str) -> Starlette:
    async def answer(_: Request) -> Response:
        return Response(name)

    return Starlette(routes=[HttpRoute("/{path:path}", answer)])


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"name": "api", "resource": "secret"}, 403),
        ({"name": "renamed"}, 200),
        ({"name": "elsewhere", "match": {"path": "/elsewhere"}}, 404),
    ],
    ids=["moved", "renamed", "removed"],
)
def test_what_arrived_before_a_reload_goes_where_it_was_judged_to_go(
    tmp_path: Path, change: dict[str, JsonValue], status: int
) -> None:
    """Architecture, reload: no dropped request; and what an old policy admits does not reach a new place."""
    slow = Slow()
    bearer = (("Authorization", b"Bearer " + GOOD.encode()),)
    with closing(Authority({GOOD: slow})) as authority, upstreams("old", "new") as (old, new):
        corp = rfc7662(authority.start(), timeout="20s")
        route: dict[str, JsonValue] = {
            "name": "api",
            "gateway": "my-gateway",
            "resource": "my-api",
            "match": {"path": "/api"},
            "upstream": old,
            "authorization_server": "corp",
        }
        whole: dict[str, JsonValue] = {
            "gateway": {"public_url": PUBLIC_URL, "decision_timeout": "20s"},
            "authorization_servers": {"corp": corp},
        }
        with serving(write(tmp_path, {**whole, "routes": [route]}), ENVIRON) as served, ThreadPoolExecutor() as pool:
            waiting = pool.submit(served.send, "GET", "/api", bearer)
            assert slow.asked.wait(20)
            changed = json.loads(served.file.read_bytes()) | {"routes": [route | {"upstream": new} | change]}
            served.file.write_text(json.dumps(changed), encoding="ascii")
            served.process.send_signal(signal.SIGHUP)
            assert served.stderr.wait_for(b'"reloaded"')
            slow.released.set()
            answer = waiting.result(20)
            assert (answer.status, answer.body) == (200, b"old")
            assert served.send("GET", "/api", bearer).status == status
