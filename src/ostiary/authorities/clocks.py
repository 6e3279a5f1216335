"""The two clocks of this room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """`wall` in seconds since the epoch, for `exp`; `monotonic` in seconds since whenever, for everything else."""

    wall: Callable[[], float]
    monotonic: Callable[[], float]
