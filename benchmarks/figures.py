"""What a benchmark prints: a measured value, what it is compared with in the same run, and the ratio."""

from __future__ import annotations

import gc
import statistics
import sys
import time
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One row. `value` and `bound` have the same unit; the ratio is what another machine may compare."""

    name: str
    value: float
    unit: str
    bound_name: str
    bound: float
    note: str = ""

    @property
    def ratio(self) -> float:
        """The value in multiples of the bound."""
        return self.value / self.bound


async def median_microseconds(action: Callable[[], Awaitable[object]], *, count: int, rounds: int) -> float:
    """The median over rounds of the mean over `count` calls, so that one interruption does not decide."""
    means = []
    for _ in range(rounds):
        began = time.perf_counter()
        for _ in range(count):
            await action()
        means.append((time.perf_counter() - began) / count * 1e6)
    return statistics.median(means)


def deep_size(root: object) -> int:
    """Bytes of all objects that are reachable from one, each counted once; classes, functions and modules left out."""
    seen: set[int] = set()
    waiting = [root]
    total = 0
    while waiting:
        value = waiting.pop()
        if id(value) in seen or isinstance(value, type | FunctionType | ModuleType):
            continue
        seen.add(id(value))
        total += sys.getsizeof(value)
        waiting.extend(gc.get_referents(value))
    return total
