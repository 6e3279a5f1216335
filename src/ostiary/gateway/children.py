"""Child processes that never outlive us, and how long to wait before the next try."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Awaitable, Callable, Sequence

_BEGIN_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.02
_PULSE_SECONDS: Final = 1.0
_MISSES: Final = 3
_LAUNCH: Final = Path(__file__).with_name("launch.py")
_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 5.0
_STEADY_SECONDS: Final = 10.0  # who lived this long begins anew


async def spawn(
    command: Sequence[str], *, pass_fds: Sequence[int] = (), piped: bool = False, line_bytes: int = 1 << 16
) -> Process:
    """Start a program in a process group of its own, bound to the life of the calling thread.

    Args:
        command: the program, absolute or on the path, and its arguments.
        pass_fds: descriptors that the child inherits under the same numbers.
        piped: standard output and error are pipes for us to read; otherwise they are ours.
        line_bytes: the longest line that can be read from them.
    """
    stream = asyncio.subprocess.PIPE if piped else None
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-S",
        str(_LAUNCH),
        str(os.getpid()),
        *command,
        pass_fds=pass_fds,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=stream,
        stderr=stream,
        limit=line_bytes,
    )


async def end(process: Process, seconds: float) -> None:
    """Wait for a process that was asked to end; after `seconds` it is killed."""
    try:
        await asyncio.wait_for(process.wait(), seconds)
    except TimeoutError:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def until_silent(answers: Callable[[], Awaitable[bool]]) -> None:
    """Return when something that was started has not answered three times in a row, or never: it hangs.

    Args:
        answers: asks it; bounded by a second or so.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(_BEGIN_SECONDS):
            while not await answers():  # noqa: ASYNC110 - another process sets no event of ours
                await asyncio.sleep(_POLL_SECONDS)
    left = _MISSES
    while left:
        await asyncio.sleep(_PULSE_SECONDS)
        left = _MISSES if await answers() else left - 1


@dataclass(slots=True)
class Backoff:
    """How long to wait before something that ended is started again: 0.1 s, doubling to 5 s."""

    pause_seconds: float = _FIRST_PAUSE_SECONDS

    def after(self, lived_seconds: float) -> float:
        """The pause after one life of that length."""
        if lived_seconds >= _STEADY_SECONDS:
            self.pause_seconds = _FIRST_PAUSE_SECONDS
        pause = self.pause_seconds
        self.pause_seconds = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        return pause
