"""Log lines on their way to a stream that may stand still: taken at once, written by a thread.

Whoever writes to a pipe that nobody reads waits for ever. Here that is a thread which nobody waits for: a request, a
signal and the end of the process do not depend on who reads the log.
"""

from __future__ import annotations

import io
import os
import select
import sys
from contextlib import suppress
from queue import SimpleQueue
from threading import Event, RLock, Thread
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

MAX_BYTES: Final = 4 * 1024 * 1024
_LINGER_SECONDS: Final = 0.02
_PIECE_BYTES: Final = select.PIPE_BUF  # POSIX: never mixed with what another process writes to the same pipe


class Lines:
    """Takes lines from any thread, in their order; those that find no room are lost, and counted.

    A line costs its caller an entry in a queue; only the first after a silence wakes the thread. A stream that is
    closed, or whose reader is gone, loses lines as well.
    """

    def __init__(self, stream: TextIO, lost: Callable[[int], str], *, max_bytes: int = MAX_BYTES) -> None:
        """Make ready to write.

        Args:
            stream: where lines go; where it has a descriptor, past its buffer.
            lost: the line, with its end, that says how many were lost before it.
            max_bytes: how much may wait, in memory.
        """
        self._stream = stream
        self._tell = lost
        self._max_bytes = max_bytes
        self._last: Event | None = None
        self._begin()

    def write(self, text: str) -> None:
        """Take a line, with its end, or drop it; at once, whatever the stream does."""
        if self._pid != os.getpid():
            self._begin()
        size = sys.getsizeof(text)
        with self._lock:
            if self._last is not None or self._held_bytes + size > self._max_bytes:
                self._lost += 1
                return
            self._held_bytes += size
            self._waiting.put(text)

    def drain(self, seconds: float = 1.0) -> None:
        """Wait until what was taken is written, for at most so long."""
        self._await(Event(), seconds)

    def close(self, seconds: float = 1.0) -> None:
        """Drain, and take nothing more."""
        if self._last is None:
            self._last = Event()
            self._await(self._last, seconds)

    def _await(self, written: Event, seconds: float) -> None:
        if self._pid == os.getpid():
            self._hurry.set()
            self._waiting.put(written)
            written.wait(seconds)

    def _begin(self) -> None:
        """Also in the child of a fork: there the thread is gone, and what waited is the parent's to write."""
        self._pid = os.getpid()
        # Reentrant, as the queue is: whatever the garbage collector ends in between may have something to log.
        self._lock = RLock()
        self._waiting: SimpleQueue[str | Event] = SimpleQueue()
        self._held_bytes = 0
        self._lost = 0
        self._hurry = Event()
        Thread(target=self._run, name="log lines", daemon=True).start()

    def _run(self) -> None:
        while self._last is None or not self._last.is_set():
            taken = [self._waiting.get()]
            # One wake-up for all that comes within a moment.
            self._hurry.wait(_LINGER_SECONDS)
            while not self._waiting.empty():
                taken.append(self._waiting.get())
            self._write_all(taken)

    def _write_all(self, taken: list[str | Event]) -> None:
        piece: list[str] = []
        room = _PIECE_BYTES
        for each in taken:
            if piece and (isinstance(each, Event) or len(each) > room):
                self._write_piece(piece)
                piece, room = [], _PIECE_BYTES
            if isinstance(each, Event):
                each.set()
            else:
                piece.append(each)
                room -= len(each)
        self._write_piece(piece)

    def _write_piece(self, piece: list[str]) -> None:
        with suppress(OSError, ValueError):
            self._put("".join(piece))
        with self._lock:
            self._held_bytes -= sum(map(sys.getsizeof, piece))
            if self._lost:
                # Its place is here: behind all that was taken before, before all that will be.
                self._waiting.put(self._tell(self._lost))
                self._lost = 0

    def _put(self, text: str) -> None:
        try:
            descriptor = self._stream.fileno()
        except io.UnsupportedOperation:
            self._stream.write(text)
            self._stream.flush()
            return
        data = text.encode(self._stream.encoding, "backslashreplace")
        writable = select.poll()
        writable.register(descriptor, select.POLLOUT)
        while data:
            writable.poll()  # whoever shares the stream may have made it one that does not wait
            data = data[os.write(descriptor, data) :]
