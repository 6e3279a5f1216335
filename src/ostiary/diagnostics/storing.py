"""From received bytes to rows: in batches, in a thread of its own, whatever the disk says."""

from __future__ import annotations

import contextlib
import math
import time
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

import structlog
from sqlalchemy.exc import DBAPIError

from ostiary.database.engine import open_to_write
from ostiary.database.schema import SchemaFault, prepare
from ostiary.diagnostics.decision_table import METADATA, SCHEMA_VERSION, expire, store
from ostiary.diagnostics.record_json import RecordFault, from_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine

    from ostiary.diagnostics.record import DecisionRecord
    from ostiary.diagnostics.settings import DecisionLogSettings

_WAITING: Final = 20_000
_BATCH: Final = 500
_LINGER_SECONDS: Final = 0.1
_EXPIRE_SECONDS: Final = 60.0
_WAKE: Final = b""

_log = structlog.get_logger(__name__)


class RecordStore:
    """Writes records into the decision log. What cannot be written is counted, and said once."""

    def __init__(
        self,
        url: str,
        settings: DecisionLogSettings,
        *,
        dropped: Callable[[int], None],
        now: Callable[[], float],
    ) -> None:
        self._url = url
        self._settings = settings
        self._dropped = dropped
        self._now = now
        self._waiting: Queue[bytes] = Queue(_WAITING)
        self._closing = Event()
        self._engine: Engine | None = None
        self._failing = False
        self._expired_at = -math.inf
        self._thread = Thread(target=self._run, name="decision log", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def adopt(self, settings: DecisionLogSettings) -> None:
        """Keep as much and as long as these settings say from now on."""
        self._settings = settings

    def put(self, data: bytes) -> None:
        """Take one record as JSON; never waits."""
        try:
            self._waiting.put_nowait(data)
        except Full:
            self._dropped(1)

    def close(self, timeout_seconds: float) -> None:
        """Write what waits, and stop."""
        self._closing.set()
        with contextlib.suppress(Full):  # then the thread is awake anyway
            self._waiting.put_nowait(_WAKE)
        self._thread.join(timeout_seconds)

    def _run(self) -> None:
        # At once, so that a log that cannot be written is said at the start and not at the first refusal.
        self._attempt(_nothing)
        while not (self._closing.is_set() and self._waiting.empty()):
            batch = self._batch()
            if batch and not self._attempt(lambda connection: store(connection, batch)):  # noqa: B023 - called here
                self._dropped(len(batch))
            if time.monotonic() - self._expired_at >= _EXPIRE_SECONDS:
                self._expire()
        self._close_engine()

    def _batch(self) -> list[DecisionRecord]:
        """What arrives within a moment of the first; nothing, if there is no first for some time."""
        batch: list[DecisionRecord] = []
        until = time.monotonic() + _EXPIRE_SECONDS
        while len(batch) < _BATCH and (left := until - time.monotonic()) > 0:
            try:
                data = self._waiting.get(timeout=left)
            except Empty:
                break
            if data is _WAKE:
                break
            if not batch:
                until = time.monotonic() + _LINGER_SECONDS
            try:
                batch.append(from_json(data))
            except RecordFault:
                self._dropped(1)
        return batch

    def _expire(self) -> None:
        self._expired_at = time.monotonic()
        before = self._now() - self._settings.keep
        more = True

        def delete(connection: Connection) -> None:
            nonlocal more
            more = expire(connection, before=before, rows=self._settings.rows)

        # A transaction for each few thousand, and records first: what is left is deleted the next time.
        while self._attempt(delete) and more and self._waiting.qsize() < _BATCH:
            pass

    def _attempt(self, work: Callable[[Connection], None]) -> bool:
        """Do it in one transaction; False: it failed and that has been said, once until something succeeds again."""
        try:
            if self._engine is None:
                self._engine = self._open()
            with self._engine.begin() as connection:
                work(connection)
        except Exception as error:  # noqa: BLE001 - a full disk, a broken file: decisions go on without their log
            if not self._failing:
                self._failing = True
                _log.error("the decision log cannot be written", error=type(error).__name__, cause=_cause(error))
            self._close_engine()
            return False
        if self._failing:
            self._failing = False
            _log.warning("the decision log is written again")
        return True

    def _open(self) -> Engine:
        engine = open_to_write(self._url)
        with contextlib.ExitStack() as unless_it_is_ready:
            unless_it_is_ready.callback(engine.dispose)
            prepare(engine, METADATA, SCHEMA_VERSION)
            unless_it_is_ready.pop_all()
        return engine

    def _close_engine(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None


def _nothing(_connection: Connection) -> None:
    return


def _cause(error: Exception) -> str:
    """What the system or SQLite says, without the statement; of anything else nothing, it may quote a row."""
    if isinstance(error, DBAPIError):
        return str(error.orig)
    if isinstance(error, OSError):
        return error.strerror or ""
    return str(error) if isinstance(error, SchemaFault) else ""
