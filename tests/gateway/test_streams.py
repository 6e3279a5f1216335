"""What is no single exchange: sockets, events, calls of gRPC, bodies that no memory would hold."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import h2.config
import h2.connection
import h2.events
import pytest
from tests.gateway.doubles import SECONDS, exchange, limited, route, running
from tests.gateway.http2 import ask, request
from tests.gateway.streams import Events, Grpc, Sink, Sockets, handshake, peak_kib

from ostiary.decision.reasons import Reason
from ostiary.gateway import reason_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.gateway.doubles import Running

pytestmark = pytest.mark.anyio

MIB = 1 << 20
GRPC = (("content-type", "application/grpc"), ("te", "trailers"))
HANDSHAKE = (("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """A gateway, and the upstreams behind it."""

    edge: Running
    sockets: Sockets
    events: Events


@pytest.fixture(scope="module")
async def streams(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Streams]:
    """One route to each kind of upstream."""
    async with AsyncExitStack() as stack:
        sockets, events, sink, grpc = [
            await stack.enter_async_context(kind()) for kind in (Sockets, Events, Sink, Grpc)
        ]
        routes = (
            route("sockets", "/sockets", sockets.port),
            route("events", "/events", events.port),
            route("sink", "/sink", sink.port),
            limited(route("counted", "/counted", sink.port), body_bytes=2 << 30),
            limited(route("grpc", "/shop.Orders", grpc.port, scheme="h2c"), body_bytes=1000),
        )
        edge = await stack.enter_async_context(running(tmp_path_factory.mktemp("streams"), routes))
        assert isinstance(sockets, Sockets)
        assert isinstance(events, Events)
        yield Streams(edge=edge, sockets=sockets, events=events)


async def test_a_websocket_that_was_allowed_carries_data_both_ways(streams: Streams) -> None:
    """RFC 6455 §4: judged at the handshake, which reaches the upstream as any allowed request does."""
    async with handshake(streams.edge.port, "/sockets/chat") as (reader, writer):
        for frame in (b"\x81\x02hi", b"\x82\x7e\x04\x00" + b"x" * 1024):
            writer.write(frame)
            assert await reader.readexactly(len(frame)) == frame
    head = streams.sockets.head.lower()
    assert head.startswith(b"get /sockets/chat ")
    assert b"upgrade: websocket" in head
    assert b"x-bkapi-app: reader" in head
    assert b"authorization" not in head


@pytest.mark.parametrize(
    ("token", "status"), [("two-challenges", 401), ("forbidden", 403), ("says-unavailable", 503), ("500", 503)]
)
async def test_a_handshake_that_is_refused_is_an_answer_and_the_upstream_never_hears_of_it(
    streams: Streams, token: str, status: int
) -> None:
    """attacks.md, protocol edges: WebSocket is judged at the handshake."""
    streams.sockets.head = b""
    answer = await streams.edge.ask("/sockets", token=token, headers=HANDSHAKE)
    assert answer.status == status
    assert answer.one("x-request-id") == answer.one("x-bkapi-request-id")
    assert streams.sockets.head == b""


@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS"])
async def test_a_handshake_is_a_get(streams: Streams, method: str) -> None:
    """RFC 6455 §4.1, RFC 8441 §4: to an upstream of HTTP/2 each would be the same CONNECT, whatever was judged."""
    streams.sockets.head = b""
    answer = await streams.edge.ask("/sockets", method=method, headers=HANDSHAKE)
    assert (answer.status, answer.one("x-bkapi-error-code"), streams.sockets.head) == (400, "1640001", b"")


async def test_each_event_arrives_before_the_next_is_sent(streams: Streams) -> None:
    """HTML, server-sent events: nothing waits for a buffer to fill; who leaves is missed upstream."""
    reader, writer = await asyncio.open_connection("127.0.0.1", streams.edge.port)
    async with asyncio.timeout(SECONDS):
        writer.write(b"GET /events HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer good\r\n\r\n")
        for number in range(5):
            await streams.events.say.put(f"event {number}")
            assert await reader.readuntil(f"data: event {number}\n\n".encode())
        writer.close()
        await streams.events.left.wait()


async def test_messages_of_grpc_go_both_ways_while_the_call_lasts(streams: Streams) -> None:
    """PROTOCOL-HTTP2 of gRPC: each message as it comes, the status of the upstream in trailers."""
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    connection.initiate_connection()
    connection.send_headers(1, request("/shop.Orders/Watch", *GRPC, method="POST"))
    reader, writer = await asyncio.open_connection("127.0.0.1", streams.edge.port)

    async def until(kind: type[h2.events.DataReceived | h2.events.TrailersReceived]) -> h2.events.Event:
        while True:
            writer.write(connection.data_to_send())
            for event in connection.receive_data(await reader.read(65536)):
                if isinstance(event, kind):
                    return event

    async with asyncio.timeout(SECONDS):
        for message in (b"\0\0\0\0\x03one", b"\0\0\0\0\x03two"):
            connection.send_data(1, message)
            echoed = await until(h2.events.DataReceived)
            assert isinstance(echoed, h2.events.DataReceived)
            assert echoed.data == message
        connection.end_stream(1)
        trailers = await until(h2.events.TrailersReceived)
    assert isinstance(trailers, h2.events.TrailersReceived)
    assert dict(trailers.headers) == {b"grpc-status": b"5", b"grpc-message": b"no such thing"}
    writer.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A call of gRPC, and what becomes of it."""

    status: int
    code: int | None
    token: str = "good"
    path: str = "/shop.Orders/Get"
    size: int = 8
    reason: Reason | None = None


@pytest.mark.parametrize(
    "call",
    [
        Refused(token="two-challenges", status=16, code=1640100),  # UNAUTHENTICATED
        Refused(token="forbidden", status=7, code=1640100),  # PERMISSION_DENIED
        Refused(token="says-unavailable", status=14, code=None),  # UNAVAILABLE
        Refused(token="500", status=14, code=1650300, reason=Reason.EDGE_DECISION),
        Refused(path="/shop.Other/Get", status=12, code=1640401, reason=Reason.ROUTE_UNMATCHED),  # UNIMPLEMENTED
        Refused(size=1001, status=2, code=1641301, reason=Reason.EDGE_BODY_TOO_LARGE),  # UNKNOWN
    ],
    ids=lambda call: f"{call.token}-{call.status}",
)
async def test_a_call_that_is_refused_gets_a_status_of_grpc_and_the_products_body_as_its_message(
    streams: Streams, call: Refused
) -> None:
    """HTTP to gRPC status mapping: a client library shows these, and nothing of an HTTP status."""
    head = request(call.path, *GRPC, method="POST", token=call.token)
    stream = await ask(streams.edge.port, head, body=b"x" * call.size)
    assert (stream.status, stream.headers["content-type"]) == (200, "application/grpc")
    assert stream.headers["grpc-status"] == str(call.status)
    assert json.loads(stream.headers["grpc-message"]).get("code") == call.code
    assert ("www-authenticate" in stream.headers) == (call.status == 16)
    reference = stream.headers["x-request-id"]
    if call.reason is not None:
        assert reason_of(await streams.edge.line(reference)) is call.reason


@pytest.mark.parametrize(
    ("target", "size"),
    [("/sink", 64 * MIB), ("/counted", 64 * MIB), pytest.param("/counted", 1024 * MIB, marks=pytest.mark.long)],
)
async def test_an_upload_passes_through_and_is_kept_nowhere(streams: Streams, target: str, size: int) -> None:
    """Ours: neither Envoy nor a worker grows with a body, be it counted or not."""
    before = peak_kib(streams.edge)
    reader, writer = await asyncio.open_connection("127.0.0.1", streams.edge.port)
    async with asyncio.timeout(6 * SECONDS):
        head = f"POST {target} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer good\r\nContent-Length: {size}\r\n\r\n"
        writer.write(head.encode())
        part = bytes(MIB // 4)
        for _ in range(size // len(part)):
            writer.write(part)
            await writer.drain()
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        assert await reader.readexactly(len(str(size))) == str(size).encode()
    writer.close()
    grown = [after - was for after, was in zip(peak_kib(streams.edge), before, strict=True)]
    assert max(grown) < 16 * 1024, grown


async def test_a_stranger_is_refused_before_his_body_is_sent(streams: Streams) -> None:
    """gateway.md: the decision is asked before a byte of body is read."""
    raw = b"POST /sink HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer forbidden\r\nContent-Length: 999999999\r\n\r\n"
    answer = await exchange(streams.edge.port, raw)
    assert answer is not None
    assert answer.status == 403
