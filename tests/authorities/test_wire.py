"""What an authority can do to a connection, and what it comes to."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import tracemalloc
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
import trustme
from tests.authorities.peer import ACTIVE, SECRET, TOKEN, hangs, listening, response, says
from tests.waiting import until

from ostiary.authorities.wire import Answer, Ask, Wire
from ostiary.oauth.introspection import MAX_ANSWER_BYTES, Cause, Unavailable

if TYPE_CHECKING:
    from tests.authorities.peer import Request

pytestmark = pytest.mark.anyio

_HUGE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000000000\r\n\r\n"


async def _ask(url: str, *, seconds: float = 10.0, tls: ssl.SSLContext | None = None) -> Answer | Unavailable:
    wire = Wire(tls or ssl.create_default_context())
    ask = Ask(url=url + "/introspect", headers={b"X-Secret": SECRET.encode()}, content=TOKEN.encode())
    try:
        return await wire.ask(ask, seconds=seconds)
    finally:
        await wire.aclose()


def _cause(told: Answer | Unavailable) -> Cause:
    assert isinstance(told, Unavailable)
    assert SECRET not in told.note
    assert TOKEN not in told.note
    return told.cause


async def test_an_answer_is_status_media_type_and_body() -> None:
    """Ours."""
    reply = response(b"{}", headers={"Content-Type": "Application/JSON; charset=utf-8"})
    async with listening(reply) as peer:
        assert await _ask(peer.url) == Answer(status=200, media_type="application/json", body=b"{}")


async def test_a_question_asks_for_json_as_it_is_and_says_who_asks() -> None:
    """Ours: `identity`, so that there is nothing to inflate."""
    async with listening(says(ACTIVE)) as peer:
        await _ask(peer.url)
    headers = peer.requests[0].headers
    assert (headers["accept"], headers["accept-encoding"], headers["user-agent"]) == (
        "application/json",
        "identity",
        "ostiary",
    )
    assert peer.requests[0].body == TOKEN.encode()


async def test_a_port_where_nobody_listens_is_refused() -> None:
    """Attack table: failing open."""
    async with listening() as peer:
        pass
    told = await _ask(peer.url)
    assert _cause(told) is Cause.REFUSED
    assert isinstance(told, Unavailable)
    assert told.note == "ConnectionRefusedError"


@pytest.mark.parametrize("host", ["op.invalid", "op..invalid", "a" * 64 + ".invalid"])
async def test_a_name_that_cannot_be_looked_up_is_refused(host: str) -> None:
    """Attack table: failing open (DNS failure), RFC 6761 §6.4."""
    assert _cause(await _ask(f"http://{host}:1")) is Cause.REFUSED


async def test_a_server_that_hangs_is_given_up() -> None:
    """Attack table: failing open."""
    async with listening(hangs) as peer:
        assert _cause(await _ask(peer.url, seconds=0.05)) is Cause.TIMEOUT


async def test_a_slow_drip_is_given_up_as_well() -> None:
    """Attack table: failing open. Every byte comes in time; all of them together do not."""

    async def drips(_: Request, writer: asyncio.StreamWriter) -> None:
        for byte in says(ACTIVE):
            writer.write(bytes((byte,)))
            await writer.drain()
            await asyncio.sleep(0.005)  # the drip itself

    async with listening(drips) as peer:
        assert _cause(await _ask(peer.url, seconds=0.1)) is Cause.TIMEOUT


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n{}",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x00\xff" * 50,
    ],
)
async def test_an_answer_that_breaks_is_no_answer(reply: bytes) -> None:
    """Attack table: failing open (truncated, garbled)."""
    async with listening(reply) as peer:
        assert _cause(await _ask(peer.url)) is Cause.BROKEN


async def test_a_huge_answer_is_read_no_further_than_one_mebibyte() -> None:
    """Attack table: failing open (200 with 1 GB)."""

    async def floods(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(_HUGE)
        while True:
            writer.write(b" " * 65_536)
            await writer.drain()
            peer.written += 65_536

    async with listening(floods) as peer:
        tracemalloc.start()
        try:
            assert _cause(await _ask(peer.url)) is Cause.TOO_LARGE
            await until(lambda: not peer.conversations)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 8 * MAX_ANSWER_BYTES
    assert peer.written < 16 * MAX_ANSWER_BYTES  # the rest is what the sockets hold


@pytest.mark.parametrize(("size", "fits"), [(MAX_ANSWER_BYTES, True), (MAX_ANSWER_BYTES + 1, False)])
async def test_the_bound_is_exact(size: int, fits: bool) -> None:  # noqa: FBT001  # a row's expectation
    """Contract, gateway: one JSON object of at most 1 MiB."""
    async with listening(response(b" " * size)) as peer:
        told = await _ask(peer.url)
    assert isinstance(told, Answer) is fits


async def test_an_encoded_answer_is_not_inflated() -> None:
    """Attack table: failing open (a decompression bomb: 100 MB in 100 KB)."""
    bomb = gzip.compress(b" " * 100_000_000, compresslevel=1)
    for encoding in ("gzip", "GZIP", "gzip, gzip", "x-unknown"):
        async with listening(response(bomb, headers={"Content-Encoding": encoding})) as peer:
            assert _cause(await _ask(peer.url)) is Cause.NOT_JSON


@pytest.mark.parametrize("status", [204, 301, 302, 307, 308, 401, 403, 404, 429, 500, 502, 503])
async def test_of_most_answers_only_the_status_counts(status: int) -> None:
    """Ours: the body of an error is not read, however long it is."""
    reply = f"HTTP/1.1 {status} X\r\nLocation: /elsewhere\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
    async with listening(reply) as peer:
        assert await _ask(peer.url) == Answer(status=status, media_type="", body=b"")
        assert [request.target for request in peer.requests] == ["/introspect"]


async def test_no_cookie_is_kept() -> None:
    """Ours: a session at the authority would tie unrelated tokens together."""
    wire = Wire(ssl.create_default_context())
    async with listening(response(b"{}", headers={"Set-Cookie": "sid=1; Path=/"})) as peer:
        for _ in range(2):
            await wire.ask(Ask(url=peer.url, headers={}, content=b""), seconds=10)
    await wire.aclose()
    assert len(peer.requests) == 2
    assert all("cookie" not in request.headers for request in peer.requests)


async def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attack table: server-side requests. Only the configuration says where a secret goes."""
    async with listening(says(ACTIVE)) as peer, listening(says(ACTIVE)) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("NO_PROXY", "")
        assert isinstance(await _ask(peer.url), Answer)
    assert (len(peer.requests), len(proxy.requests)) == (1, 0)


@pytest.mark.parametrize("when", ["at-once", "before-the-next-question", "with-the-next-question"])
async def test_a_surplus_answer_is_no_answer_to_the_next_question(when: str) -> None:
    """RFC 9112 §9.3: their order alone says which answer is whose; what is said of a token is said of no other."""
    first: list[asyncio.StreamWriter] = []
    surplus, is_written = asyncio.Event(), asyncio.Event()

    async def answers(request: Request, writer: asyncio.StreamWriter) -> None:
        first.append(writer)
        if request.body == b"other" and when == "with-the-next-question":
            surplus.set()
            await is_written.wait()
        writer.write(response(request.body, headers={"Connection": "keep-alive"}))
        if len(first) == 1:
            if when == "at-once":
                surplus.set()
            writing = asyncio.create_task(writes_surplus())
            writing.add_done_callback(lambda _: is_written.set())

    async def writes_surplus() -> None:
        await surplus.wait()
        first[0].write(response(b"surplus", headers={"Connection": "keep-alive"}))
        with suppress(ConnectionError):
            await first[0].drain()

    async with listening(answers, keeps_alive=True) as peer:
        wire = Wire(ssl.create_default_context())
        told = [await wire.ask(Ask(url=peer.url, headers={}, content=b"one"), seconds=10)]
        if when != "with-the-next-question":
            surplus.set()
            await is_written.wait()
        told.append(await wire.ask(Ask(url=peer.url, headers={}, content=b"other"), seconds=10))
        await wire.aclose()

    assert [each.body for each in told if isinstance(each, Answer)] == [b"one", b"other"]
    assert [request.headers["connection"] for request in peer.requests] == ["close", "close"]


async def test_a_certificate_is_verified() -> None:
    """Contract, gateway: TLS verified. A stranger's authority, and a stranger's name."""
    ours, strange = trustme.CA(), trustme.CA()
    trusting = ssl.create_default_context()
    ours.configure_trust(trusting)
    for ca, name, cause in (
        (ours, "127.0.0.1", None),
        (strange, "127.0.0.1", Cause.TLS),
        (ours, "op.example.com", Cause.TLS),
    ):
        served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert(name).configure_cert(served)
        async with listening(says(ACTIVE), tls=served) as peer:
            told = await _ask(peer.url, tls=trusting)
        assert (told.cause if isinstance(told, Unavailable) else None) is cause
        assert len(peer.requests) == (1 if cause is None else 0)


async def test_a_server_that_does_not_speak_tls_is_a_tls_error() -> None:
    """Ours: an `https` in the configuration that should be `http`."""

    async def speaks_first(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(speaks_first, "127.0.0.1", 0)
    told = await _ask(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    server.close()
    assert _cause(told) is Cause.TLS


def test_neither_question_nor_answer_shows_what_is_in_it() -> None:
    """Attack table: credentials in logs."""
    ask = Ask(url="https://op", headers={b"Authorization": SECRET.encode()}, content=TOKEN.encode())
    answer = Answer(status=200, media_type="application/json", body=TOKEN.encode())
    for shown in (repr(ask), repr(answer)):
        assert SECRET not in shown
        assert TOKEN not in shown
