"""What stands behind the gateway in the tour: HTTP APIs that repeat what reached them, and an MCP server.

Each is a listener on loopback (`serve(echo_api("orders"))`). They check no credentials: that is the gateway's work, and
what they repeat shows whether it was done.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mcp import types
from mcp.server import Server, ServerRequestContext
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from ostiary.devserver import Listener

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request

    from ostiary.oauth.json import JsonValue

MCP_PATH: Final = "/mcp"
MAX_EVENTS: Final = 1_000
_PAUSE_SECONDS: Final = 0.05
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def echo_api(name: str, *, port: int = 0) -> Listener:
    """An API that answers every request with what it saw of it, and `/stream` with server-sent events.

    The answer: `{"upstream", "method", "path", "query", "headers", "body_bytes"}`; `path` and `query` as sent,
    `headers` as pairs in their order, repeated ones repeated. `/stream?events=5` sends five events, 50 ms apart.

    Args:
        name: what it calls itself.
        port: 0 lets the operating system choose.
    """

    async def echo(request: Request) -> Response:
        return JSONResponse(
            {
                "upstream": name,
                "method": request.method,
                "path": request.scope["raw_path"].decode("latin-1"),
                "query": request.scope["query_string"].decode("latin-1"),
                "headers": request.headers.items(),
                "body_bytes": len(await request.body()),
            }
        )

    routes = [Route("/stream", _stream, methods=["GET"]), Route("/{path:path}", echo, methods=_METHODS)]
    return Listener(lambda: Starlette(routes=routes), port=port)


def mcp_server(*, path: str = MCP_PATH, port: int = 0, allowed_hosts: tuple[str, ...] = ()) -> Listener:
    """An MCP server of the official SDK over streamable HTTP, with two tools, `add` and `whoami`.

    The low-level server is used because the ergonomic one configures the root logger when it is made.

    Args:
        path: of its only endpoint, without a trailing slash.
        port: 0 lets the operating system choose.
        allowed_hosts: values of `Host` besides those of loopback; the gateway hands `Host` on as sent.
    """
    hosts = [*_LOOPBACK_HOSTS, *allowed_hosts]
    security = TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=["http://" + host for host in hosts])

    def application() -> Starlette:
        server = Server("ostiary-demo", on_list_tools=_list_tools, on_call_tool=_call_tool)
        return server.streamable_http_app(streamable_http_path=path, transport_security=security)

    return Listener(application, port=port)


_LOOPBACK_HOSTS: Final = ("127.0.0.1:*", "localhost:*", "[::1]:*")


async def _stream(request: Request) -> Response:
    asked = request.query_params.get("events", "3")
    count = min(int(asked), MAX_EVENTS) if asked.isascii() and asked.isdigit() else 0

    async def events() -> AsyncIterator[str]:
        for number in range(1, count + 1):
            yield f"id: {number}\ndata: event {number}\n\n"
            await asyncio.sleep(_PAUSE_SECONDS)

    return StreamingResponse(events(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


class Addends(BaseModel):
    """What `add` takes."""

    a: float
    b: float


class Nothing(BaseModel):
    """What `whoami` takes."""


def _add(arguments: dict[str, Any], _: Headers) -> dict[str, JsonValue]:
    addends = Addends.model_validate(arguments)
    return {"sum": addends.a + addends.b}


def _whoami(_: dict[str, Any], headers: Headers) -> dict[str, JsonValue]:
    """Whom the gateway vouches for, and the names of credentials that should not have come this far."""
    return {
        "app": headers.get("x-bkapi-app"),
        "user": headers.get("x-bkapi-user"),
        "jwt": headers.get("x-bkapi-jwt"),
        "credentials": [name for name in _CREDENTIALS if name in headers],
    }


_CREDENTIALS: Final = ("authorization", "x-bkapi-authorization", "cookie")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tool:
    description: str
    arguments: type[BaseModel]
    run: Callable[[dict[str, Any], Headers], dict[str, JsonValue]]


_TOOLS: Final = {
    "add": _Tool(description="Add two numbers.", arguments=Addends, run=_add),
    "whoami": _Tool(description="Whom the gateway says you are.", arguments=Nothing, run=_whoami),
}


async def _list_tools(_: ServerRequestContext, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
    return types.ListToolsResult(
        tools=[
            types.Tool(name=name, description=tool.description, input_schema=tool.arguments.model_json_schema())
            for name, tool in _TOOLS.items()
        ]
    )


async def _call_tool(
    context: ServerRequestContext[dict[str, object], Request], params: types.CallToolRequestParams
) -> types.CallToolResult:
    tool = _TOOLS.get(params.name)
    if tool is None:
        raise MCPError(types.INVALID_PARAMS, "unknown tool")
    headers = Headers() if context.request is None else context.request.headers
    try:
        result = tool.run(params.arguments or {}, headers)
    except ValidationError as error:
        return types.CallToolResult(content=[types.TextContent(text=str(error))], is_error=True)
    return types.CallToolResult(content=[types.TextContent(text=json.dumps(result))], structured_content=result)
