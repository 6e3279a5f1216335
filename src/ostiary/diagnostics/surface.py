"""The operator's surface: `/healthz` and `/readyz` for everybody who reaches the listener, `/metrics` for operators.

Bare ASGI. It is a listener of its own, by default on loopback; nothing of it is reachable through the public one.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from ostiary.config import is_loopback_literal
from ostiary.decision.hosts import parse_host
from ostiary.oauth.credentials import parse_credentials

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping

    from ostiary.config import ListenAddress, Secret

    Headers = list[tuple[bytes, bytes]]
    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_PLAIN: Final = b"text/plain; charset=utf-8"
_METRICS: Final = b"text/plain; version=0.0.4; charset=utf-8"
_SECURITY: Final = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
_CHALLENGE: Final = (b"www-authenticate", b'Bearer realm="ostiary operator"')
_DEFAULT_PORT: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    status: HTTPStatus
    body: bytes
    media_type: bytes = _PLAIN
    headers: tuple[tuple[bytes, bytes], ...] = ()


class OperatorSurface:
    """The application behind `operator.listen`."""

    def __init__(
        self,
        *,
        listen: ListenAddress,
        tokens: Iterable[Secret],
        is_ready: Callable[[], Awaitable[bool]],
        metrics: Callable[[], Awaitable[bytes]],
    ) -> None:
        """Make the application.

        Args:
            listen: the listener's address: what `Host` may name.
            tokens: all operator tokens that count now.
            is_ready: whether decisions are made; asked at each `/readyz`.
            metrics: the page, asked for at each `/metrics`.
        """
        self._listen = listen
        self._is_ready = is_ready
        self._metrics = metrics
        self.accept(tokens)

    def accept(self, tokens: Iterable[Secret]) -> None:
        """Let these operator tokens count from now on, and no others."""
        self._tokens = [_digest(token.reveal().encode()) for token in tokens]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            await _send(send, await self._answer(scope), has_body=scope["method"] != "HEAD")
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, scope: Scope) -> _Answer:
        headers: Headers = scope["headers"]
        # DNS rebinding: a page of another origin reaches loopback by a name of its own.
        if not self._is_ours([value for name, value in headers if name == b"host"]):
            return _Answer(status=HTTPStatus.MISDIRECTED_REQUEST, body=b"misdirected\n")
        if scope["path"] not in ("/healthz", "/readyz", "/metrics"):
            return _Answer(status=HTTPStatus.NOT_FOUND, body=b"not found\n")
        if scope["method"] not in ("GET", "HEAD"):
            allow = (b"allow", b"GET, HEAD")
            return _Answer(status=HTTPStatus.METHOD_NOT_ALLOWED, body=b"method not allowed\n", headers=(allow,))
        if scope["path"] == "/healthz":
            return _Answer(status=HTTPStatus.OK, body=b"ok\n")
        if scope["path"] == "/readyz":
            if await self._is_ready():
                return _Answer(status=HTTPStatus.OK, body=b"ready\n")
            return _Answer(status=HTTPStatus.SERVICE_UNAVAILABLE, body=b"unready\n")
        if not self._is_operator(headers):
            return _Answer(status=HTTPStatus.UNAUTHORIZED, body=b"unauthorized\n", headers=(_CHALLENGE,))
        return _Answer(status=HTTPStatus.OK, body=await self._metrics(), media_type=_METRICS)

    def _is_ours(self, hosts: list[bytes]) -> bool:
        if len(hosts) != 1:
            return False
        asked = parse_host(hosts[0].decode("latin-1"))
        if asked is None or (_DEFAULT_PORT if asked.port is None else asked.port) != self._listen.port:
            return False
        host = asked.name.strip("[]")
        if host == self._listen.host:
            return True
        if host == "localhost":
            return is_loopback_literal(self._listen.host) or _is_any(self._listen.host)
        # On every address: which one it was is not known, but an address is no name that somebody can rebind.
        return _is_any(self._listen.host) and _is_address(host)

    def _is_operator(self, headers: Headers) -> bool:
        bearer = parse_credentials(headers).bearer
        presented = _digest(b"" if bearer is None else bearer.reveal().encode("latin-1"))
        # All of them, always: which one matched takes no other time.
        matches = [hmac.compare_digest(presented, token) for token in self._tokens]
        return bearer is not None and any(matches)


def _digest(token: bytes) -> bytes:
    """Of one length, whatever the token's: `compare_digest` shows the length of what it compares."""
    return hashlib.sha256(token).digest()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_any(host: str) -> bool:
    return ipaddress.ip_address(host).is_unspecified


async def _send(send: Send, answer: _Answer, *, has_body: bool) -> None:
    length = (b"content-length", str(len(answer.body)).encode())
    headers = [(b"content-type", answer.media_type), length, *_SECURITY, *answer.headers]
    await send({"type": "http.response.start", "status": int(answer.status), "headers": headers})
    await send({"type": "http.response.body", "body": answer.body if has_body else b""})


async def _live(receive: Receive, send: Send) -> None:
    while (await receive())["type"] != "lifespan.shutdown":
        await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})
