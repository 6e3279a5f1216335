"""Which route a request gets: one canonical path, the most specific route, never a broader one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.gateway.doubles import exchange, route, routes_to, running

from ostiary.decision.reasons import Reason
from ostiary.gateway import reason_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.gateway.doubles import Running, Upstream

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", params=[0, 100], ids=["few", "many"])
async def edge(
    tmp_path_factory: pytest.TempPathFactory, upstream: Upstream, request: pytest.FixtureRequest
) -> AsyncIterator[Running]:
    """Routes that are tried one by one, and the same with so many others that they are found in a tree."""
    others = tuple(route(f"other-{number}", f"/other/{number}", upstream.port) for number in range(request.param))
    async with running(tmp_path_factory.mktemp("edge"), (*routes_to(upstream.port), *others)) as started:
        yield started


@pytest.mark.parametrize(
    "target",
    [
        "/open/../api/x",
        "/open/%2e%2e/api/x",
        "/open/.%2E/api/x",
        "//api//x",
        "/open/./../api/x",
        "/open/..;/api/x",
        "/open\\..\\api\\x",
        "/%61pi/x",
        "http://bkapi.example.com/open/../api/x",
    ],
)
async def test_no_spelling_of_a_path_reaches_a_route_without_its_decision(edge: Running, target: str) -> None:
    """attacks.md, path confusion: what is matched is what is judged is what is sent."""
    assert (await edge.ask(target, token="forbidden")).status == 403
    echo = (await edge.ask(target)).echo()
    assert echo.target == "/api/x"
    assert echo.judged().line == "GET /check/api/x HTTP/1.1"


@pytest.mark.parametrize(
    "target", ["/api/a%2fb", "/api/a%2Fb", "/api/a%5cb", "/api/%zz", "/api/%", "/api/%4", "/api#x"]
)
async def test_a_path_that_can_be_read_in_two_ways_is_400(edge: Running, target: str) -> None:
    """gateway.md, `edge-path`."""
    answer = await edge.ask(target)
    assert (answer.status, answer.one("x-bkapi-error-code")) == (400, "1640001")
    assert reason_of(await edge.line(answer.one("x-request-id"))) is Reason.EDGE_PATH


@pytest.mark.parametrize("target", ["/apis", "/API", "/ap", "/", "/nowhere", "/.well-known/oauth-protected-resourcex"])
async def test_a_path_that_no_route_has_is_404(edge: Running, target: str) -> None:
    """gateway.md, Routes: whole segments, case-sensitive; 404 and not the gate's 503."""
    answer = await edge.ask(target)
    assert (answer.status, answer.one("x-bkapi-error-code")) == (404, "1640401")
    assert reason_of(await edge.line(answer.one("x-request-id"))) is Reason.ROUTE_UNMATCHED


async def test_the_query_of_an_unmatched_request_is_in_no_access_line(edge: Running) -> None:
    """attacks.md, credentials in logs: tokens travel in queries."""
    answer = await edge.ask("/nowhere?access_token=canary")
    assert (await edge.line(answer.one("x-request-id"))).path == "/nowhere"


@pytest.mark.parametrize(("method", "name"), [("GET", "1:read"), ("POST", "1:write"), ("PUT", "1:write")])
async def test_routes_of_one_path_share_it_by_their_methods(edge: Running, method: str, name: str) -> None:
    """gateway.md, Routes: equal in host and path, disjoint in methods."""
    assert (await edge.ask("/group/x", method=method)).echo().judged().all("x-ostiary-route") == [name]


@pytest.mark.parametrize(("method", "target"), [("DELETE", "/group"), ("POST", "/deep/er"), ("OPTIONS", "/deep/er/x")])
async def test_a_method_that_the_path_lacks_is_404_and_never_a_broader_route(
    edge: Running, method: str, target: str
) -> None:
    """gateway.md, Routes: `/deep` has every method, but `/deep/er` is the route of this path."""
    answer = await edge.ask(target, method=method)
    assert answer.status == 404
    assert (await edge.line(answer.one("x-request-id"))).details == "direct_response"


async def test_the_route_with_more_segments_wins(edge: Running) -> None:
    """gateway.md, Routes: file order means nothing."""
    assert (await edge.ask("/deep/er/x")).echo().judged().all("x-ostiary-route") == ["1:deeper"]
    assert (await edge.ask("/deep/erx")).echo().judged().all("x-ostiary-route") == ["1:deep"]


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [("TRACE", "/api", 404), ("LOCK", "/api", 404), ("CONNECT", "bkapi.example.com:80", 400), ("SMUGGLE", "/api", 400)],
)
async def test_unusual_methods_are_never_judged(edge: Running, method: str, target: str, status: int) -> None:
    """gateway.md, Routes: never TRACE, CONNECT or an unknown one, even where methods is null."""
    answer = await edge.ask(target, method=method)
    assert (answer.status, answer.one("x-bkapi-error-code")) == (status, {404: "1640401", 400: "1640001"}[status])
    assert not answer.all("www-authenticate")


@pytest.mark.parametrize("host", ["api.example.com", "API.EXAMPLE.COM", "api.example.com:8443", "api.example.com."])
async def test_a_route_with_the_host_wins_over_any_without(edge: Running, host: str) -> None:
    """gateway.md, Routes: a given host before null, whatever the segments; the port does not matter."""
    echo = (await edge.ask("/api/x", host=host)).echo()
    assert echo.judged().all("x-ostiary-route") == ["1:hosted"]
    assert echo.all("host") == [host.removesuffix(".")]


async def test_routes_of_every_host_are_routes_of_a_named_host_too(edge: Running) -> None:
    """gateway.md, Routes: host-null routes are rendered into every virtual host."""
    named = await edge.ask("/deep/er/x", host="api.example.com", method="POST")
    assert named.echo().judged().all("x-ostiary-route") == ["1:hosted-deep"]
    # `/` of this host has GET alone, and is the group of every path below it but `/deep/er`.
    assert (await edge.ask("/api", host="api.example.com", method="POST")).status == 404


async def test_another_host_does_not_get_a_hosts_routes(edge: Running) -> None:
    """gateway.md, Routes."""
    assert (await edge.ask("/", host="api.example.com.evil.example")).status == 404


@pytest.mark.parametrize("host", ["a/b", "a@b", "a,b", "h:x", "api.example.com:abc", "", "a b"])
async def test_a_host_that_is_none_is_400(edge: Running, host: str) -> None:
    """gateway.md, `edge-malformed`: every virtual host has its own guards."""
    answer = await edge.ask("/api", host=host)
    assert (answer.status, answer.one("x-bkapi-error-code")) == (400, "1640001")
    assert reason_of(await edge.line(answer.one("x-request-id"))) is Reason.EDGE_MALFORMED


@pytest.mark.parametrize(
    ("target", "arrives"),
    [
        ("/strip.ped", "/"),
        ("/strip.ped/", "/"),
        ("/strip.ped?a=/strip.ped", "/?a=/strip.ped"),
        ("/strip.ped/y", "/y"),
        ("/strip.ped/a/strip.ped/b?c=/strip.ped", "/a/strip.ped/b?c=/strip.ped"),
    ],
)
async def test_strip_prefix_takes_the_routes_path_away_once(edge: Running, target: str, arrives: str) -> None:
    """NOTES, traps: no double slash, no second occurrence, no look-alike (`.` is a dot)."""
    assert (await edge.ask(target)).echo().target == arrives
    assert (await edge.ask("/stripxped")).status == 404


@pytest.mark.parametrize(
    "raw",
    [
        b"GARBAGE\r\n\r\n",
        b"GET /api HTTP/1.1\r\n\r\n",
        b"GET /api HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /api HTTP/1.1\r\nHost: a\r\nX_Bkapi_Jwt: evil\r\n\r\n",
        b"POST /api HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /api HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        b"POST /api HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nhello",
        b"GET /api\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
async def test_a_request_that_cannot_be_read_has_the_products_body_and_a_reference(edge: Running, raw: bytes) -> None:
    """attacks.md, smuggling: refused before anything looks, and every refusal can be looked up."""
    answer = await exchange(edge.port, raw)
    assert answer is not None
    assert (answer.status, answer.one("x-bkapi-error-code")) == (400, "1640001")
    assert answer.one("content-type") == "application/json; charset=utf-8"
    line = await edge.line(answer.one("x-request-id"))
    assert reason_of(line) is Reason.EDGE_MALFORMED
