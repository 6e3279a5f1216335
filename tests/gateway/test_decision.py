"""The question that Envoy asks, and what each answer comes to: only one of them is a way through."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from ostiary.decision.dialects import bkapi_body, bkapi_error
from ostiary.decision.reasons import Reason
from ostiary.gateway import reason_of

if TYPE_CHECKING:
    from tests.gateway.doubles import Running

pytestmark = pytest.mark.anyio

UNAVAILABLE = bkapi_body(bkapi_error(503), bkapi_error(503).message)


async def test_an_allowed_request_reaches_the_upstream_with_every_identity_header(edge: Running) -> None:
    """gateway.md, Identity for the upstream: all are set, empty where there is nothing to say."""
    echo = (await edge.ask("/api/x?y=1")).echo()
    assert echo.target == "/api/x?y=1"
    assert echo.all("x-bkapi-app") == ["reader"]
    assert echo.all("x-bkapi-user") == [""]
    assert len(echo.all("x-bkapi-jwt")) == 1


async def test_the_judge_is_asked_by_route_peer_and_normalised_path(edge: Running) -> None:
    """Architecture, one router: the route's name comes from Envoy's match alone."""
    judged = (
        (await edge.ask("/api/./x?q=1", headers=[("Origin", "https://o"), ("Mcp-Session-Id", "s")])).echo().judged()
    )
    assert judged.line == "GET /check/api/x?q=1 HTTP/1.1"
    assert judged.all("x-ostiary-route") == ["1:api"]
    assert judged.all("x-ostiary-peer") == ["127.0.0.1"]
    assert judged.all("host") == ["bkapi.example.com"]
    assert judged.all("origin") == ["https://o"]
    assert judged.all("mcp-session-id") == ["s"]


async def test_the_judge_sees_no_header_that_it_was_not_promised(edge: Running) -> None:
    """gateway.md: plugins see the same at every door."""
    judged = (await edge.ask("/api", headers=[("Cookie", "c=1"), ("X-Custom", "1"), ("Accept", "*/*")])).echo().judged()
    assert not {"cookie", "x-custom", "accept"} & {name for name, _ in judged.headers}


@pytest.mark.requirement("FR-004")
async def test_a_denial_reaches_the_client_with_both_of_its_challenges(edge: Running) -> None:
    """RFC 9110 §11.6.1: two challenges stay two; body and status are the judge's."""
    answer = await edge.ask("/api", token="two-challenges")
    assert answer.status == 401
    assert answer.all("www-authenticate") == ['Bearer realm="a"', "Basic"]
    assert answer.body == b'{"code":1640100}'
    assert answer.one("x-bkapi-error-code") == "1640100"


@pytest.mark.requirement("edge-3")
async def test_480_of_the_judge_is_503_with_its_own_body_and_retry_after(edge: Running) -> None:
    """Architecture, fail closed: the judge's way to say that it could not tell."""
    answer = await edge.ask("/api", token="says-unavailable")
    assert (answer.status, answer.body, answer.one("retry-after")) == (503, b'{"why":"authority"}', "7")


@pytest.mark.parametrize(
    "token",
    [
        "no-verdict",
        "other-verdict",
        "201",
        "302",
        "401-of-another",
        "480-of-another",
        "500",
        "503",
        "hang-up",
    ],
)
async def test_what_is_no_verdict_of_ours_is_503_with_the_products_body(edge: Running, token: str) -> None:
    """Architecture, fail closed: nothing but an allow is a way through, nothing but our refusals is passed on."""
    answer = await edge.ask("/api", token=token)
    assert (answer.status, answer.body) == (503, UNAVAILABLE)
    assert answer.one("retry-after") == "1"
    assert answer.one("x-bkapi-error-code") == "1650300"
    assert not answer.all("x-secret")


async def test_without_a_final_verdict_the_gate_is_shut_and_raises_the_alarm(edge: Running) -> None:
    """Architecture, the second lock: 200 alone is no verdict."""
    answer = await edge.ask("/api", token="other-verdict")
    assert reason_of(await edge.line(answer.one("x-request-id"))) is Reason.EDGE_GATE


async def test_a_client_cannot_bring_a_verdict_or_a_route_along(edge: Running) -> None:
    """Architecture, no aliases: the early mutation removes them before anything looks."""
    spellings = ["X-Ostiary-Verdict", "x.ostiary.verdict", "X--Ostiary--Verdict", "x~ostiary~verdict"]
    headers = [(name, "allow") for name in spellings] + [("X-Ostiary-Route", "1:open"), ("x.ostiary.route", "1:open")]
    answer = await edge.ask("/api", token="no-verdict", headers=headers)
    assert answer.status == 503
    judged = (await edge.ask("/api", headers=headers)).echo().judged()
    assert judged.all("x-ostiary-route") == ["1:api"]
    assert not {"x.ostiary.route", *(name.lower() for name in spellings)} & {name for name, _ in judged.headers}


async def test_two_authorization_fields_reach_the_judge_as_one(edge: Running) -> None:
    """gateway.md, Detection: joined with a comma, so that the judge can see that there were two."""
    judged = (await edge.ask("/api", token="a", headers=[("Authorization", "Basic b")])).echo().judged()
    assert judged.all("authorization") == ["Basic b,Bearer a"]


async def test_two_legacy_fields_reach_the_judge_as_two(edge: Running) -> None:
    """gateway.md, Detection 1: two such fields are malformed, which the judge must be able to see."""
    two = [("X-Bkapi-Authorization", "{}"), ("X-Bkapi-Authorization", "")]
    assert (await edge.ask("/api", headers=two)).echo().judged().all("x-bkapi-authorization") == ["{}", ""]


async def test_the_judge_may_name_headers_that_the_upstream_does_not_get(edge: Running) -> None:
    """NOTES: what it must do; a client that sends the instruction achieves nothing."""
    drop = [("X-Drop-Me", "1"), ("X-Envoy-Auth-Headers-To-Remove", "x-keep-me"), ("X-Keep-Me", "1")]
    echo = (await edge.ask("/api", token="drop", headers=drop)).echo()
    assert "x-drop-me" not in echo.names
    assert "x-keep-me" in echo.names


async def test_a_route_that_is_anonymous_is_not_judged(edge: Running) -> None:
    """gateway.md, unsafe_anonymous: even a bad token passes; no identity, no credentials."""
    echo = (await edge.ask("/open", token="forbidden", headers=[("X-Bkapi-Authorization", "{}")])).echo()
    assert not {"authorization", "x-bkapi-authorization", "x-bkapi-jwt", "x-bkapi-app", "x-bkapi-user"} & echo.names


async def test_a_websocket_is_judged_at_its_handshake(edge: Running) -> None:
    """attacks.md, protocol edges: a refusal is an answer with its challenge, before any upgrade."""
    handshake = [("Connection", "upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")]
    answer = await edge.ask("/api", token="two-challenges", headers=handshake)
    assert (answer.status, len(answer.all("www-authenticate"))) == (401, 2)


async def test_metadata_is_public_and_answered_by_the_workers_other_socket(edge: Running) -> None:
    """RFC 9728 §3: no credentials."""
    answer = await edge.ask("/.well-known/oauth-protected-resource/api?resource=x", token=None)
    assert answer.status == 200
    assert json.loads(answer.body).startswith("GET /.well-known/oauth-protected-resource/api?resource=x HTTP/1.1\r\n")
