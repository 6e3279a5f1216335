"""The ways in which an authority can be of no use; each has a route and an authority of its own, named alike."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from starlette.responses import RedirectResponse, Response, StreamingResponse
from tests.e2e.authority import active, hangs, says

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from starlette.requests import Request
    from tests.e2e.authority import Answering

_YES: Final = b'{"active": true, "client_id": "reader", "exp": 9999999999, "aud": "gateway:my-gateway/api:my-api"'
_MEBIBYTE: Final = b" " * (1 << 20)


def _sends(body: bytes, media_type: str = "application/json") -> Answering:
    async def answer(_: Request) -> Response:
        return Response(body, media_type=media_type)

    return answer


def _streams(chunk: bytes, count: int, pause_seconds: float) -> Answering:
    """A yes, after whatever of this the reader has the patience for."""

    async def body() -> AsyncIterator[bytes]:
        for _ in range(count):
            yield chunk
            await asyncio.sleep(pause_seconds)
        yield _YES + b"}"

    async def answer(_: Request) -> Response:
        return StreamingResponse(body(), media_type="application/json")

    return answer


async def _redirects(_: Request) -> Response:
    return RedirectResponse("/elsewhere", status_code=301)


# Each says yes where it says anything: only how it says so is wrong.
FAILURES: Final[Mapping[str, Answering]] = {
    "hung": hangs,
    "slow-drip": _streams(b" ", 100, 0.05),
    "html": _sends(b"<html>" + _YES + b"}</html>", "text/html"),
    "one-gigabyte": _streams(_MEBIBYTE, 1024, 0),
    "redirect-301": _redirects,
    "unauthorized-to-us": says(active(), 401),
    "too-many-requests": says(active(), 429),
    "truncated-json": _sends(_YES),
    "duplicate-member": _sends(b'{"active": false, ' + _YES[1:] + b"}"),
    "byte-order-mark": _sends(b"\xef\xbb\xbf" + _YES + b"}"),
    "an-array": _sends(b"[" + _YES + b"}]"),
    "server-error": says(active(), 500),
}
# What can only be away, by the port where nobody listens: nothing that it does later makes it well.
NEVER_WELL: Final[Mapping[str, Callable[[int], str]]] = {
    "refused": lambda port: f"http://127.0.0.1:{port}",
    "unknown-name": lambda _: "https://authority.invalid",
}
