"""An authorization server over real HTTP that answers each token as its table says, and keeps what it was asked.

It has no metadata, so nothing about it is for development: `ostiary serve` believes it as it is.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ostiary.devserver import Listener

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.oauth.json import JsonValue

Answering = Callable[[Request], Awaitable[Response]]


def active(**more: JsonValue) -> dict[str, JsonValue]:
    """The members of an answer that says yes, changed by `more`."""
    members: dict[str, JsonValue] = {
        "active": True,
        "client_id": "reader",
        "sub": "alice",
        "aud": ["gateway:my-gateway/api:my-api"],
        "exp": int(time.time()) + 600,
    }
    return members | more


def says(members: Mapping[str, JsonValue], status: int = 200, **headers: str) -> Answering:
    """Answer with this object."""

    async def answer(_: Request) -> Response:
        return JSONResponse(members, status, headers)

    return answer


async def hangs(request: Request) -> Response:
    """Answer nobody: wait until the other side gives up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return Response()


@dataclass
class Authority:
    """Answers questions about tokens at every path. `answers` is by token; any other token is not active."""

    answers: dict[str, Answering]
    received: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        routes = [Route("/{path:path}", self._answer, methods=["POST"])]
        self._listener = Listener(lambda: Starlette(routes=routes))

    def start(self) -> str:
        """Listen; the base URL."""
        return self._listener.start()

    def close(self) -> None:
        """Stop for good."""
        self._listener.close()

    async def _answer(self, request: Request) -> Response:
        body = await request.body()
        self.received.append(b"\n".join([*(b": ".join(pair) for pair in request.headers.raw), b"", body]))
        is_json = request.headers["content-type"] == "application/json"
        token = json.loads(body)["token"] if is_json else parse_qs(body.decode("ascii"))["token"][0]
        return await self.answers.get(token, says({"active": False}))(request)
