"""A visit that was made: the answer, the decision behind it, and what of it was not expected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ostiary.demo.asking import Answer
    from ostiary.demo.facts import Unexpected
    from ostiary.demo.visit import Visit
    from ostiary.diagnostics.record import DecisionRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Visited:
    """What came of a visit.

    Attributes:
        record: the decision, as `ostiary explain` reads it; None: there is none.
        unexpected: empty where all is as it must be.
    """

    visit: Visit
    answer: Answer
    record: DecisionRecord | None
    unexpected: tuple[Unexpected, ...]
