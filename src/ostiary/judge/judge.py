"""The judge: a request's facts in, a decision out. The same at every door.

It binds the chain of the matched route to the authorities that are asked, to clocks and to the record. It composes
nothing itself: refusals come from `decision.refusal`, and whatever fails in here is a 503.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import structlog

from ostiary.decision.reasons import Reason
from ostiary.decision.refusal import Refusal, refuse
from ostiary.decision.verdict import ALLOW, Deny, Verdict
from ostiary.judge.recording import compose_record
from ostiary.oauth.credentials import parse_credentials
from ostiary.plugins.chain import link_chain
from ostiary.plugins.drivers import Walked, drive, walk
from ostiary.plugins.exchange import begin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.authorities import Clocks, Told
    from ostiary.decision.facts import RequestFacts
    from ostiary.decision.routes import Route
    from ostiary.diagnostics.record import DecisionRecord
    from ostiary.judge.routing import RouteTable
    from ostiary.plugins.drivers import Chain, Walk
    from ostiary.plugins.plugin import Plugin
    from ostiary.plugins.questions import Fact, Question

_log = structlog.get_logger(__name__)


class Asked(Protocol):
    """Those who are asked; `ostiary.authorities.Authorities` is one."""

    def recall(self, question: Question) -> Told | None:
        """What is remembered, without waiting; None: it must be asked."""
        ...

    async def ask(self, question: Question, *, reference: str, deadline: float, remember: bool = True) -> Told:
        """Ask. `deadline` in monotonic seconds; nothing is raised for an authority that is away."""
        ...

    async def aclose(self) -> None:
        """Give up what is being asked."""
        ...


class Decision(NamedTuple):
    """What a door gets.

    Attributes:
        refusal: there, exactly where the verdict is a `Deny`; the door's dialect writes it.
        record: for the log; None where nothing was judged (`unsafe_anonymous`).
        walked: the chain's end, for a door that tells the application who it is; None where none was walked.
    """

    verdict: Verdict
    refusal: Refusal | None
    record: DecisionRecord | None
    route: Route | None
    walked: Walked | None = None


class Judge:
    """One generation of the configuration, ready to be asked."""

    def __init__(
        self,
        *,
        table: RouteTable,
        asked: Asked,
        clocks: Clocks,
        decision_timeout_seconds: float,
        third_party: Mapping[str, Plugin],
    ) -> None:
        self.table = table
        self._asked = asked
        self._clocks = clocks
        self._timeout_seconds = decision_timeout_seconds
        self._chains: dict[str, Chain] = {
            route.name: link_chain(route.policy.chain, third_party) for route in table.routes
        }

    @classmethod
    def from_config(cls, path: Path | str, environ: Mapping[str, str] | None = None) -> Judge:
        """The judge of a configuration file, for an application's own `Guard`; close it with `aclose`.

        Args:
            path: of the file; `gateway: {listen: null, public_url: …}` where no gateway of ours runs.
            environ: what secrets by `env` are looked up in, such as `os.environ`; None: there are none.

        Raises:
            ConfigurationError: the file is not valid; every problem with its place and a hint.
        """
        from ostiary.judge.loading import load_file  # noqa: PLC0415 - it makes judges, and so knows this module

        return load_file(Path(path), environ or {})

    async def decide(self, facts: RequestFacts, *, route: str | None = None, remember: bool = True) -> Decision:
        """Judge one request.

        Args:
            facts: the request; its path normalised.
            route: the name of the matched route, where Envoy has matched; else our router does.
            remember: False for a dry run: nothing is remembered and nothing remembered is used.
        """
        began = self._clocks.monotonic()
        now = self._clocks.wall()
        found = self._find(facts, route)
        if found is not None and found.unsafe_anonymous:
            return Decision(verdict=ALLOW, refusal=None, record=None, route=found)
        conversation = _Conversation(self._asked, facts.reference, began + self._timeout_seconds, remember=remember)
        try:
            walked = None
            if found is not None:
                walked = await drive(self._walk(facts, found, now), conversation.ask, conversation.recall)
            verdict = _unmatched(route) if walked is None else walked.verdict
            refusal = _refuse(verdict, found, facts)
        except Exception as error:  # noqa: BLE001 - the one exit: whatever fails here, nothing is let through
            _log.error("judge failed", reference=facts.reference, error=type(error).__name__)
            walked = None
            verdict = Deny(Reason.JUDGE_FAILED, note=type(error).__name__)
            refusal = _refuse(verdict, found, facts)
        record = compose_record(
            facts,
            route=found,
            verdict=verdict,
            walked=walked,
            told=conversation.told,
            time=now,
            seconds=self._clocks.monotonic() - began,
        )
        return Decision(verdict, refusal, record, found, walked)

    def refuse_target(self, facts: RequestFacts) -> Decision:
        """The decision of a door whose application might read the target differently; nobody is asked."""
        verdict = Deny(Reason.TARGET_NOT_CANONICAL)
        now = self._clocks.wall()
        record = compose_record(facts, route=None, verdict=verdict, walked=None, told=None, time=now, seconds=0.0)
        return Decision(
            verdict=verdict, refusal=refuse(verdict, route=None, path=facts.path), record=record, route=None
        )

    async def aclose(self) -> None:
        """Give up what is being asked and close every connection to an authority."""
        await self._asked.aclose()

    def _find(self, facts: RequestFacts, route: str | None) -> Route | None:
        if route is not None:
            return self.table.named(route)
        return self.table.match(host=facts.host, path=facts.path, method=facts.method)

    def _walk(self, facts: RequestFacts, route: Route, now: float) -> Walk:
        credentials = parse_credentials(facts.headers)
        exchange = begin(facts, credentials, route, now)
        return walk(self._chains[route.name], exchange, credentials, self._clocks.monotonic)


def _unmatched(route: str | None) -> Verdict:
    """Our router found nothing; or Envoy found what we do not know, and what that is nobody can tell."""
    return Deny(Reason.ROUTE_UNMATCHED if route is None else Reason.GENERATION_UNKNOWN)


def _refuse(verdict: Verdict, route: Route | None, facts: RequestFacts) -> Refusal | None:
    return refuse(verdict, route=route, path=facts.path) if isinstance(verdict, Deny) else None


class _Conversation:
    """What one decision asks, within its one deadline, and the last thing it was told: for the record."""

    __slots__ = ("_asked", "_deadline", "_reference", "_remember", "told")

    def __init__(self, asked: Asked, reference: str, deadline: float, *, remember: bool) -> None:
        self._asked = asked
        self._reference = reference
        self._deadline = deadline
        self._remember = remember
        self.told: Told | None = None

    def recall(self, question: Question) -> Fact | None:
        self.told = told = self._asked.recall(question) if self._remember else None
        return None if told is None else told.fact

    async def ask(self, question: Question) -> Fact:
        self.told = told = await self._asked.ask(
            question, reference=self._reference, deadline=self._deadline, remember=self._remember
        )
        return told.fact
