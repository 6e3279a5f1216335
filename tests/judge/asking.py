"""One who is asked and answers what a test says, and a judge that asks it."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from tests.samples import GRANT, NOW, ROUTE

from ostiary.authorities import CacheOutcome, Clocks, Told
from ostiary.judge.judge import Judge
from ostiary.judge.routing import RouteTable
from ostiary.oauth.introspection import Active

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from ostiary.decision.routes import Route
    from ostiary.plugins.plugin import Plugin
    from ostiary.plugins.questions import IntrospectionFact, Question

YES = Told(fact=Active(grant=GRANT, as_of=NOW), cache=CacheOutcome.MISS, authority_seconds=0.25)


def told(fact: IntrospectionFact) -> Told:
    """A new answer."""
    return Told(fact=fact, cache=CacheOutcome.MISS, authority_seconds=0.25)


@dataclass
class Authority:
    """Answers with `answer`, or with what it makes; `remembered` without being asked."""

    answer: Told | Callable[[], Awaitable[Told]] = YES
    remembered: Told | None = None
    asked: list[tuple[Question, str, float, bool]] = field(default_factory=list)
    is_closed: bool = False

    def recall(self, _question: Question) -> Told | None:
        """What is remembered."""
        return self.remembered

    async def ask(self, question: Question, *, reference: str, deadline: float, remember: bool = True) -> Told:
        """Be asked."""
        self.asked.append((question, reference, deadline, remember))
        return self.answer if isinstance(self.answer, Told) else await self.answer()

    async def aclose(self) -> None:
        """Be asked no more."""
        self.is_closed = True


def judge(asked: Authority, *routes: Route, third_party: Mapping[str, Plugin] | None = None) -> Judge:
    """A judge of these routes, or of the samples' one. Its clocks: `NOW`, and a second more each time one looks."""
    ticks = count(100)
    return Judge(
        table=RouteTable(routes or (ROUTE,)),
        asked=asked,
        clocks=Clocks(wall=lambda: NOW, monotonic=lambda: float(next(ticks))),
        decision_timeout_seconds=3.0,
        third_party=third_party or {},
    )
