"""A client without manners: HTTP/1 as bytes, HTTP/2 with whatever a header block can hold."""

from __future__ import annotations

import socket
from contextlib import suppress
from http.client import HTTPException, parse_headers
from typing import TYPE_CHECKING, BinaryIO, Final

import h2.config
import h2.connection
import h2.events
import h2.exceptions
from tests.e2e.running import Reply

if TYPE_CHECKING:
    from collections.abc import Iterable

HOST: Final = b"bkapi.example.com"
SECONDS: Final = 20.0  # no wait is longer
_QUIET_SECONDS: Final = 0.02  # in which a second answer would have come

Fields = tuple[tuple[bytes, bytes], ...]


def http1(
    target: bytes | str = b"/api",
    *lines: bytes,
    method: bytes = b"GET",
    token: str | None = None,
    host: bytes | None = HOST,
    body: bytes = b"",
) -> bytes:
    """One request as bytes. `lines` are header lines without their end, as they are; the last request there is."""
    raw = target.encode("latin-1") if isinstance(target, str) else target
    fields = [b"Host: " + host] if host is not None else []
    if token is not None:
        fields.append(b"Authorization: Bearer " + token.encode("latin-1"))
    return b"\r\n".join([method + b" " + raw + b" HTTP/1.1", *fields, *lines, b"Connection: close", b"", body])


def replies(port: int, raw: bytes, *, awaited: int = 1) -> list[Reply]:
    """Every answer to these bytes, in order, until the other side closes, or falls silent after those `awaited`."""
    found: list[Reply] = []
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        with suppress(ConnectionError):  # it may have been answered, and closed
            connection.sendall(raw)
        with connection.makefile("rb") as answers:
            while (reply := _one(answers)) is not None:
                found.append(reply)
                if len(found) >= awaited:
                    connection.settimeout(_QUIET_SECONDS)
    return found


def final_reply(connection: socket.socket) -> tuple[Reply, int]:
    """The next answer on a connection that is no interim one (RFC 9110 §15.2), and how many of those came before."""
    interim = 0
    with connection.makefile("rb") as answers:
        while (reply := _one(answers)) is not None and reply.status < 200:
            interim += 1
    assert reply is not None, "no answer"
    return reply, interim


def poke(port: int, raw: bytes) -> bytes:
    """Send bytes that may be no request at all, wait for a moment, give up; what came back."""
    found = b""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        connection.sendall(raw)
        connection.settimeout(_QUIET_SECONDS)
        try:
            found = connection.recv(65536)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(SECONDS)
            while more := connection.recv(65536):
                found += more
        except OSError:  # silence, or a reset
            pass
    return found


def _one(answers: BinaryIO) -> Reply | None:
    """The next answer; behind one of a known length another may stand already. One of an unknown length is the last."""
    try:
        if not (line := answers.readline()):
            return None
        status = int(line.split(b" ")[1])
        headers = _lower(parse_headers(answers).items())
        length = 0 if status < 200 else int(dict(headers).get("content-length", "-1"))
        return Reply(status=status, headers=headers, body=answers.read(length))
    except (HTTPException, OSError):
        return None


def _lower(pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name.lower(), value) for name, value in pairs)


def head2(
    path: bytes = b"/api",
    *fields: tuple[bytes, bytes],
    method: bytes = b"GET",
    token: str | None = None,
    authority: bytes = HOST,
) -> Fields:
    """A request's head for HTTP/2, in the usual order."""
    pseudo = ((b":method", method), (b":scheme", b"http"), (b":authority", authority), (b":path", path))
    return (*pseudo, *(((b"authorization", b"Bearer " + token.encode()),) if token else ()), *fields)


def stream(port: int, fields: Fields, *, body: bytes | None = None, trailers: Fields = ()) -> Reply | None:
    """One HTTP/2 request by prior knowledge, nothing about it checked; None where its stream was reset."""
    config = h2.config.H2Configuration(
        client_side=True, validate_outbound_headers=False, normalize_outbound_headers=False, header_encoding="latin-1"
    )
    connection = h2.connection.H2Connection(config)
    connection.initiate_connection()
    connection.send_headers(1, list(fields), end_stream=body is None and not trailers)
    if body is not None or trailers:
        connection.send_data(1, body or b"", end_stream=not trailers)
    if trailers:
        connection.send_headers(1, list(trailers), end_stream=True)
    return _stream(port, connection)


def _stream(port: int, connection: h2.connection.H2Connection) -> Reply | None:
    headers: tuple[tuple[str, str], ...] = ()
    body = b""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as peer:
        while True:
            peer.sendall(connection.data_to_send())
            if not (data := peer.recv(65536)):
                return None
            try:
                events = connection.receive_data(data)
            except h2.exceptions.ProtocolError:  # an answer behind the end of the connection
                return None
            for event in events:
                if isinstance(event, h2.events.ResponseReceived):
                    headers = _lower([(str(name), str(value)) for name, value in event.headers])
                elif isinstance(event, h2.events.DataReceived):
                    body += event.data
                elif isinstance(event, h2.events.StreamEnded):
                    return Reply(status=int(dict(headers)[":status"]), headers=headers, body=body)
                elif isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated):
                    return None
