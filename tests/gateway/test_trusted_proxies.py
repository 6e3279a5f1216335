"""Whom a request is from, where it came through a proxy that is listed."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address, ip_network
from itertools import product
from typing import TYPE_CHECKING

import pytest
from tests.gateway.doubles import routes_to, running
from tests.gateway.http2 import ask, request

from ostiary.decision.reasons import Reason
from ostiary.gateway import Plan, reason_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.gateway.doubles import Running, Upstream

pytestmark = pytest.mark.anyio

PEER = "127.0.0.1"
CLIENT = "203.0.113.7"
LISTED = tuple(map(ip_network, (PEER, "10.0.0.0/8", "2001:db8::/32")))
ENTRIES = (CLIENT, "10.1.2.3", "2001:db8::1", "2001:4860::8", "evil", "")


@pytest.fixture(scope="module")
async def edge(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream) -> AsyncIterator[Running]:
    """A gateway behind proxies, of whom the peer is one."""
    folder = tmp_path_factory.mktemp("edge")
    plan = Plan(listen=("127.0.0.1", 0), data_dir=folder, routes=(), trusted_proxies=LISTED)
    async with running(folder, routes_to(upstream.port), plan) as started:
        yield started


def last_unlisted(entries: tuple[str, ...]) -> str:
    """From the right, the first that is not listed, else the leftmost; where one is no address, the peer."""
    for entry in reversed(entries):
        try:
            address = ip_address(entry)
        except ValueError:
            return PEER
        if not any(address in network for network in LISTED):
            return entry
    return entries[0]


async def peer_of(edge: Running, *fields: str) -> str:
    """Who the decision and the upstream hear that it was."""
    echo = (await edge.ask("/api", headers=[("X-Forwarded-For", field) for field in fields])).echo()
    (judged,) = echo.judged().all("x-ostiary-peer")
    assert echo.all("x-forwarded-for") == [judged]
    assert echo.judged().all("x-forwarded-for") == []
    return judged


async def test_the_client_is_the_last_address_that_is_not_listed(edge: Running) -> None:
    """configuration.md, `trusted_proxies`; every list of up to three entries, in one field and in several."""
    chains = [chain for length in (1, 2, 3) for chain in product(ENTRIES, repeat=length)]
    found = [await peer_of(edge, ", ".join(chain)) for chain in chains]
    assert dict(zip(chains, found, strict=True)) == {chain: last_unlisted(chain) for chain in chains}
    fields = list(product(ENTRIES[:5], repeat=2))
    found = [await peer_of(edge, *chain) for chain in fields]
    assert dict(zip(fields, found, strict=True)) == {chain: last_unlisted(chain) for chain in fields}


@pytest.mark.parametrize(
    ("field", "peer"),
    [
        (f"{CLIENT}\t,\t10.1.1.1", CLIENT),
        ("evil, " * 18 + f"{CLIENT}, 10.1.1.1", CLIENT),
        (f"{CLIENT}, ::ffff:10.1.1.1, ::ffff:a00:1", CLIENT),  # a listed proxy in the other family's form
        ("2001:4860:0:0::8", "2001:4860::8"),
        *(
            (field, PEER)
            for field in (
                f"{CLIENT}:1234",
                "[2001:4860::8]",
                "[2001:4860::8]:443",
                f'"{CLIENT}"',
                f"for={CLIENT}",
                f"{CLIENT};10.1.1.1",
                f"{CLIENT} 10.1.1.1",
                f"{CLIENT}\xff",
                "\xff",
                "unknown",
                "_hidden",
                "127.1",
                "0x7f.0.0.1",
                "010.1.1.1",
                "203.0.113.007",
                "256.1.1.1",
                "192.0.2.0/24",
                "1" * 30_000,
            )
        ),
    ],
)
async def test_what_is_no_bare_address_ends_the_search_at_the_peer(edge: Running, field: str, peer: str) -> None:
    """attacks.md, forwarded headers: as Envoy 1.40 reads them; a port or brackets make an entry unreadable."""
    assert await peer_of(edge, field) == peer
    refused = await edge.ask("/api", token=None, headers=[("X-Forwarded-For", field)])
    assert refused.status == 401


@pytest.mark.parametrize(
    "fields",
    [
        [", ".join(["evil"] * 20 + [CLIENT])],
        [", ".join([CLIENT] * 1000)],
        ["," * 20 + CLIENT],
        ["\xff," * 20 + CLIENT],
        [CLIENT] * 21,
        ["," * 5_000],
    ],
)
async def test_a_client_cannot_pass_for_its_proxy_by_a_long_list(edge: Running, fields: list[str]) -> None:
    """attacks.md, forwarded headers: over 20 entries Envoy 1.40 reads none, and the peer would be the client."""
    headers = [("X-Forwarded-For", field) for field in fields]
    asked = (
        ("/api", "any.example"),
        ("/deep/er", "api.example.com"),
        ("/open", "any.example"),
        ("/.well-known/oauth-protected-resource", "any.example"),
    )
    answers = [await edge.ask(target, host=host, headers=headers) for target, host in asked]
    assert {(answer.status, answer.one("x-bkapi-error-code")) for answer in answers} == {(400, "1640001")}
    line = await edge.line(answers[0].one("x-request-id"))
    assert (reason_of(line), line.route) == (Reason.EDGE_MALFORMED, "guard.forwarded")


async def test_a_line_of_envoys_own_has_the_client_as_well(edge: Running) -> None:
    """operator.md: the record of a refusal says whom it was from, over HTTP/2 too."""
    field = ("X-Forwarded-For", f"1.1.1.1, {CLIENT}, 10.1.1.1")
    one = (await edge.ask("/nowhere", headers=[field])).one("x-request-id")
    fields = [("x-forwarded-for", f"1.1.1.1, {CLIENT}"), ("x-forwarded-for", "10.1.1.1")]
    other = (await ask(edge.port, request("/nowhere", *fields))).headers["x-request-id"]
    lines = await asyncio.gather(edge.line(one), edge.line(other))
    assert [line.peer for line in lines] == [CLIENT, CLIENT]


async def test_the_header_named_in_connection_is_refused(edge: Running) -> None:
    """attacks.md, forwarded headers: a client may not have its proxy's word removed; Envoy 1.40 answers 400."""
    headers = [("Connection", "x-forwarded-for"), ("X-Forwarded-For", CLIENT)]
    assert (await edge.ask("/api", headers=headers)).status == 400
