"""Pages of other origins: what a browser asks before it calls, and what it lets a page read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.gateway.doubles import free_port, limited, route, running
from tests.gateway.http2 import ask, request

from ostiary.decision.reasons import Reason
from ostiary.decision.routes import Cors
from ostiary.gateway import reason_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.gateway.doubles import Answer, Running, Upstream

pytestmark = pytest.mark.anyio

PAGE = "https://app.example.com"
OTHER = "http://localhost:3000"
STRANGER = "https://app.example.com.evil.example"
CORS = Cors(origins=(PAGE, OTHER), headers=("authorization", "x-trace"))


@pytest.fixture(scope="module")
async def pages(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream) -> AsyncIterator[Running]:
    """Routes that pages may call, beside and below some that they may not."""
    port = upstream.port
    routes = (
        limited(route("read", "/api", port, methods="GET,POST"), cors=CORS, body_bytes=10),
        limited(route("drop", "/api", port, methods="DELETE"), cors=Cors(origins=(OTHER,), headers=())),
        route("options", "/api", port, methods="OPTIONS"),
        limited(route("every", "/every", port), cors=CORS),
        route("closed", "/every/closed", port),
        route("closed-read", "/every/read", port, methods="GET"),
        limited(route("open", "/open", port, anonymous=True), cors=CORS),
        limited(route("dead", "/dead", free_port()), cors=CORS),
        limited(route("impatient", "/impatient", port, timeout=0.2), cors=CORS),
        limited(route("hosted", "/api", port, host="api.example.com"), cors=Cors(origins=(OTHER,), headers=())),
    )
    async with running(tmp_path_factory.mktemp("pages"), routes) as started:
        yield started


async def preflight(
    pages: Running, target: str, method: str, origin: str = PAGE, host: str = "bkapi.example.com"
) -> Answer:
    """As a browser sends it: without a token."""
    headers = [("Origin", origin), ("Access-Control-Request-Method", method)]
    return await pages.ask(target, token=None, method="OPTIONS", host=host, headers=headers)


def allowed(answer: Answer) -> dict[str, str]:
    """What an answer lets pages do."""
    return {name.removeprefix("access-control-"): value for name, value in answer.headers if name.startswith("access-")}


async def test_the_preflight_of_a_listed_origin_is_answered_without_a_decision(pages: Running) -> None:
    """Fetch, CORS-preflight fetch; gateway.md, Routes: Envoy's filter before the decision."""
    answer = await preflight(pages, "/api/x", "POST")
    assert (answer.status, answer.body) == (200, b"")
    said = allowed(answer)
    assert said.pop("expose-headers")
    assert said == {
        "allow-origin": PAGE,
        "allow-methods": "GET, POST",
        "allow-headers": "authorization, x-trace",
        "max-age": "600",
    }
    assert answer.one("x-request-id") == answer.one("x-bkapi-request-id")
    assert allowed(await preflight(pages, "/api", "GET", OTHER))["allow-origin"] == OTHER


@pytest.mark.parametrize("origin", [STRANGER, "https://app.example.com:8443", "http://app.example.com", "null", "*"])
async def test_the_preflight_of_another_origin_is_404_and_recorded_as_unmatched(pages: Running, origin: str) -> None:
    """gateway.md, Reasons: `cluster_not_found` of a preflight; neither judge nor upstream hear of it."""
    answer = await preflight(pages, "/every", "GET", origin)
    assert (answer.status, answer.one("x-bkapi-error-code")) == (404, "1640401")
    assert allowed(answer) == {}
    line = await pages.line(answer.one("x-request-id"))
    assert (line.details, line.route, reason_of(line)) == (
        "cluster_not_found",
        "1:every:preflight",
        Reason.ROUTE_UNMATCHED,
    )


@pytest.mark.parametrize(
    ("target", "method", "origin", "status"),
    [
        ("/api", "DELETE", OTHER, 200),
        ("/api", "DELETE", PAGE, 404),  # another route's page
        ("/api", "PUT", PAGE, 401),  # no route has it, so this is the OPTIONS of `options`
        ("/every/read", "POST", PAGE, 404),
        ("/every/read", "GET", PAGE, 404),
        ("/every/closed", "GET", PAGE, 401),  # never the broader route's policy
        ("/everything", "GET", PAGE, 404),
        ("/open/x", "PATCH", PAGE, 200),
    ],
)
async def test_a_preflight_goes_where_the_request_that_it_announces_would_go(
    pages: Running, target: str, method: str, origin: str, status: int
) -> None:
    """gateway.md, Routes: routes of one path share it by their methods, and no broader route answers."""
    answer = await preflight(pages, target, method, origin)
    assert (answer.status, "allow-origin" in allowed(answer)) == (status, status == 200)


async def test_a_hosts_own_route_answers_its_preflights(pages: Running) -> None:
    """gateway.md, Routes: a given host before null."""
    answers = [await preflight(pages, "/api", "GET", origin, host="api.example.com") for origin in (OTHER, PAGE)]
    assert [answer.status for answer in answers] == [200, 404]


@pytest.mark.parametrize(
    "headers", [(), (("Origin", PAGE),), (("Access-Control-Request-Method", "GET"),), (("Origin", STRANGER),)]
)
async def test_options_that_is_no_preflight_is_judged_like_any_method(
    pages: Running, headers: tuple[tuple[str, str], ...]
) -> None:
    """Fetch: a preflight has both headers."""
    assert (await pages.ask("/every", method="OPTIONS", token="forbidden", headers=headers)).status == 403
    echo = (await pages.ask("/every", method="OPTIONS", headers=headers)).echo()
    assert echo.judged().all("x-ostiary-route") == ["1:every"]


@pytest.mark.parametrize(
    ("target", "token", "status"),
    [
        ("/api", "good", 200),
        ("/api", "two-challenges", 401),
        ("/api", "forbidden", 403),
        ("/api", "says-unavailable", 503),
        ("/api", "500", 503),
        ("/api", "other-verdict", 503),
        ("/open", "good", 200),
        ("/dead", "good", 503),
        ("/impatient/silence", "good", 504),
        ("/every/garbage", "good", 502),
    ],
)
async def test_a_page_can_read_every_answer_and_all_of_its_headers(
    pages: Running, target: str, token: str, status: int
) -> None:
    """Fetch, CORS check: without the headers a page sees no refusal, no challenge and no reference."""
    answer = await pages.ask(target, token=token, headers=[("Origin", PAGE)])
    assert answer.status == status
    assert allowed(answer) == {"allow-origin": PAGE, "expose-headers": "*, www-authenticate, x-request-id"}


async def test_a_body_too_large_is_told_to_a_page_too(pages: Running) -> None:
    """gateway.md, `edge-body-too-large`."""
    answer = await pages.ask("/api", method="POST", body=b"x" * 11, headers=[("Origin", PAGE)])
    assert (answer.status, allowed(answer)["allow-origin"]) == (413, PAGE)


@pytest.mark.parametrize("headers", [(), (("Origin", STRANGER),)])
async def test_an_upstream_cannot_let_in_a_page_that_the_route_does_not_name(
    pages: Running, headers: tuple[tuple[str, str], ...]
) -> None:
    """ours: on a route with `cors` the gateway alone speaks of it; elsewhere an upstream speaks for itself."""
    assert allowed(await pages.ask("/api", headers=headers)) == {}
    own = allowed(await pages.ask("/every/closed", headers=headers))
    assert own == {"allow-origin": "*", "allow-credentials": "true", "expose-headers": "x-secret"}


@pytest.mark.parametrize("headers", [(), (("Origin", PAGE),), (("Origin", STRANGER),)])
async def test_caches_are_told_that_answers_differ_by_origin(
    pages: Running, headers: tuple[tuple[str, str], ...]
) -> None:
    """Fetch, CORS protocol and HTTP caches: for requests without an origin too, and beside the upstream's own."""
    assert (await pages.ask("/api", headers=headers)).one("vary") == "Accept,Origin"
    assert (await pages.ask("/every/closed", headers=headers)).one("vary") == "Accept"


async def test_a_preflight_over_http_2_is_answered_too(pages: Running) -> None:
    """ours: browsers speak it."""
    fields = ("origin", PAGE), ("access-control-request-method", "GET")
    stream = await ask(pages.port, request("/api", *fields, method="OPTIONS", token=None))
    assert (stream.status, stream.headers["access-control-allow-origin"]) == (200, PAGE)
