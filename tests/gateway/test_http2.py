"""The same laws over HTTP/2, where a request that cannot be read has its stream reset."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import h2.config
import h2.connection
import h2.events
import pytest
from tests.gateway.doubles import route, running
from tests.gateway.http2 import ask, request

from ostiary.decision.reasons import Reason
from ostiary.gateway.edge import reason_of
from ostiary.gateway.render.headers import MANAGED_EXACT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.doubles import Running

pytestmark = pytest.mark.anyio


async def test_a_byte_that_is_no_ascii_is_400_in_a_query_too(edge: Running) -> None:
    """gateway.md, `edge-path`: HTTP/1 never lets one through; the decision service could not be asked about it."""
    for target in ("/api?\xff", "/api?a=\u00e9"):
        stream = await ask(edge.port, request(target))
        assert (stream.status, stream.headers["x-bkapi-error-code"]) == (400, "1640001")
        assert reason_of(await edge.line(stream.headers["x-request-id"])) is Reason.EDGE_PATH


async def repeat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An upstream that speaks HTTP/2 without TLS, and repeats headers, body and trailers of a request as JSON."""
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    connection.initiate_connection()
    seen: dict[str, dict[str, str]] = {}
    while data := await reader.read(65536):
        for event in connection.receive_data(data):
            if isinstance(event, h2.events.RequestReceived | h2.events.TrailersReceived):
                kind = "headers" if isinstance(event, h2.events.RequestReceived) else "trailers"
                seen[kind] = {name.decode(): value.decode() for name, value in event.headers}
            elif isinstance(event, h2.events.StreamEnded):
                connection.send_headers(event.stream_id, [(":status", "200"), ("x-bkapi-jwt", "leaked")])
                connection.send_data(event.stream_id, json.dumps(seen).encode())
                connection.send_headers(event.stream_id, [("x-kept", "1"), ("x-bkapi-jwt", "leaked")], end_stream=True)
        writer.write(connection.data_to_send())
    writer.close()


async def test_managed_headers_and_trailers_do_not_reach_an_h2c_upstream(tmp_path: Path) -> None:
    """attacks.md, identity headers: cleared from trailers too; gateway.md, Routes: `h2c` is HTTP/2 without TLS."""
    names = ("x-bkapi-jwt", "x.bkapi.jwt", "authorization", "x-forwarded-for", *MANAGED_EXACT)
    evil = [(name, "evil") for name in names]
    server = await asyncio.start_server(repeat, "127.0.0.1", 0)
    grpc = route("grpc", "/grpc", server.sockets[0].getsockname()[1], scheme="h2c")
    async with server, running(tmp_path, (grpc,)) as edge:
        head = request("/grpc", ("x.bkapi.user", "evil"), method="POST")
        stream = await ask(edge.port, head, [*evil, ("x-checksum", "1")])
    seen = json.loads(stream.body)
    assert seen["trailers"] == {"x-checksum": "1"}
    assert "evil" not in seen["headers"].values()
    assert seen["headers"]["x-bkapi-app"] == "reader"
    assert stream.trailers == {"x-kept": "1"}


async def test_a_refusal_has_the_products_body(edge: Running) -> None:
    """Architecture: every answer of Envoy's own."""
    stream = await ask(edge.port, request("/nowhere"))
    assert (stream.status, json.loads(stream.body)["code"]) == (404, 1640401)
    assert stream.headers["x-request-id"] == stream.headers["x-bkapi-request-id"]


async def test_a_method_that_http_1_would_not_parse_is_404(edge: Running) -> None:
    """gateway.md, Routes: unknown methods are never judged."""
    assert (await ask(edge.port, request("/api", method="SMUGGLE"))).status == 404


async def test_a_name_with_an_underscore_resets_its_stream_and_leaves_no_record(edge: Running) -> None:
    """operator.md: none for status 0, where no client has a reference."""
    assert (await ask(edge.port, request("/api", ("x_bkapi_jwt", "evil")))).status == 0
    later = await ask(edge.port, request("/nowhere"))
    await edge.line(later.headers["x-request-id"])
    assert all(line.status >= 400 for line in edge.lines.values())


async def test_a_path_cannot_reach_a_route_without_its_decision(edge: Running) -> None:
    """attacks.md, path confusion."""
    stream = await ask(edge.port, request("/open/../api/x"))
    assert json.loads(stream.body)["target"] == "/api/x"
    assert "x-bkapi-jwt" in dict(json.loads(stream.body)["headers"])
