"""Whether a worker still answers: `GET /healthz` on its decision socket."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_SECONDS: Final = 1.0
_ASK: Final = b"GET /healthz HTTP/1.1\r\nHost: worker\r\nConnection: close\r\n\r\n"


async def is_healthy(path: Path) -> bool:
    """Ask once; False for whatever is no 200 within a second."""
    try:
        async with asyncio.timeout(_SECONDS):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                writer.write(_ASK)
                return (await reader.readline()).startswith(b"HTTP/1.1 200")
            finally:
                writer.close()
    except (OSError, ValueError):  # a time that is out is an OSError; a line without end is a ValueError
        return False
