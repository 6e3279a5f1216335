"""A loopback port that can be down."""

from __future__ import annotations

import errno
import logging
import signal
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
import httpx2
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from ostiary.devserver import Listener, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request


async def _hello(_: Request) -> Response:
    return PlainTextResponse("hello")


async def _endless(_: Request) -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"first"
        await anyio.sleep_forever()

    return StreamingResponse(chunks())


def _application() -> Starlette:
    return Starlette(routes=[Route("/", _hello), Route("/endless", _endless)])


def _get(base_url: str) -> str:
    with httpx2.Client(trust_env=False, timeout=10) as client:
        return client.get(base_url).text


@pytest.mark.parametrize(
    "host",
    [
        "0.0.0.0",
        "::",
        "192.0.2.1",
        "169.254.0.1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "localhost",
        "127.0.0.1.nip.io",
        "",
    ],
)
def test_an_address_that_is_not_loopback_is_refused_before_anything_is_bound(host: str) -> None:
    """Ours: what is for development cannot be reached from another machine."""
    with pytest.raises(ValueError, match="not a loopback address"):
        Listener(_application, host=host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1"])
def test_it_listens_on_the_loopback_address_alone(host: str) -> None:
    """Ours: the socket, not a header, decides who can connect."""
    listener = Listener(_application, host=host)
    try:
        listener.start()
    except OSError as error:
        assert error.errno == errno.EADDRNOTAVAIL  # noqa: PT017  # the machine has no such loopback
        pytest.skip(f"no {host} on this machine")  # macOS has one address on loopback, a container perhaps no IPv6
    with serve(listener) as base_url:
        url = urlsplit(base_url)
        assert (url.hostname, _get(base_url)) == (host, "hello")
        with socket.socket() as other:
            other.settimeout(5)
            assert other.connect_ex(("127.0.0.3", url.port)) != 0


def test_the_address_is_known_only_when_it_is_bound() -> None:
    """Ours: a URL with port 0 would lead nowhere."""
    with pytest.raises(RuntimeError, match="before the first start"):
        _ = Listener(_application).base_url


def test_stopped_it_refuses_connections_and_started_again_it_is_found_at_the_same_url() -> None:
    """Ours: an outage is a closed port, not a flag in the code."""
    listener = Listener(_application)
    with serve(listener) as base_url, httpx2.Client(base_url=base_url, trust_env=False, timeout=10) as kept_alive:
        for _ in range(3):
            assert kept_alive.get("/").text == "hello"
            listener.stop()
            with pytest.raises(httpx2.ConnectError):
                kept_alive.get("/")
            assert listener.start() == base_url


def test_a_stopped_listener_keeps_its_port_and_a_closed_one_gives_it_back() -> None:
    """Ours: nobody else moves in during an outage."""
    listener = Listener(_application)
    address = ("127.0.0.1", urlsplit(listener.start()).port)
    listener.stop()
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(address)
    listener.close()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(address)


@pytest.mark.timeout(6)
def test_answers_do_not_wait_for_acknowledgements() -> None:
    """Ours: with Nagle's algorithm each of these takes 40 ms, 8 s together."""
    with serve(Listener(_application)) as base_url, httpx2.Client(trust_env=False, timeout=10) as client:
        assert {client.get(base_url).text for _ in range(200)} == {"hello"}


def test_a_taken_port_is_an_error() -> None:
    """Ours: two servers never share a port unseen."""
    with serve(Listener(_application)) as base_url:
        port = urlsplit(base_url).port
        assert port is not None
        with pytest.raises(OSError, match="in use"):
            Listener(_application, port=port).start()


def test_starting_and_stopping_twice_is_starting_and_stopping_once() -> None:
    """Ours."""
    listener = Listener(_application)
    assert listener.start() == listener.start()
    listener.stop()
    listener.stop()
    listener.close()
    listener.close()


def test_an_application_that_does_not_come_up_is_an_error_and_not_a_wait(caplog: pytest.LogCaptureFixture) -> None:
    """Ours: every wait is bounded."""

    @asynccontextmanager
    async def broken(application: Starlette) -> AsyncIterator[None]:
        if not application.debug:
            raise LookupError("no such thing")
        yield

    with pytest.raises(RuntimeError, match="nothing came up"):
        Listener(lambda: Starlette(lifespan=broken)).start()
    assert "no such thing" in caplog.text


def test_an_open_stream_does_not_hold_up_a_stop() -> None:
    """Ours: every wait is bounded."""
    listener = Listener(_application)
    with (
        serve(listener) as base_url,
        httpx2.Client(base_url=base_url, trust_env=False, timeout=10) as client,
        client.stream("GET", "/endless") as stream,
    ):
        chunks = stream.iter_bytes()
        assert next(chunks) == b"first"
        listener.stop()
        with pytest.raises(httpx2.RemoteProtocolError):
            next(chunks)


def test_signal_handlers_and_the_root_logger_are_left_alone() -> None:
    """Ours: other things run in this process."""
    before = (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM), list(logging.root.handlers))
    loggers = [logging.getLogger(name) for name in ("uvicorn", "uvicorn.error", "uvicorn.access")]
    settings = [(logger.level, list(logger.handlers), logger.propagate) for logger in loggers]
    with serve(Listener(_application)):
        after = (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM), list(logging.root.handlers))
        assert after == before
        assert [(logger.level, list(logger.handlers), logger.propagate) for logger in loggers] == settings


@pytest.mark.anyio
async def test_it_serves_a_client_in_an_event_loop_of_the_same_process() -> None:
    """Ours: the demo is asynchronous."""
    with serve(Listener(_application)) as base_url:
        async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
            assert (await client.get(base_url)).text == "hello"
