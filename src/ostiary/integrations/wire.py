"""ASGI as far as we speak it, and how an answer is sent over it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ostiary.decision.dialects import Answer

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HTTP: Final = "http.response"
WEBSOCKET_DENIAL: Final = "websocket.http.response"  # an extension; without it a refused handshake has no content


async def send_answer(send: Send, answer: Answer, *, kind: str = HTTP, status: int | None = None) -> None:
    """Send an answer whole.

    Args:
        send: the server's.
        answer: what to send.
        kind: `HTTP` or `WEBSOCKET_DENIAL`.
        status: instead of the answer's own.
    """
    headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in answer.headers]
    headers.append((b"content-length", str(len(answer.body)).encode("ascii")))
    await send({"type": kind + ".start", "status": answer.status if status is None else status, "headers": headers})
    await send({"type": kind + ".body", "body": answer.body})
