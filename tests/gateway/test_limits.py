"""How much a client may send, and how long an exchange may last."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.gateway.doubles import SECONDS, exchange, limited, route, running
from tests.gateway.http2 import ask, request
from tests.gateway.streams import Sockets, handshake

from ostiary.decision.reasons import Reason
from ostiary.gateway import Reloaded, reason_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.gateway.doubles import Answer, Running, Upstream

pytestmark = pytest.mark.anyio

LIMIT = 1000
DRAINED = "the listener changed: open connections are drained, streams end within 60 s"


@pytest.fixture(scope="module")
async def sockets() -> AsyncIterator[Sockets]:
    """An upstream that takes every upgrade."""
    async with Sockets() as started:
        yield started


@pytest.fixture(scope="module")
async def bounded(
    tmp_path_factory: pytest.TempPathFactory, upstream: Upstream, sockets: Sockets
) -> AsyncIterator[Running]:
    """Routes with limits."""
    routes = (
        limited(route("small", "/small", upstream.port), body_bytes=LIMIT),
        limited(route("smaller", "/smaller", upstream.port), body_bytes=10),
        route("any", "/small/any", upstream.port),
        limited(route("open", "/open", upstream.port, anonymous=True), body_bytes=LIMIT),
        limited(route("brief", "/brief", upstream.port), max_stream=0.3),
        limited(route("socket", "/socket", sockets.port), body_bytes=LIMIT),
        limited(route("brief-socket", "/brief-socket", sockets.port), max_stream=0.3),
    )
    async with running(tmp_path_factory.mktemp("bounded"), routes) as started:
        yield started


async def post(edge: Running, target: str, size: int, *, chunked: bool = False, token: str = "good") -> Answer:
    """Send a body, with a length or in two chunks."""
    body = b"x" * size
    if not chunked:
        return await edge.ask(target, method="POST", token=token, body=body)
    half = size // 2
    content = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:half], body[half:])) + b"0\r\n\r\n"
    head = f"POST {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n"
    return await edge.send(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + content)


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("target", ["/small", "/open"])
async def test_exactly_as_much_as_the_limit_passes_and_one_byte_more_is_413(
    bounded: Running, target: str, *, chunked: bool
) -> None:
    """gateway.md, Routes, `body_bytes`: by its length or counted."""
    assert (await post(bounded, target, LIMIT, chunked=chunked)).echo().body == "x" * LIMIT
    answer = await post(bounded, target, LIMIT + 1, chunked=chunked)
    assert (answer.status, answer.one("x-bkapi-error-code")) == (413, "1641301")
    assert reason_of(await bounded.line(answer.one("x-request-id"))) is Reason.EDGE_BODY_TOO_LARGE


async def test_no_log_line_has_what_stands_in_the_query(bounded: Running) -> None:
    """attacks.md, credentials in logs: Envoy names the target of a body that is too large, at `error`."""
    path = next(route.match.path for route in bounded.plan.routes if route.edge and route.edge.body_bytes)
    refused = await bounded.ask(path + "?sig=Canary-7f3a9c", method="POST", body=b"x" * 100_000)
    assert refused.status == 413
    await bounded.line(refused.one("x-request-id"))
    said = [fields["message"] for _, _, fields in bounded.events if "exceeds maximum" in str(fields.get("message"))]
    assert said
    assert "Canary" not in repr(bounded.events)
    assert {level for level, _, fields in bounded.events if fields.get("message") in said} == {"debug"}


async def test_a_body_over_http_2_without_a_length_is_counted(bounded: Running) -> None:
    """gateway.md, Routes, `body_bytes`."""
    stream = await ask(bounded.port, request("/small", method="POST"), body=b"x" * LIMIT)
    assert json.loads(stream.body)["body"] == "x" * LIMIT
    assert (await ask(bounded.port, request("/small", method="POST"), body=b"x" * (LIMIT + 1))).status == 413


async def test_each_route_has_its_own_limit_and_some_have_none(bounded: Running) -> None:
    """gateway.md, Routes, `body_bytes`: no limit by default."""
    assert (await post(bounded, "/smaller", 11)).status == 413
    assert (await post(bounded, "/small", 11)).status == 200
    assert (await post(bounded, "/small/any", 100 * LIMIT)).status == 200


async def test_a_stranger_is_told_that_he_is_one_and_not_how_much_he_may_send(bounded: Running) -> None:
    """gateway.md, Routes, `body_bytes`: 413 after authentication."""
    assert (await post(bounded, "/small", LIMIT + 1, token="two-challenges")).status == 401


async def test_of_a_body_whose_length_is_too_large_the_upstream_never_hears(
    bounded: Running, upstream: Upstream
) -> None:
    """gateway.md, Routes, `body_bytes`: refused before a byte of it was sent."""
    before = upstream.heads
    raw = b"POST /small HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer good\r\nContent-Length: 9999999\r\n\r\n"
    answer = await exchange(bounded.port, raw)
    assert answer is not None
    assert (answer.status, upstream.heads) == (413, before)


async def test_after_an_upgrade_nothing_is_counted(bounded: Running) -> None:
    """ours: frames are no body. Until the upstream agrees none of them is sent, so it is no way round the limit."""
    async with handshake(bounded.port, "/socket") as (reader, writer):
        for _ in range(3):
            writer.write(b"f" * LIMIT)
            assert await reader.readexactly(LIMIT) == b"f" * LIMIT


async def test_a_body_behind_a_handshake_does_not_reach_an_upstream_that_declines_it(
    bounded: Running, sockets: Sockets
) -> None:
    """ours: `Upgrade: websocket` must not lift the limit of a body."""
    headers = "Connection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n"
    content = b"%x\r\n%s\r\n0\r\n\r\n" % (2 * LIMIT, b"x" * 2 * LIMIT)
    raw = f"GET /socket/no HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer good\r\n{headers}\r\n".encode() + content
    answer = await exchange(bounded.port, raw)
    assert answer is not None
    assert (answer.status, sockets.behind_declined) == (200, b"")
    assert b"GET /socket/no" in sockets.head


async def test_an_event_stream_on_a_route_with_a_limit_is_an_event_stream(bounded: Running, upstream: Upstream) -> None:
    """ours: the filter counts what comes in, and holds nothing back of what goes out."""
    upstream.go_on.clear()
    reader, writer = await asyncio.open_connection("127.0.0.1", bounded.port)
    async with asyncio.timeout(SECONDS):
        writer.write(b"GET /small/events HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer good\r\n\r\n")
        assert await reader.readuntil(b"first")
        upstream.go_on.set()
        assert await reader.readexactly(5) == b"-last"
    writer.close()


async def test_an_exchange_that_has_no_answer_in_time_is_504(bounded: Running) -> None:
    """gateway.md, Routes, `max_stream`; a client that has not sent all of its body is the late one: 408."""
    answer = await bounded.ask("/brief/silence")
    assert (answer.status, answer.one("x-bkapi-error-code")) == (504, "1650401")
    assert reason_of(await bounded.line(answer.one("x-request-id"))) is Reason.EDGE_TIMEOUT
    half = b"POST /brief HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer good\r\nContent-Length: 9\r\n\r\nhalf"
    late = await exchange(bounded.port, half)
    assert late is not None
    assert late.status == 408


async def test_an_answer_that_is_not_over_in_time_is_cut(bounded: Running, upstream: Upstream) -> None:
    """gateway.md, Routes, `max_stream`: a token may expire while its stream lives."""
    upstream.go_on.clear()
    reader, writer = await asyncio.open_connection("127.0.0.1", bounded.port)
    async with asyncio.timeout(SECONDS):
        writer.write(b"GET /brief/events HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer good\r\n\r\n")
        assert (await reader.read()).endswith(b"first")  # five of the ten bytes that were promised
    writer.close()
    upstream.go_on.set()


async def test_a_websocket_ends_with_max_stream_however_much_is_said(bounded: Running, sockets: Sockets) -> None:
    """gateway.md, Routes, `max_stream`."""
    async with handshake(bounded.port, "/brief-socket") as (reader, writer):
        with pytest.raises(ConnectionError):  # noqa: PT012 - it is cut while we talk
            while True:
                writer.write(b"x")
                await writer.drain()
                if not await reader.read(1):
                    raise ConnectionResetError


async def test_a_new_limit_changes_the_listener_and_one_that_goes_does_not(tmp_path: Path, upstream: Upstream) -> None:
    """configuration.md: a new `body_bytes` changes the listener and the reload says that; the rest reloads quietly."""
    api = route("api", "/api", upstream.port)
    async with running(tmp_path, (api,)) as edge:

        async def reload(number: int, limit: int | None) -> Reloaded:
            plan = replace(edge.plan, routes=(limited(api, body_bytes=limit),))
            outcome = await edge.gateway.reload(b"n%d" % number, plan)
            assert isinstance(outcome, Reloaded)
            return outcome

        assert (await reload(2, 10)).notes == (DRAINED,)
        async with asyncio.timeout(SECONDS):  # the listener comes last
            while (await post(edge, "/api", 11)).status != 413:
                pass
        assert (await reload(3, None)).notes == ()
        assert (await post(edge, "/api", 11)).status == 200
        assert (await reload(4, 10)).notes == ()
        assert (await post(edge, "/api", 11)).status == 413
