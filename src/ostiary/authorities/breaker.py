"""When to stop asking an authority that does not answer, and when to try again. Pure: `now` is handed in."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

FAILURES: Final = 5
FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 10.0


class BreakerState(StrEnum):
    """Closed: everybody asks. Open: nobody. Probing: one does, and its answer decides."""

    CLOSED = "closed"
    OPEN = "open"
    PROBING = "probing"


class Breaker:
    """Five failures in a row open it for a second, each failed probe for twice as long, up to ten.

    What counts as a failure is the caller's to say. Every change of state begins a new period; what was asked in an
    earlier one no longer counts when it settles, so a slow answer neither closes nor opens anything.
    """

    def __init__(self) -> None:
        self.state = BreakerState.CLOSED
        self._period = 0
        self._failures = 0
        self._pause_seconds = FIRST_PAUSE_SECONDS
        self._open_until = 0.0

    def admit(self, now: float) -> int | None:
        """The period in which this question is asked, to be handed to `settle`; None: it must not be asked.

        The first one after the pause is the probe.
        """
        if self.state is BreakerState.PROBING or now < self._open_until:
            return None
        if self.state is BreakerState.OPEN:
            self._enter(BreakerState.PROBING)
        return self._period

    def settle(self, period: int, *, failed: bool, now: float) -> None:
        """Say what became of a question. Each one that was admitted must be settled, even when it was given up."""
        if period != self._period:
            return
        if not failed:
            self._failures = 0
            if self.state is BreakerState.PROBING:
                self._pause_seconds = FIRST_PAUSE_SECONDS
                self._enter(BreakerState.CLOSED)
            return
        self._failures += 1
        if self.state is BreakerState.PROBING:
            self._pause_seconds = min(self._pause_seconds * 2, LONGEST_PAUSE_SECONDS)
        elif self._failures < FAILURES:
            return
        self._open_until = now + self._pause_seconds
        self._enter(BreakerState.OPEN)

    def _enter(self, state: BreakerState) -> None:
        self.state = state
        self._period += 1
        self._failures = 0
