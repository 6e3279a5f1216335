"""The operator's listener over real HTTP: health for all, metrics for operators, nothing for other pages."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx2
import pytest
import uvicorn

from ostiary.config import ListenAddress, Secret
from ostiary.diagnostics.surface import OperatorSurface

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TOKENS = ("canary-operator-token-of-36-characters", "canary-operator-token-before-it-was-rotated")
pytestmark = pytest.mark.anyio


class Ready:
    """Whether decisions are made, and the page of metrics."""

    def __init__(self) -> None:
        self.is_ready = True

    async def __call__(self) -> bool:
        return self.is_ready

    async def page(self) -> bytes:
        return b"ostiary_decisions_total 1\n"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_health_is_one_word_and_needs_no_token(path: str) -> None:
    """`operator.md`: `/healthz` and `/readyz` (one word) need no token."""
    async with served() as client:
        answer = await client.get(path)

    assert answer.status_code == 200
    assert len(answer.text.split()) == 1


async def test_who_is_not_ready_is_alive() -> None:
    """Ours: 503 takes a replica out of the rotation, and does not restart it."""
    ready = Ready()
    ready.is_ready = False
    async with served(ready) as client:
        answers = [await client.get(path) for path in ("/readyz", "/healthz")]

    assert [(answer.status_code, answer.text) for answer in answers] == [(503, "unready\n"), (200, "ok\n")]


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
async def test_every_active_token_reads_the_metrics(token: str, scheme: str) -> None:
    """`attacks.md`: constant time over all active secrets."""
    async with served() as client:
        answer = await client.get("/metrics", headers={"authorization": f"{scheme} {token}"})

    assert (answer.status_code, answer.content) == (200, b"ostiary_decisions_total 1\n")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.parametrize(
    "authorization",
    [
        [],
        [""],
        ["Bearer"],
        [f"Basic {TOKENS[0]}"],
        [f"Bearer\t{TOKENS[0]}"],
        [f"Bearer {TOKENS[0]}x"],
        [f"Bearer {TOKENS[0][:-1]}"],
        [f"Bearer {TOKENS[0]}, Bearer {TOKENS[1]}"],
        [f"Bearer {TOKENS[0]}", "Bearer x"],
        ["Bearer \u00ff\u00fe".encode("latin-1").decode("latin-1")],
    ],
)
async def test_without_the_token_there_are_no_metrics(authorization: list[str]) -> None:
    """`operator.md`: behind the operator token."""
    headers = [(b"authorization", value.encode("latin-1")) for value in authorization]
    async with served() as client:
        answer = await client.get("/metrics", headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="ostiary operator"'
    assert "ostiary_" not in answer.text


async def test_a_token_in_the_query_opens_nothing() -> None:
    """RFC 6750 §2.3 is not offered: queries are logged."""
    async with served() as client:
        assert (await client.get("/metrics", params={"access_token": TOKENS[0]})).status_code == 401


@pytest.mark.parametrize(
    "host", ["attacker.example", "127.0.0.1", "127.0.0.1:1", "127.0.0.2:{port}", "", "[::1]:{port}"]
)
async def test_a_page_of_another_origin_is_misdirected(host: str) -> None:
    """`operator.md`: a request whose Host is not the listener's is 421."""
    async with served() as client:
        value = host.format(port=client.base_url.port)
        answers = [await client.get(path, headers={"host": value}) for path in ("/healthz", "/metrics", "/x")]

    assert {answer.status_code for answer in answers} == {421}


async def test_the_listeners_names_are_its_address_and_localhost() -> None:
    """Ours."""
    async with served() as client:
        hosts = [f"{name}:{client.base_url.port}" for name in ("127.0.0.1", "localhost", "LOCALHOST")]
        answers = [await client.get("/healthz", headers={"host": host}) for host in hosts]

    assert {answer.status_code for answer in answers} == {200}


@pytest.mark.parametrize(
    ("host", "status"),
    [("10.1.2.3:{port}", 200), ("[fe80::1]:{port}", 200), ("localhost:{port}", 200), ("pod.example:{port}", 421)],
)
async def test_on_every_address_any_address_is_ours_and_no_name(host: str, status: int) -> None:
    """Ours: a probe names the address of a pod; a name can be bound to it by anybody."""
    async with served(listen="0.0.0.0") as client:
        answer = await client.get("/healthz", headers={"host": host.format(port=client.base_url.port)})

    assert answer.status_code == status


async def test_other_paths_and_methods_are_refused_and_every_answer_is_guarded() -> None:
    """`attacks.md`, operator surface: cache headers, clickjacking."""
    async with served() as client:
        answers = [
            await client.get("/"),
            await client.get("/metrics/"),
            await client.get("/metrics"),
            await client.post("/healthz"),
            await client.head("/healthz"),
            await client.get("/healthz"),
        ]

    assert [answer.status_code for answer in answers] == [404, 404, 401, 405, 200, 200]
    assert answers[3].headers["allow"] == "GET, HEAD"
    assert answers[4].content == b""
    for answer in answers:
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "canary" not in answer.text


async def test_the_application_does_not_show_its_tokens() -> None:
    """`attacks.md`: reprs."""
    surface = OperatorSurface(
        listen=ListenAddress(host="127.0.0.1", port=1),
        tokens=[Secret(TOKENS[0])],
        is_ready=Ready(),
        metrics=Ready().page,
    )

    assert "canary" not in repr((surface, vars(surface)))


@asynccontextmanager
async def served(ready: Ready | None = None, listen: str = "127.0.0.1") -> AsyncIterator[httpx2.AsyncClient]:
    """The surface on a free port, and a client of it."""
    state = ready or Ready()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        surface = OperatorSurface(
            listen=ListenAddress(host=listen, port=port),
            tokens=[Secret(token) for token in TOKENS],
            is_ready=state,
            metrics=state.page,
        )
        server = uvicorn.Server(uvicorn.Config(surface, log_config=None, access_log=False, lifespan="on"))
        serving = asyncio.create_task(server.serve([listener]))
        try:
            async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=10) as client:
                yield client
        finally:
            server.should_exit = True
            await asyncio.wait_for(serving, 10)
