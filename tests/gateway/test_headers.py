"""What clients cannot say, what upstreams do not get, what answers do not show."""

from __future__ import annotations

import re
import uuid
from ipaddress import ip_network
from itertools import product
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.doubles import routes_to, running

from ostiary.decision.headers import is_managed
from ostiary.gateway import Plan
from ostiary.gateway.render.headers import FORWARDED, FORWARDED_BUT_FOR, MANAGED, MANAGED_EXACT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.gateway.doubles import Running, Upstream

ALIASES = (
    "X-Bkapi-Jwt",
    "x-bkapi-jwt",
    "X.Bkapi.Jwt",
    "X--Bkapi--Jwt",
    "x~bkapi~jwt",
    "x+bkapi+user",
    "x-bkapi.app",
    "X-Bkapi-Jwt-",
    "X-Bkapi-User-Name",
    "X.Bkapi.Authorization",
    "X-Bkapi.Authorization",
    "X-Ostiary-Anything",
    "x.ostiary.route",
    "X-Envoy-Internal",
    "x.envoy.original.path",
    "X-Original-Url",
    "X-Rewrite-Url",
    "X-Real-Ip",
    "X-Forwarded-Host",
    "X-Forwarded-Prefix",
    "X-Forwarded",
    "X-Forwarded-",
    "X-Forwarded-Client-Cert",
    "X-Forwarded-User",
    "X-Forwarded-Fo",
    "X-Forwarded-For-",
    "X-Forwarded-Fort",
    "X-Forwarded--For",
    "X--Forwarded-For",
    "X-Forwarded.For",
    "x.forwarded.for",
    "Forwarded",
    "True-Client-Ip",
    "X-Client-Ip",
    "Proxy",
    "X-Http-Method",
    "X-HTTP-Method-Override",
    "X-Method-Override",
    "x.request.id",
    "X--Request--Id",
)
OURS = {"x-bkapi-jwt", "x-bkapi-app", "x-bkapi-user", "x-forwarded-for", "x-forwarded-proto", "x-request-id"}
WORDS = "bkapi ostiary envoy forwarded original rewrite real request jwt app user error id authorization for f a 1"
# Nobody is trusted, somebody else is, our peer is.
TRUSTED = [(), (ip_network("192.0.2.0/24"),), (ip_network("127.0.0.1"),)]
PIECES = st.sampled_from(["x", "-", ".", "~", "--", *WORDS.split()])


@pytest.fixture(scope="module", params=TRUSTED, ids=["nobody", "another", "peer"])
async def edge(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, upstream: Upstream
) -> AsyncIterator[Running]:
    """A gateway that believes one header of some peers, or of none."""
    folder = tmp_path_factory.mktemp("edge")
    plan = Plan(listen=("127.0.0.1", 0), data_dir=folder, routes=(), trusted_proxies=request.param)
    async with running(folder, routes_to(upstream.port), plan) as started:
        yield started


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/api", "/open", "/forwarded"])
async def test_no_managed_header_of_a_client_reaches_an_upstream_in_any_spelling(edge: Running, path: str) -> None:
    """Architecture, no aliases: `X.Bkapi.Jwt` is `HTTP_X_BKAPI_JWT` to some frameworks."""
    echo = (await edge.ask(path, headers=[(name, "evil") for name in ALIASES])).echo()
    assert not [pair for pair in echo.headers if "evil" in pair[1]]
    assert not {name.lower() for name in ALIASES} - OURS & echo.names


@pytest.mark.anyio
async def test_identity_named_in_connection_still_arrives_as_ours(edge: Running) -> None:
    """attacks.md, identity headers: hop-by-hop removal happens before they are written."""
    echo = (await edge.ask("/api", headers=[("Connection", "x-bkapi-jwt, x-bkapi-app, x-ostiary-route")])).echo()
    assert echo.all("x-bkapi-app") == ["reader"]
    assert echo.judged().all("x-ostiary-route") == ["1:api"]


@pytest.mark.anyio
async def test_credentials_do_not_reach_the_upstream(edge: Running) -> None:
    """gateway.md: the client's credentials never reach the upstream."""
    echo = (await edge.ask("/api", headers=[("X-Bkapi-Authorization", "{}")])).echo()
    assert not {"authorization", "x-bkapi-authorization"} & echo.names


@pytest.mark.anyio
async def test_a_route_that_forwards_the_token_forwards_nothing_else(edge: Running) -> None:
    """gateway.md, unsafe_forward_token: the only way round, and for the token alone."""
    echo = (await edge.ask("/forwarded", token="t", headers=[("X-Bkapi-Authorization", "{}")])).echo()
    assert echo.all("authorization") == ["Bearer t"]
    assert "x-bkapi-authorization" not in echo.names


@pytest.mark.anyio
async def test_the_upstream_hears_who_asked_from_us_alone(edge: Running) -> None:
    """attacks.md, forwarded headers: an empty list trusts nobody; of a listed peer one header is believed."""
    fairy_tales = [("X-Forwarded-For", "8.8.8.8"), ("X-Forwarded-Proto", "gopher"), ("X-Forwarded-Port", "1")]
    echo = (await edge.ask("/api", headers=fairy_tales)).echo()
    peer = "8.8.8.8" if edge.plan.trusted_proxies == TRUSTED[-1] else "127.0.0.1"
    assert echo.all("x-forwarded-for") == echo.judged().all("x-ostiary-peer") == [peer]
    assert echo.all("x-forwarded-proto") == ["https"]
    assert "x-forwarded-port" not in echo.names


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("path", "token"),
    [("/api", "good"), ("/api", "two-challenges"), ("/api", "500"), ("/nowhere", "good"), ("/%zz", "")],
)
async def test_the_reference_is_ours_and_said_twice(edge: Running, path: str, token: str) -> None:
    """Architecture, the reference is ours: neither client, judge nor upstream can choose it."""
    answer = await edge.ask(path, token=token, headers=[("X-Request-Id", "evil")])
    reference = answer.one("x-request-id")
    assert str(uuid.UUID(reference, version=4)) == reference
    assert answer.one("x-bkapi-request-id") == reference


@pytest.mark.anyio
async def test_judge_upstream_and_client_read_one_reference(edge: Running) -> None:
    """Architecture, the reference is ours."""
    answer = await edge.ask("/api")
    reference = answer.one("x-request-id")
    assert answer.echo().all("x-request-id") == [reference]
    assert answer.echo().judged().all("x-request-id") == [reference]


@pytest.mark.anyio
async def test_an_answer_shows_nothing_of_what_stands_behind(edge: Running) -> None:
    """NOTES, the chain 5: the upstream's own words about itself and about us are dropped."""
    names = {name for name, _ in (await edge.ask("/api")).headers}
    assert not {name for name in names if name.startswith(("x-envoy-", "x-ostiary-"))}
    assert not {"server", "x-powered-by", "x-bkapi-jwt"} & names


@given(st.lists(PIECES, min_size=2, max_size=9).map("".join))
def test_envoys_expressions_remove_what_the_table_of_headers_calls_managed(name: str) -> None:
    """ours: one table."""
    assert _removed(name, FORWARDED) == is_managed(name.encode())
    assert _removed(name, FORWARDED_BUT_FOR) == (is_managed(name.encode()) and name != "x-forwarded-for")


def test_the_one_header_that_is_believed_has_one_spelling() -> None:
    """attacks.md, forwarded headers: every other name that begins like it is removed as ever."""
    names = ["x-forwarded" + "".join(end) for length in range(6) for end in product("for-.", repeat=length)]
    assert [name for name in names if not _removed(name, FORWARDED)] == [n for n in names if n[11:12] in set("for")]
    assert {n for n in names if _removed(n, FORWARDED) != _removed(n, FORWARDED_BUT_FOR)} == {"x-forwarded-for"}


def _removed(name: str, forwarded: tuple[str, ...]) -> bool:
    return name in MANAGED_EXACT or any(re.fullmatch(pattern, name) for pattern in (*MANAGED, *forwarded))
