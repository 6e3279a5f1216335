"""A client of HTTP/2 for one request, by prior knowledge."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import h2.config
import h2.connection
import h2.events
from tests.gateway.doubles import SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(slots=True)
class Stream:
    """What came back; status 0: the stream was reset."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    trailers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


async def ask(
    port: int, headers: Sequence[tuple[str, str]], trailers: Sequence[tuple[str, str]] = (), body: bytes = b""
) -> Stream:
    """One request by prior knowledge, without a length; with trailers it has a body."""
    config = h2.config.H2Configuration(client_side=True, validate_outbound_headers=False)
    connection = h2.connection.H2Connection(config)
    connection.initiate_connection()
    connection.send_headers(1, list(headers), end_stream=not (trailers or body))
    if trailers or body:
        connection.send_data(1, body or b"hello", end_stream=not trailers)
    if trailers:
        connection.send_headers(1, list(trailers), end_stream=True)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    stream = Stream()
    try:
        async with asyncio.timeout(SECONDS):
            while True:
                writer.write(connection.data_to_send())
                for event in connection.receive_data(await reader.read(65536)):
                    if isinstance(event, h2.events.ResponseReceived):
                        stream.headers = {name.decode(): value.decode() for name, value in event.headers}
                        stream.status = int(stream.headers[":status"])
                    elif isinstance(event, h2.events.TrailersReceived):
                        stream.trailers = {name.decode(): value.decode() for name, value in event.headers}
                    elif isinstance(event, h2.events.DataReceived):
                        stream.body += event.data
                    elif isinstance(event, h2.events.StreamEnded | h2.events.StreamReset):
                        return stream
    finally:
        writer.close()


def request(
    path: str, *fields: tuple[str, str], method: str = "GET", token: str | None = "good"
) -> list[tuple[str, str]]:
    """A request's head."""
    pseudo = [(":method", method), (":scheme", "http"), (":authority", "h"), (":path", path)]
    return [*pseudo, *([] if token is None else [("authorization", "Bearer " + token)]), *fields]
