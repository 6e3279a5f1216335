"""Envoy's admin interface, over its Unix socket: is it live, what does it count, drain."""

from __future__ import annotations

import asyncio
import re
import socket
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from pathlib import Path

_SECONDS: Final = 1.0


class Admin:
    """Questions to a running Envoy; each is bounded by a second. An Envoy that is away is no error but an answer."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def is_live(self) -> bool:
        """Whether Envoy has everything it needs; says nothing about which routes."""
        return (await self._ask("GET", "/ready") or "").strip() == "LIVE"

    async def answers(self) -> bool:
        """Whether Envoy says anything at all."""
        return await self._ask("GET", "/ready") is not None

    async def stats(self, *names: str) -> dict[str, str]:
        """Values by name, texts without their quotes; a name that does not exist (yet) is missing."""
        pattern = "^(" + "|".join(re.escape(name) for name in names) + ")$"
        text = await self._ask("GET", "/stats?filter=" + quote(pattern, safe="")) or ""
        pairs = (line.partition(": ") for line in text.splitlines())
        return {name: value.strip('"') for name, colon, value in pairs if colon}

    async def drain_listeners(self) -> None:
        """Refuse new connections from now on; those that are open may finish."""
        # Not `?graceful`: new connections would keep coming in.
        await self._ask("POST", "/drain_listeners")

    async def _ask(self, method: str, target: str) -> str | None:
        return await asyncio.to_thread(self._exchange, method, target)

    def _exchange(self, method: str, target: str) -> str | None:
        connection = _UnixConnection(self._path)
        try:
            connection.request(method, target)
            return connection.getresponse().read().decode("utf-8", "replace")
        except (OSError, HTTPException):
            return None
        finally:
            connection.close()


class _UnixConnection(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("envoy", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_SECONDS)
        self.sock.connect(str(self._path))
