"""Generations come and go while requests are judged."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest
from tests.samples import GRANT, NOW, ROUTE, facts

from ostiary.authorities import CacheOutcome, Clocks, Told
from ostiary.authz.registry import Generation, Generations
from ostiary.decision.verdict import ALLOW
from ostiary.judge.judge import Judge
from ostiary.judge.routing import RouteTable
from ostiary.oauth.introspection import Active

if TYPE_CHECKING:
    from ostiary.plugins.questions import Question

pytestmark = pytest.mark.anyio

BEARER = ((b"authorization", b"Bearer abc"),)


class Slow:
    """An authority that answers when it is let."""

    def __init__(self) -> None:
        self.was_asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.closed = asyncio.Event()

    def recall(self, question: Question) -> Told | None:
        """Nothing is remembered."""

    async def ask(self, question: Question, *, reference: str, deadline: float, remember: bool = True) -> Told:  # noqa: ARG002 - the port's
        """Yes, after a while."""
        self.was_asked.set()
        await self.may_answer.wait()
        return Told(fact=Active(grant=GRANT, as_of=NOW), cache=CacheOutcome.MISS, authority_seconds=0.0)

    async def aclose(self) -> None:
        """Whoever is asked afterwards is asked too late."""
        self.closed.set()


def generation(asked: Slow) -> Generation:
    judge = Judge(
        table=RouteTable([ROUTE]),
        asked=asked,
        clocks=Clocks(wall=lambda: NOW, monotonic=lambda: 0.0),
        decision_timeout_seconds=3.0,
        third_party={},
    )
    return Generation(judge=judge)


async def test_the_newest_is_the_one_with_the_highest_number() -> None:
    """NOTES, `workers`: metadata answers from the newest loaded generation."""
    generations = Generations()
    before = generations.newest
    assert before is None
    first, third, second = (generation(Slow()) for _ in range(3))
    for number, each in ((1, first), (3, third), (2, second)):
        generations.load(number, each)
    assert generations.newest is third
    await generations.forget(3)
    assert generations.get(2) is generations.newest is second
    assert generations.get(1) is first
    assert generations.get(3) is None


async def test_a_generation_is_closed_when_the_last_decision_by_it_has_ended() -> None:
    """Architecture, "Reload": no dropped request."""
    generations = Generations()
    asked = Slow()
    generations.load(1, generation(asked))
    request = facts(headers=BEARER)
    decisions = [asyncio.create_task(generations.decide(1, request, ROUTE.name)) for _ in range(2)]
    await asyncio.wait_for(asked.was_asked.wait(), 5)
    forgetting = asyncio.create_task(generations.forget(1))
    await asyncio.sleep(0)
    assert await generations.decide(1, request, ROUTE.name) is None
    assert not asked.closed.is_set()
    asked.may_answer.set()
    for decision in await asyncio.gather(*decisions):
        assert decision is not None
        assert decision.verdict == ALLOW
    await asyncio.wait_for(forgetting, 5)
    assert asked.closed.is_set()


async def test_one_begins_with_its_first_decision() -> None:
    """configuration.md: what is refused changes nothing; when it is loaded it may yet be refused."""
    generations, asked = Generations(), Slow()
    begun: list[int] = []
    generations.load(1, replace(generation(asked), begin=partial(begun.append, 1)))
    assert begun == []
    asked.may_answer.set()
    for _ in range(2):
        assert await generations.decide(1, facts(headers=BEARER), ROUTE.name) is not None
    assert begun == [1]
    for number in (2, 3):
        generations.load(number, replace(generation(asked), begin=partial(begun.append, number)))
    for number in (3, 2, 3):
        assert await generations.decide(number, facts(headers=BEARER), ROUTE.name) is not None
    assert begun == [1, 3]


async def test_closing_forgets_all_and_forgetting_twice_is_nothing() -> None:
    """Ours: the end of a worker."""
    generations = Generations()
    asked = [Slow(), Slow()]
    for number, each in enumerate(asked):
        generations.load(number, generation(each))
    await generations.aclose()
    await generations.forget(0)
    assert all(each.closed.is_set() for each in asked)
    assert generations.newest is None
