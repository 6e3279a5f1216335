"""Waiting for what sets no event of ours."""

from __future__ import annotations

import asyncio
from inspect import isawaitable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SECONDS: Final = 15


async def until(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    """Wait until it holds: another process, or a task that nobody is handed, can only be looked at again and again.

    Raises:
        TimeoutError: it did not in `SECONDS`.
    """
    async with asyncio.timeout(SECONDS):
        while not (await held if isawaitable(held := condition()) else held):  # noqa: ASYNC110 - see the docstring
            await asyncio.sleep(0.005)
