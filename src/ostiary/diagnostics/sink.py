"""Where a door puts its records. It never waits: they are sampled at once, and written and sent by a thread."""

from __future__ import annotations

from collections import deque
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Final
from zlib import crc32

import structlog

from ostiary.decision.verdict import VerdictLabel
from ostiary.diagnostics.outlet import Outlet
from ostiary.diagnostics.record_json import compose
from ostiary.diagnostics.subjects import SubjectMask, load_subject_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ostiary.diagnostics.record import DecisionRecord
    from ostiary.diagnostics.settings import DecisionLogSettings

CAPACITY: Final = 10_000
# The queue is for this: a supervisor that is held up loses no record, while there is room for those behind it.
_PATIENCE_SECONDS: Final = 5.0
_LINGER_SECONDS: Final = 0.02
_CRC_VALUES: Final = 2**32

_log = structlog.get_logger(__name__)


def _nobody_counts(_records: int) -> None:
    return


class RecordSink:
    """Takes records from any thread; sends each to the writer and logs one line of it.

    A sampled-away allow costs a hash. What is kept waits in memory until the thread, which begins with the first of
    them, has masked its subject, bounded and written it.
    """

    def __init__(
        self,
        *,
        data_dir: Path | None,
        settings: DecisionLogSettings,
        dropped: Callable[[int], None] = _nobody_counts,
        capacity: int = CAPACITY,
        recallable: int = 0,
    ) -> None:
        """Make a sink.

        Args:
            data_dir: where the writer listens and the subjects' key lies; None: only the lines are written.
            settings: of `decision_log`.
            dropped: told how many records were lost: the queue was full, or no writer took them.
            capacity: how many records may wait.
            recallable: how many allows that were sampled away are kept for `recall`.

        Raises:
            OSError: there is no key for subjects and none can be made.
        """
        self._mask = None if settings.show_subjects else SubjectMask(load_subject_key(data_dir)).name
        self._outlet = None if data_dir is None else Outlet(data_dir, patience=_PATIENCE_SECONDS)
        self._threshold = int(settings.sample_allows * _CRC_VALUES)
        self._dropped = dropped
        self._capacity = capacity
        self._recallable = recallable
        self._sampled_away: dict[str, DecisionRecord] = {}
        self._refused: deque[tuple[DecisionRecord, bool]] = deque()
        self._allowed: deque[tuple[DecisionRecord, bool]] = deque()
        self._lock = Lock()
        self._filled = Event()
        self._closing = Event()
        self._thread: Thread | None = None
        # Bound once: a logger that is bound at each line costs more than the line.
        self._lines: structlog.typing.FilteringBoundLogger = structlog.get_logger("ostiary.decision").bind()

    def send(self, record: DecisionRecord, *, logs: bool = True) -> None:
        """Take a record, or drop it; at once, whatever the writer does.

        Args:
            record: of one decision.
            logs: False where another process has written the line of the same decision.
        """
        is_allow = record.verdict is VerdictLabel.ALLOW
        if is_allow and crc32(record.reference.encode("utf-8", "surrogatepass")) >= self._threshold:
            if self._recallable:
                self._sampled_away[record.reference] = record
                if len(self._sampled_away) > self._recallable:
                    del self._sampled_away[next(iter(self._sampled_away))]
            return
        self._keep(record, is_allow=is_allow, logs=logs)

    def recall(self, reference: str) -> None:
        """Send an allow that was sampled away after all: what came of it was a refusal. From the thread of `send`."""
        record = self._sampled_away.pop(reference, None)
        if record is not None:
            self._keep(record, is_allow=True, logs=False)

    def take_over(self, older: RecordSink) -> None:
        """Recall what `older` has sampled away as well. From the thread of `send`, before it is closed."""
        self._sampled_away = older._sampled_away

    def _keep(self, record: DecisionRecord, *, is_allow: bool, logs: bool) -> None:
        with self._lock:
            is_full = len(self._refused) + len(self._allowed) >= self._capacity
            if not is_full:
                (self._allowed if is_allow else self._refused).append((record, logs))
            elif self._allowed and not is_allow:
                self._allowed.popleft()
                self._refused.append((record, logs))
            # Not alive: nothing was sent so far, or this is the child of a fork.
            if self._thread is None or not self._thread.is_alive():
                self._thread = Thread(target=self._run, name="decision records", daemon=True)
                self._thread.start()
        if is_full:
            self._dropped(1)
        if not self._filled.is_set():
            self._filled.set()

    def close(self, timeout_seconds: float = 2.0) -> None:
        """Send what waits, for at most so long, and stop."""
        self._closing.set()
        self._filled.set()
        if self._outlet is not None:
            self._outlet.hurry()
        if self._thread is not None:
            self._thread.join(timeout_seconds)
        with self._lock:
            left = len(self._refused) + len(self._allowed)
            self._refused.clear()
            self._allowed.clear()
        if left:
            self._dropped(left)

    def _run(self) -> None:
        while not self._closing.is_set():
            self._filled.wait()
            # One wake-up for all that comes within a moment: waking a thread costs the request path more than a record.
            self._closing.wait(_LINGER_SECONDS)
            self._filled.clear()
            self._drain()
        self._drain()
        if self._outlet is not None:
            self._outlet.close()

    def _drain(self) -> None:
        while True:
            with self._lock:
                waiting = self._refused or self._allowed
                if not waiting:
                    return
                record, logs = waiting.popleft()
            try:
                self._deliver(record, logs=logs)
            except Exception as error:  # noqa: BLE001 - a record that cannot be written must not end the thread
                self._dropped(1)
                _log.warning("a decision record was lost", reference=record.reference, error=type(error).__name__)

    def _deliver(self, record: DecisionRecord, *, logs: bool) -> None:
        found, data = compose(record, self._mask)
        if self._outlet is not None and not self._outlet.offer(data):
            self._dropped(1)
        if logs:
            write = self._lines.warning if record.verdict is VerdictLabel.UNAVAILABLE else self._lines.info
            write("decision", **found)
