"""The one writer of a `data_dir`: it holds the lock, hears the socket, and hands on what it hears.

Every process that serves has one; the first to get `records.lock` writes, each other tries once a second. The lock is
the kernel's (flock): it goes with its holder, however that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import socket
import time
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

import structlog

from ostiary.diagnostics.outlet import SOCKET_NAME
from ostiary.diagnostics.record_json import MAX_RECORD_BYTES
from ostiary.diagnostics.storing import RecordStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ostiary.diagnostics.settings import DecisionLogSettings

LOCK_NAME: Final = "records.lock"
_RETRY_SECONDS: Final = 1.0
_CLOSE_SECONDS: Final = 3.0

_log = structlog.get_logger(__name__)


def _nobody_counts(_records: int) -> None:
    return


class RecordWriter:
    """Writes the records of all processes of a `data_dir`, when its turn comes.

    `dropped` is told how many records were lost here: no record, a full queue, a log that cannot be written.
    """

    def __init__(
        self,
        *,
        data_dir: Path,
        url: str,
        settings: DecisionLogSettings,
        dropped: Callable[[int], None] = _nobody_counts,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Make a writer.

        Args:
            data_dir: where lock and socket lie.
            url: of the database, from `decision_log_url`.
            settings: of `decision_log`.
            dropped: told how many records were lost.
            now: wall clock in seconds: what is too old is judged by it.
        """
        self._lock_path = data_dir / LOCK_NAME
        self._socket_path = data_dir / SOCKET_NAME
        self._url = url
        self._settings = settings
        self._store: RecordStore | None = None
        self._dropped = dropped
        self._now = now
        self._closing = Event()
        self._listening = Event()
        self._wake, self._woken = socket.socketpair()
        self._thread = Thread(target=self._run, name="decision record writer", daemon=True)

    @property
    def is_listening(self) -> bool:
        """Whether this is the one."""
        return self._listening.is_set()

    def wait_listening(self, timeout_seconds: float) -> bool:
        """Wait until this is the one; False: it is not, so far."""
        return self._listening.wait(timeout_seconds)

    def start(self) -> None:
        """Begin to try."""
        self._thread.start()

    def adopt(self, settings: DecisionLogSettings) -> None:
        """Keep as much and as long as these settings say from now on."""
        self._settings = settings
        if self._store is not None:
            self._store.adopt(settings)

    def close(self, timeout_seconds: float = 5.0) -> None:
        """Write what has arrived, and let another have the lock."""
        self._closing.set()
        self._wake.close()
        if self._thread.ident is None:
            self._woken.close()
        else:
            self._thread.join(timeout_seconds)

    def _run(self) -> None:
        said = False
        while not self._closing.is_set():
            try:
                self._take_turn()
                said = False
            except OSError as error:
                if not said:
                    _log.error("decision records cannot be received", cause=error.strerror)
                said = True
            self._closing.wait(_RETRY_SECONDS)
        self._woken.close()

    def _take_turn(self) -> None:
        """Listen, if nobody else does, until closed."""
        lock = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._listen()
        finally:
            os.close(lock)

    def _listen(self) -> None:
        # Who holds the lock may remove what a dead holder left.
        self._socket_path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
            heard.settimeout(0)
            mask = os.umask(0o077)
            try:
                heard.bind(str(self._socket_path))
            finally:
                os.umask(mask)
            self._socket_path.chmod(0o600)
            self._store = store = RecordStore(self._url, self._settings, dropped=self._dropped, now=self._now)
            store.start()
            self._listening.set()
            try:
                self._receive(heard, store)
            finally:
                self._listening.clear()
                self._socket_path.unlink(missing_ok=True)
                store.close(_CLOSE_SECONDS)

    def _receive(self, heard: socket.socket, store: RecordStore) -> None:
        ready = select.poll()
        ready.register(heard, select.POLLIN)
        ready.register(self._woken, select.POLLIN)
        while not self._closing.is_set():
            ready.poll()
            self._take(heard, store)
        self._take(heard, store)

    def _take(self, heard: socket.socket, store: RecordStore) -> None:
        """All that is there."""
        with contextlib.suppress(BlockingIOError):
            while True:
                # One byte more than allowed: what is longer is cut by the kernel, and then no record.
                store.put(heard.recv(MAX_RECORD_BYTES + 1))
