"""What stands behind the gateway, asked directly."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.types import INVALID_PARAMS

from ostiary.demo.upstreams import MAX_EVENTS, echo_api, mcp_server
from ostiary.devserver import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

Mode = Literal["auto", "legacy"]


@pytest.fixture(scope="module")
def http() -> Iterator[httpx2.Client]:
    """An HTTP client of the API `orders`."""
    with serve(echo_api("orders")) as base_url, httpx2.Client(base_url=base_url, trust_env=False, timeout=10) as client:
        yield client


@pytest.fixture(scope="module")
def mcp_url() -> Iterator[str]:
    """The URL of an MCP server's endpoint."""
    with serve(mcp_server()) as base_url:
        yield base_url + "/mcp"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_the_api_repeats_what_it_saw(http: httpx2.Client, method: str) -> None:
    """Ours: target as sent, repeated headers repeated."""
    headers = [("X-Twice", "1"), ("x-twice", "2"), ("X-Bkapi-App", '{"app_code": "shop"}')]
    seen = http.request(method, "/a/%2e%2E//b?c=%20&c", headers=headers, content=b"12345").json()
    assert (seen["upstream"], seen["method"], seen["body_bytes"]) == ("orders", method, 5)
    assert (seen["path"], seen["query"]) == ("/a/%2e%2E//b", "c=%20&c")
    pairs = [tuple(pair) for pair in seen["headers"]]
    assert [value for name, value in pairs if name == "x-twice"] == ["1", "2"]
    assert ("x-bkapi-app", '{"app_code": "shop"}') in pairs


def test_two_apis_are_told_apart(http: httpx2.Client) -> None:
    """Ours: the tour shows that a route leads where it says."""
    with serve(echo_api("files")) as files, httpx2.Client(trust_env=False, timeout=10) as other:
        assert other.get(files).json()["upstream"] == "files"
        assert http.get("/").json()["upstream"] == "orders"


def test_events_come_one_by_one(http: httpx2.Client) -> None:
    """Ours: the first of very many is there before the last is made."""
    with http.stream("GET", "/stream", params={"events": MAX_EVENTS}) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        assert next(stream.iter_text()) == "id: 1\ndata: event 1\n\n"


@pytest.mark.parametrize(("events", "count"), [(None, 3), ("1", 1), ("0", 0), ("-1", 0), ("²", 0), ("many", 0)])
def test_there_are_as_many_events_as_asked_for(http: httpx2.Client, events: str | None, count: int) -> None:
    """Ours: three by default, none where the number cannot be read."""
    body = http.get("/stream", params={} if events is None else {"events": events}).text
    assert body == "".join(f"id: {number}\ndata: event {number}\n\n" for number in range(1, count + 1))


@pytest.mark.anyio
@pytest.mark.parametrize(("mode", "version"), [("auto", "2026-07-28"), ("legacy", "2025-11-25")])
async def test_the_official_client_calls_the_tools_in_both_eras(mcp_url: str, mode: Mode, version: str) -> None:
    """Ours: `mcp.md`, the revisions that the gateway tells apart."""
    async with Client(mcp_url, mode=mode, read_timeout_seconds=10) as client:
        assert client.protocol_version == version
        assert [tool.name for tool in (await client.list_tools()).tools] == ["add", "whoami"]
        assert (await client.call_tool("add", {"a": 2, "b": 0.5})).structured_content == {"sum": 2.5}


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_it_tells_the_caller_whom_the_gateway_vouched_for(mcp_url: str, mode: Mode) -> None:
    """Ours: identity arrives, and credentials that got through are named, never repeated."""
    headers = {"X-Bkapi-App": "shop", "X-Bkapi-User": "", "X-Bkapi-Jwt": "a.b.c", "Authorization": "Bearer secret"}
    async with (
        httpx2.AsyncClient(headers=headers, trust_env=False, timeout=10) as http,
        Client(streamable_http_client(mcp_url, http_client=http), mode=mode, read_timeout_seconds=10) as client,
    ):
        answer = await client.call_tool("whoami")
    expected = {"app": "shop", "user": "", "jwt": "a.b.c", "credentials": ["authorization"]}
    assert answer.structured_content == expected
    assert "secret" not in str(answer)


@pytest.mark.anyio
async def test_a_call_that_does_not_fit_is_an_error_that_the_client_can_read(mcp_url: str) -> None:
    """MCP 2026-07-28, server/tools: bad arguments are a tool's error, an unknown tool is the protocol's."""
    async with Client(mcp_url, read_timeout_seconds=10) as client:
        assert (await client.call_tool("add", {"a": "x"})).is_error
        with pytest.raises(MCPError) as refusal:
            await client.call_tool("delete_all")
    assert refusal.value.code == INVALID_PARAMS


@pytest.mark.anyio
async def test_the_mcp_server_can_be_down_and_up_again() -> None:
    """Ours: the SDK's application lives once, so each start makes another."""
    listener = mcp_server()
    with serve(listener) as base_url:
        for _ in range(2):
            async with Client(base_url + "/mcp", read_timeout_seconds=10) as client:
                assert (await client.call_tool("add", {"a": 1, "b": 1})).structured_content == {"sum": 2}
            listener.stop()
            listener.start()


def test_the_mcp_server_accepts_loopback_names_and_the_hosts_it_was_told() -> None:
    """Ours: the gateway hands `Host` on as sent, and the SDK's server checks it."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    accept = {"Accept": "application/json, text/event-stream"}
    with (
        serve(mcp_server(allowed_hosts=("api.example",))) as base_url,
        httpx2.Client(base_url=base_url, headers=accept, trust_env=False, timeout=10) as http,
    ):
        statuses = {
            host: http.post("/mcp", json=body, headers={"Host": host}).status_code
            for host in ("localhost:1", "api.example", "other.example")
        }
    assert statuses.pop("other.example") == 421
    assert 421 not in statuses.values()


def test_making_an_mcp_server_leaves_the_root_logger_alone() -> None:
    """Ours: the SDK's ergonomic server configures it, so ours is the low-level one."""
    kept = list(logging.root.handlers)
    logging.root.handlers.clear()
    try:
        with serve(mcp_server()):
            assert logging.root.handlers == []
    finally:
        logging.root.handlers[:] = kept
