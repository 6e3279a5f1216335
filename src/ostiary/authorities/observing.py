"""What this room tells those who count: a port of its own, and the observer that does nothing."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ostiary.authorities.breaker import BreakerState


class CacheOutcome(StrEnum):
    """What remembering had to do with an answer.

    `COALESCED`: another request was asking the same already. `NONE`: nothing was to be remembered or recalled.
    """

    HIT = "hit"
    MISS = "miss"
    INACTIVE_HIT = "inactive-hit"
    COALESCED = "coalesced"
    NONE = "none"


class Observer(Protocol):
    """Told of what happens, in the loop that asks: each call is quick and raises nothing."""

    def asked(self, authority: str, outcome: str, seconds: float) -> None:
        """A question was put. `outcome` is `active`, `inactive` or a `Cause`."""
        ...

    def cache_event(self, authority: str, event: CacheOutcome) -> None:
        """A question was answered with or without the cache; never `NONE`."""
        ...

    def breaker(self, authority: str, state: BreakerState) -> None:
        """A breaker changed its state."""
        ...


class NullObserver:
    """Counts nothing."""

    def asked(self, authority: str, outcome: str, seconds: float) -> None:
        """Nothing."""

    def cache_event(self, authority: str, event: CacheOutcome) -> None:
        """Nothing."""

    def breaker(self, authority: str, state: BreakerState) -> None:
        """Nothing."""
