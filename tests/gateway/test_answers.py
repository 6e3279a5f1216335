"""Every answer that Envoy makes itself: the product's body, and a reason for operators."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

import h11
import pytest
import trustme
from tests.gateway.doubles import Upstream, route, running

from ostiary.decision.dialects import bkapi_body, bkapi_error
from ostiary.decision.reasons import Reason
from ostiary.gateway import Plan, reason_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.doubles import Answer, Running

pytestmark = pytest.mark.anyio


async def refused(edge: Running, answer: Answer, status: int, reason: Reason) -> None:
    """Body and headers are the dialect's row of the status, the access line has the reason."""
    error = bkapi_error(status)
    assert (answer.status, answer.body) == (status, bkapi_body(error, error.message))
    assert answer.one("content-type") == "application/json; charset=utf-8"
    assert answer.one("x-bkapi-error-code") == str(error.code)
    assert answer.one("x-bkapi-error-message") == error.message
    assert answer.one("cache-control") == "no-store"
    assert answer.all("retry-after") == (["1"] if status == 503 else [])
    assert b"envoy" not in answer.body.lower()
    assert reason_of(await edge.line(answer.one("x-request-id"))) is reason


@pytest.mark.parametrize(
    ("target", "status", "reason"),
    [
        ("/dead", 503, Reason.EDGE_UPSTREAM),
        ("/api/close", 503, Reason.EDGE_UPSTREAM),
        ("/api/garbage", 502, Reason.EDGE_UPSTREAM),
        ("/impatient/silence", 504, Reason.EDGE_TIMEOUT),
        ("/nowhere", 404, Reason.ROUTE_UNMATCHED),
        ("/api/%zz", 400, Reason.EDGE_PATH),
    ],
)
async def test_a_failure_of_the_edge_has_the_products_body(
    edge: Running, target: str, status: int, reason: Reason
) -> None:
    """gateway.md, Reasons: Envoy's own, from its code details."""
    await refused(edge, await edge.ask(target), status, reason)


async def test_headers_beyond_the_limit_are_431(edge: Running) -> None:
    """configuration.md, limits.header_bytes: 32 KiB by default; 100 fields."""
    await refused(edge, await edge.ask("/api", headers=[("X-Long", "x" * 40_000)]), 431, Reason.EDGE_HEADERS)
    many = [(f"X-{number}", "1") for number in range(120)]
    await refused(edge, await edge.ask("/api", headers=many), 431, Reason.EDGE_HEADERS)


@pytest.mark.parametrize("count", [92, 97])
async def test_what_fits_only_until_the_decision_adds_its_headers_is_431_too(edge: Running, count: int) -> None:
    """gateway.md, `edge-headers`: Envoy calls it 500, which nobody could act on."""
    many = [(f"X-{number}", "1") for number in range(count)]
    await refused(edge, await edge.ask("/api", headers=many), 431, Reason.EDGE_HEADERS)


async def test_http_1_0_is_426(edge: Running) -> None:
    """gateway.md, `edge-other`."""
    await refused(edge, await edge.send(b"GET /api HTTP/1.0\r\nHost: a\r\n\r\n"), 426, Reason.EDGE_OTHER)


async def test_an_unknown_transfer_coding_is_501(edge: Running) -> None:
    """RFC 9112 §6.1."""
    raw = b"POST /api HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n"
    await refused(edge, await edge.send(raw), 501, Reason.EDGE_OTHER)


async def test_an_unknown_upgrade_is_400(edge: Running) -> None:
    """NOTES: Envoy calls it 403."""
    headers = [("Connection", "upgrade"), ("Upgrade", "irc")]
    await refused(edge, await edge.ask("/api", headers=headers), 400, Reason.EDGE_MALFORMED)


async def test_a_decision_that_cannot_be_had_is_recorded_as_such(edge: Running) -> None:
    """gateway.md, `edge-decision`."""
    await refused(edge, await edge.ask("/api", token="500"), 503, Reason.EDGE_DECISION)


async def test_a_judge_that_hangs_is_503_after_two_tries(tmp_path: Path, upstream: Upstream) -> None:
    """NOTES, limits: Envoy is patient a little longer than decision_timeout, twice."""
    plan = Plan(listen=("127.0.0.1", 0), data_dir=tmp_path, routes=(), decision_timeout_seconds=0.1)
    async with running(tmp_path, (route("api", "/api", upstream.port),), plan) as edge:
        await refused(edge, await edge.ask("/api", token="hang"), 503, Reason.EDGE_DECISION)


@pytest.mark.parametrize("code", [b"1640100", b"9" * 5000])
async def test_an_upstream_that_is_cut_off_cannot_say_that_we_refused(tmp_path: Path, code: bytes) -> None:
    """operator.md: a record is by what was sent; and nothing that an upstream says ends the reading of lines."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nX-Bkapi-Error-Code: " + code + b"\r\n\r\nhi")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    cut = route("cut", "/cut", server.sockets[0].getsockname()[1])
    async with server, running(tmp_path, (cut,)) as started:
        with pytest.raises(h11.RemoteProtocolError):
            await started.ask("/cut")
        refused = await started.ask("/nowhere")
        assert (await started.line(refused.one("x-request-id"))).status == 404
        assert [line.status for line in started.lines.values()] == [404]


async def test_an_answer_of_the_upstream_is_not_recorded(edge: Running) -> None:
    """operator.md: one record per request that Envoy itself refused."""
    allowed = await edge.ask("/api")
    later = await edge.ask("/nowhere")
    await edge.line(later.one("x-request-id"))
    assert allowed.one("x-request-id") not in edge.lines


async def test_head_gets_the_headers_of_a_refusal_without_its_body(edge: Running) -> None:
    """RFC 9110 §9.3.2."""
    answer = await edge.ask("/nowhere", method="HEAD")
    assert (answer.status, answer.body) == (404, b"")
    assert answer.one("x-bkapi-error-code") == "1640401"


async def test_a_body_goes_through_unchanged(edge: Running) -> None:
    """ours: the decision is asked without it."""
    echo = (await edge.ask("/api", method="POST", body=b"hello")).echo()
    assert echo.body == "hello"
    assert echo.judged().all("content-length") == ["0"]


async def test_an_upstream_by_name_is_found_at_each_of_its_addresses(edge: Running) -> None:
    """NOTES, traps: `localhost` is `::1` first, where the upstream does not listen."""
    assert (await edge.ask("/named")).status == 200


async def test_an_https_upstream_is_verified_by_chain_and_name(tmp_path: Path) -> None:
    """gateway.md, Routes: TLS verified, SNI."""
    authority = trustme.CA()
    contexts = []
    for issuer, name in ((authority, "localhost"), (authority, "other.example"), (trustme.CA(), "localhost")):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issuer.issue_cert(name, *(["127.0.0.1"] if name == "localhost" else [])).configure_cert(context)
        contexts.append(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with Upstream(contexts[0]) as good, Upstream(contexts[1]) as other, Upstream(contexts[2]) as stranger:
        routes = (
            route("by-name", "/by-name", good.port, to="localhost", scheme="https"),
            route("by-address", "/by-address", good.port, scheme="https"),
            route("other-name", "/other-name", other.port, to="localhost", scheme="https"),
            route("other-address", "/other-address", other.port, scheme="https"),
            route("other-ca", "/other-ca", stranger.port, to="localhost", scheme="https"),
        )
        plan = Plan(
            listen=("127.0.0.1", 0), data_dir=tmp_path, routes=(), trusted_ca=tmp_path / "ca.pem", scheme="http"
        )
        async with running(tmp_path, routes, plan) as edge:
            answer = await edge.ask("/by-name")
            assert answer.echo().all("x-forwarded-proto") == ["http"]
            assert (await edge.ask("/by-address")).status == 200
            for path in ("/other-name", "/other-address", "/other-ca"):
                await refused(edge, await edge.ask(path), 503, Reason.EDGE_UPSTREAM)
