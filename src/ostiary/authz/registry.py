"""The generations of the configuration that a worker judges by: usually the newest one and the one before."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostiary.decision.facts import RequestFacts
    from ostiary.judge.judge import Decision, Judge


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One generation, loaded.

    Attributes:
        metadata_root: the name of the route that the root metadata document speaks of, where `/` has none of its own.
        begin: called once, before the first decision by it: until then it may yet be refused. Not called where a newer
            one has begun.
    """

    judge: Judge
    metadata_root: str | None = None
    begin: Callable[[], None] | None = None


class _Kept:
    """A generation, and how many decisions are being made by it."""

    __slots__ = ("active", "begin", "generation", "idle")

    def __init__(self, generation: Generation) -> None:
        self.generation = generation
        self.begin = generation.begin
        self.active = 0
        self.idle = asyncio.Event()
        self.idle.set()


class Generations:
    """Generations by their numbers. Used from one event loop."""

    def __init__(self) -> None:
        self._kept: dict[int, _Kept] = {}

    @property
    def newest(self) -> Generation | None:
        """The one with the highest number; None before the first."""
        return self._kept[max(self._kept)].generation if self._kept else None

    def get(self, number: int) -> Generation | None:
        """The one of a number."""
        kept = self._kept.get(number)
        return None if kept is None else kept.generation

    def load(self, number: int, generation: Generation) -> None:
        """Judge by it from now on. Requests say by which number they are judged."""
        self._kept[number] = _Kept(generation)

    async def decide(self, number: int, facts: RequestFacts, route: str) -> Decision | None:
        """Judge a request by a generation; None: there is none of this number.

        Args:
            number: of the generation.
            facts: the request.
            route: the name of the route that Envoy has matched.
        """
        kept = self._kept.get(number)
        if kept is None:
            return None
        if kept.begin is not None:
            self._begin(number, kept.begin)
        kept.active += 1
        if kept.active == 1:
            kept.idle.clear()
        try:
            return await kept.generation.judge.decide(facts, route=route)
        finally:
            kept.active -= 1
            if not kept.active:
                kept.idle.set()

    def _begin(self, number: int, begin: Callable[[], None]) -> None:
        """A late question by an older one brings nothing of it back."""
        for other, kept in self._kept.items():
            if other <= number:
                kept.begin = None
        begin()

    async def forget(self, number: int) -> None:
        """Judge nothing new by it, let what is being judged end, then close it. Nothing happens if it is not there."""
        kept = self._kept.pop(number, None)
        if kept is not None:
            await kept.idle.wait()
            await kept.generation.judge.aclose()

    async def aclose(self) -> None:
        """Forget all of them."""
        await asyncio.gather(*(self.forget(number) for number in tuple(self._kept)))
