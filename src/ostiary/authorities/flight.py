"""One flight for all who want the same at the same time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable

ResultT = TypeVar("ResultT")


class FlightCancelledError(Exception):
    """The flights were closed while somebody waited."""


class Flights(Generic[ResultT]):
    """Flights under way, by key.

    A flight belongs to nobody: whoever waits for it may be cancelled or lose patience, the flight goes on for the
    others and for what it leaves behind. What it raises reaches all.
    """

    def __init__(self) -> None:
        self._under_way: dict[Hashable, asyncio.Task[ResultT]] = {}

    def find(self, key: Hashable) -> asyncio.Task[ResultT] | None:
        """The flight under way."""
        return self._under_way.get(key)

    def start(self, key: Hashable, fly: Callable[[], Coroutine[None, None, ResultT]]) -> asyncio.Task[ResultT]:
        """Begin one; there must be none under this key."""
        task = asyncio.get_running_loop().create_task(fly())
        self._under_way[key] = task
        task.add_done_callback(lambda _: self._land(key, task))
        return task

    async def aclose(self) -> None:
        """Cancel all of them, and wait until they have ended."""
        under_way = tuple(self._under_way.values())
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    def _land(self, key: Hashable, task: asyncio.Task[ResultT]) -> None:
        del self._under_way[key]
        if not task.cancelled():
            task.exception()  # fetched, or asyncio logs it, traceback and all, when nobody waits any more


async def wait_for(task: asyncio.Task[ResultT], *, seconds: float) -> ResultT | None:
    """The flight's result; None when time runs out first. The flight goes on, whatever happens to the waiting.

    Raises:
        FlightCancelledError: the flight was cancelled.
        Exception: what the flight raised.
    """
    await asyncio.wait((task,), timeout=max(seconds, 0.0))
    if not task.done():
        return None
    if task.cancelled():
        raise FlightCancelledError
    return task.result()
