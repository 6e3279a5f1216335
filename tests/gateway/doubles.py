"""What the gateway's tests talk to and through: an upstream that repeats, a client of bytes, a gateway that runs."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import h11
from tests.samples import POLICY, PUBLICATION
from tests.waiting import until

from ostiary.decision.routes import Cors, Edge, Match, Route
from ostiary.decision.routes import Upstream as Address
from ostiary.gateway import EdgeLine, Gateway, Plan

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Sequence

SECONDS: Final = 10.0  # no wait is longer
WORKER: Final = (sys.executable, str(Path(__file__).with_name("decision_double.py")))


def free_port() -> int:
    """A port that nobody has just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def route(
    name: str,
    path: str,
    port: int,
    *,
    methods: str = "",
    host: str | None = None,
    to: str = "127.0.0.1",
    scheme: str = "http",
    strip_prefix: bool = False,
    anonymous: bool = False,
    forward_token: bool = False,
    timeout: float | None = 60.0,
) -> Route:
    """A route as settings would make it; `methods` as in `GET,POST`, empty for all."""
    return Route(
        name=name,
        match=Match(path=path, methods=frozenset(methods.split(",")) if methods else None, host=host),
        policy=POLICY,
        publication=PUBLICATION,
        edge=Edge(
            upstream=Address(scheme=scheme, host=to, port=port),
            strip_prefix=strip_prefix,
            upstream_timeout_seconds=timeout,
            unsafe_forward_token=forward_token,
        ),
        unsafe_anonymous=anonymous,
    )


def limited(
    made: Route, *, max_stream: float | None = None, body_bytes: int | None = None, cors: Cors | None = None
) -> Route:
    """The same route with limits, or for pages of other origins."""
    assert made.edge is not None
    edge = replace(made.edge, max_stream_seconds=max_stream, body_bytes=body_bytes, cors=cors)
    return replace(made, edge=edge)


def routes_to(port: int) -> tuple[Route, ...]:
    """One of each kind, all to one upstream but for `dead`."""
    return (
        route("api", "/api", port),
        route("read", "/group", port, methods="GET"),
        route("write", "/group", port, methods="POST,PUT"),
        route("deep", "/deep", port),
        route("deeper", "/deep/er", port, methods="GET"),
        route("stripped", "/strip.ped", port, strip_prefix=True),
        route("open", "/open", port, anonymous=True),
        route("forwarded", "/forwarded", port, forward_token=True),
        route("named", "/named", port, to="localhost"),
        route("impatient", "/impatient", port, timeout=0.3),
        route("dead", "/dead", free_port()),
        route("hosted", "/", port, host="api.example.com", methods="GET"),
        route("hosted-deep", "/deep/er", port, host="api.example.com"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a client got; header names in lower case."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def one(self, name: str) -> str:
        (value,) = self.all(name)
        return value

    def echo(self) -> Echo:
        """What reached the upstream."""
        members = json.loads(self.body)
        return Echo(
            method=members["method"],
            target=members["target"],
            headers=tuple((name, value) for name, value in members["headers"]),
            body=members["body"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo:
    """A request, as an upstream saw it."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: str

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    @property
    def names(self) -> set[str]:
        return {name for name, _ in self.headers}

    def judged(self) -> Judged:
        """What the decision service had been asked, as it told the upstream in its identity header."""
        (jwt,) = self.all("x-bkapi-jwt")
        seen = json.loads(base64.b64decode(jwt))
        return Judged(line=seen["line"], headers=tuple((n, v) for n, v in seen["headers"]), pid=seen["pid"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A question, as the decision service saw it."""

    line: str
    headers: tuple[tuple[str, str], ...]
    pid: int

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]


class Upstream:
    """An HTTP/1.1 server that repeats the request, and says in its headers what the gateway must not let through.

    A path that ends in `/close`, `/garbage` or `/silence` gets no answer, one that is not HTTP, or none at all.
    `/events` begins an answer and goes on only when `go_on` is set.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._server: asyncio.Server | None = None
        self.port = 0
        self.go_on = asyncio.Event()
        self.asked_for_events = asyncio.Event()
        self.heads = 0
        self._open: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for writer in tuple(self._open):
            writer.transport.abort()
        await asyncio.sleep(0)  # the transports close in the loop's next round

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER)
        self._open.add(writer)
        try:
            while await self._answer(connection, reader, writer):
                connection.start_next_cycle()
        except (h11.ProtocolError, ConnectionError):
            pass
        self._open.discard(writer)
        writer.close()

    async def _answer(
        self, connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """One exchange; whether the connection can have another."""
        request, body = await self._request(connection, reader)
        last = request.target.split(b"?")[0].rsplit(b"/", 1)[-1]
        if last == b"silence":
            await reader.read()  # until the other side gives up
        elif last == b"garbage":
            writer.write(b"220 this is not HTTP\r\n")
        elif last == b"events":
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nfirst")
            self.asked_for_events.set()
            await self.go_on.wait()
            writer.write(b"-last")
        elif last != b"close":
            seen = {
                "method": request.method.decode(),
                "target": request.target.decode("latin-1"),
                "headers": [(name.decode(), value.decode("latin-1")) for name, value in request.headers],
                "body": body.decode("latin-1"),
            }
            content = json.dumps(seen).encode()
            headers = [*_LEAKS, *_PAGES, (b"content-length", b"%d" % len(content))]
            writer.write(connection.send(h11.Response(status_code=200, headers=headers)) or b"")
            writer.write(connection.send(h11.Data(data=content)) or b"")  # h11 drops it where the request was HEAD
            connection.send(h11.EndOfMessage())
        return connection.our_state is h11.DONE

    async def _request(self, connection: h11.Connection, reader: asyncio.StreamReader) -> tuple[h11.Request, bytes]:
        request: h11.Request | None = None
        body = b""
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(65536))
            elif isinstance(event, h11.Request):
                request = event
                self.heads += 1
            elif isinstance(event, h11.Data):
                body += event.data
            else:
                raise ConnectionResetError
        assert request is not None
        return request, body


_PAGES: Final = [  # its own word about pages of other origins
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-credentials", b"true"),
    (b"access-control-expose-headers", b"x-secret"),
    (b"vary", b"Accept"),
]
_LEAKS: Final = [
    (b"content-type", b"application/json"),
    (b"server", b"nginx"),
    (b"x-powered-by", b"PHP"),
    (b"x-bkapi-jwt", b"leaked"),
    (b"x-request-id", b"upstreams-own"),
    (b"x-ostiary-route", b"leaked"),
    (b"x-envoy-upstream-service-time", b"1"),
]


async def exchange(port: int, raw: bytes, *, method: str = "GET") -> Answer | None:
    """Send bytes, read one answer; None if the connection is closed without one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    connection.send(h11.Request(method=method, target="/", headers=[("host", "h"), ("connection", "close")]))
    connection.send(h11.EndOfMessage())
    head: h11.Response | None = None
    body = b""
    try:
        async with asyncio.timeout(SECONDS):
            writer.write(raw)
            while True:
                event = connection.next_event()
                if event is h11.NEED_DATA:
                    connection.receive_data(await _read(reader))
                elif isinstance(event, h11.Response):
                    head = event
                elif isinstance(event, h11.Data):
                    body += event.data
                elif not isinstance(event, h11.InformationalResponse):
                    break
    except h11.RemoteProtocolError:
        if head is not None:
            raise
    finally:
        writer.close()
    if head is None:
        return None
    headers = tuple((name.decode(), value.decode("latin-1")) for name, value in head.headers)
    return Answer(status=head.status_code, headers=headers, body=body)


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(65536)
    except ConnectionError:
        return b""


@dataclass(slots=True)
class Running:
    """A gateway, and what it has said."""

    gateway: Gateway
    plan: Plan
    lines: dict[str, EdgeLine] = field(default_factory=dict)
    events: list[tuple[str, str, dict[str, object]]] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def port(self) -> int:
        return self.plan.listen[1]

    def take(self, line: EdgeLine) -> None:
        self.lines[line.reference or ""] = line
        self._news.set()

    def log(self, level: str, event: str, /, **fields: object) -> None:
        self.events.append((level, event, fields))
        self._news.set()

    async def line(self, reference: str) -> EdgeLine:
        """The access line of a reference, as soon as it comes."""
        await self.until(lambda: reference in self.lines)
        return self.lines[reference]

    async def logged(self, event: str) -> dict[str, object]:
        """The fields of an event, as soon as it is said."""
        await self.until(lambda: any(said == event for _, said, _ in self.events))
        return next(fields for _, said, fields in self.events if said == event)

    async def ended(self, pid: int) -> None:
        """Until the supervisor has noticed that this process is gone."""
        await self.until(lambda: pid not in self.gateway.pids)

    def told(self, worker: int) -> list[str]:
        """What `decision_double` wrote down of its supervisor's words."""
        return (self.plan.data_dir / f"told-{worker}.log").read_text().splitlines()

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(SECONDS):
            while not true():
                self._news.clear()
                await self._news.wait()

    async def until_ready(self) -> None:
        await until(self.gateway.ready)

    async def send(self, raw: bytes, *, method: str = "GET") -> Answer:
        """Send bytes that must be answered."""
        answer = await exchange(self.port, raw, method=method)
        assert answer is not None, "the connection was closed without an answer"
        return answer

    async def ask(
        self,
        target: str,
        *,
        token: str | None = "good",
        method: str = "GET",
        host: str = "bkapi.example.com",
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> Answer:
        """Ask with a token; `decision_double` says what each comes to, any other is allowed."""
        fields = [("Host", host), ("Connection", "close"), *headers]
        if token is not None:
            fields.append(("Authorization", "Bearer " + token))
        if body:
            fields.append(("Content-Length", str(len(body))))
        head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields) + "\r\n"
        return await self.send(head.encode("latin-1") + body, method=method)


def make(
    directory: Path, routes: tuple[Route, ...], plan: Plan | None = None, configuration: bytes = b"one"
) -> Running:
    """A gateway that has not been started; `plan` for all but its routes, folder and port."""
    base = plan or Plan(listen=("127.0.0.1", 0), data_dir=directory, routes=())
    listen = base.listen if base.listen[1] else ("127.0.0.1", free_port())
    plan = replace(base, data_dir=directory / "var", listen=listen, routes=routes)

    def take(line: EdgeLine) -> None:
        started.take(line)

    def log(level: str, event: str, /, **fields: object) -> None:
        started.log(level, event, **fields)

    gateway = Gateway(
        plan,
        worker_command=WORKER,
        configuration=configuration,
        origin=directory / "ostiary.yaml",
        on_edge_line=take,
        log=log,
    )
    started = Running(gateway=gateway, plan=plan)
    return started


@asynccontextmanager
async def running(
    directory: Path, routes: tuple[Route, ...], plan: Plan | None = None, configuration: bytes = b"one"
) -> AsyncIterator[Running]:
    """A gateway while the block runs."""
    made = make(directory, routes, plan, configuration)
    async with made.gateway:
        yield made
