"""The walk through a chain, and its two drivers of a few lines: one that awaits, one that does not.

The walk is a generator that yields every question a plugin asks and is resumed with the fact. So both drivers run the
same chain, and a chain can be tested without I/O. (The precedents: the auth flow of httpx, the NEED_DATA of h11.)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from enum import StrEnum
from types import CoroutineType, GeneratorType
from typing import TYPE_CHECKING, Final, NamedTuple

from ostiary.decision.reasons import Reason
from ostiary.decision.refusal import is_composable
from ostiary.decision.verdict import ALLOW, Deny, Verdict, VerdictLabel
from ostiary.plugins.exchange import Exchange
from ostiary.plugins.plugin import Asking, CredentialedPlugin, Outcome, Plugin, Runs, Terms
from ostiary.plugins.questions import Fact, Question

if TYPE_CHECKING:
    from ostiary.oauth.credentials import Credentials


class StepOutcome(StrEnum):
    """What one step came to."""

    PASSED = "passed"
    SKIPPED = "skipped"
    DENIED = "denied"
    UNAVAILABLE = "unavailable"


class Step(NamedTuple):
    """One step of a walk, for the record. `note` has no token and no secret."""

    plugin: str
    outcome: StepOutcome
    seconds: float
    note: str = ""


class Walked(NamedTuple):
    """What a walk came to; `exchange` is the last one before a refusal."""

    verdict: Verdict
    exchange: Exchange
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """A plugin in its place in a chain, on its terms."""

    plugin: Plugin
    terms: Terms


@dataclass(frozen=True, slots=True)
class CredentialedLink:
    """A plugin that is handed the credentials: this type alone says so."""

    plugin: CredentialedPlugin
    terms: Terms


# Until Python 3.12 a member that is read from its class costs as much as the rest of a step.
_OAUTH2: Final = Runs.OAUTH2
_PASSED: Final = StepOutcome.PASSED
_SKIPPED: Final = StepOutcome.SKIPPED

Chain = tuple[Link | CredentialedLink, ...]
Walk = Generator[Question, Fact, Walked]
Clock = Callable[[], float]


def walk(chain: Chain, exchange: Exchange, credentials: Credentials, clock: Clock) -> Walk:
    """Take the steps in order until one denies; an empty policy denies too.

    Args:
        chain: highest priority first.
        exchange: from `begin`.
        credentials: handed to those steps alone whose terms say so.
        clock: monotonic seconds, for the steps' times.
    """
    steps: list[Step] = []
    then = clock()
    for link in chain:
        terms = link.terms
        if terms.runs is _OAUTH2 and exchange.is_bk_oauth2 is not True:
            steps.append(Step(link.plugin.name, _SKIPPED, 0.0))
            continue
        try:
            if isinstance(link, CredentialedLink):
                outcome = link.plugin.run(exchange, credentials)
            else:
                outcome = link.plugin.run(exchange)
            if type(outcome) is GeneratorType:
                outcome = yield from _ask_within_terms(outcome, terms)
            if type(outcome) is not Exchange or not terms.judges:
                outcome = _believed(outcome, exchange, terms)
        except (GeneratorExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001 - whatever a plugin raises, SystemExit too, lets nothing through
            outcome = Deny(Reason.PLUGIN_FAILED, note=type(error).__name__)
        began, then = then, clock()
        if isinstance(outcome, Deny):
            steps.append(Step(link.plugin.name, _denied(outcome), then - began, outcome.note))
            return Walked(outcome, exchange, tuple(steps))
        note = "" if outcome.notes is exchange.notes else "; ".join(outcome.notes[len(exchange.notes) :])
        steps.append(Step(link.plugin.name, _PASSED, then - began, note))
        exchange = outcome
    return Walked(ALLOW if _is_vouched_for(exchange) else Deny(Reason.POLICY_EMPTY), exchange, tuple(steps))


async def drive(
    steps: Walk, ask: Callable[[Question], Awaitable[Fact]], recall: Callable[[Question], Fact | None] = lambda _: None
) -> Walked:
    """Run a walk, awaiting the answers: for every door.

    Args:
        steps: from `walk`.
        ask: gets what must be waited for.
        recall: what is known already; None: it must be asked.
    """
    try:
        question = next(steps)
        while True:
            fact = recall(question)
            question = steps.send(await ask(question) if fact is None else fact)
    except StopIteration as end:
        walked: Walked = end.value
        return walked


def drive_sync(steps: Walk, ask: Callable[[Question], Fact]) -> Walked:
    """Run a walk with answers that are there at once: for tests, and for a walk that asks nothing."""
    try:
        question = next(steps)
        while True:
            question = steps.send(ask(question))
    except StopIteration as end:
        walked: Walked = end.value
        return walked


class BrokenTermsError(Exception):
    """A plugin did what its terms do not allow: a broken invariant, 503 `plugin-failed`."""


def _believed(outcome: object, exchange: Exchange, terms: Terms) -> Outcome:
    """What a step came to, as far as its plugin is believed."""
    if isinstance(outcome, Exchange):
        return outcome if terms.judges else _with_its_notes(exchange, outcome)
    if isinstance(outcome, Deny):
        if not is_composable(outcome):
            raise BrokenTermsError("it refused in terms that no answer can carry")
        return outcome
    if isinstance(outcome, CoroutineType):
        outcome.close()  # of an `async def run`; nobody awaits it, and Python would say so on stderr
    raise BrokenTermsError("it returned neither an exchange nor a refusal")


def _with_its_notes(exchange: Exchange, outcome: Exchange) -> Exchange:
    """Ours, with the notes it added: nothing else is taken over, not even what compares equal (`1 == True`)."""
    added = outcome.notes[len(exchange.notes) :]
    if outcome._replace(notes=exchange.notes) != exchange or outcome.notes != (*exchange.notes, *added):
        raise BrokenTermsError("it changed more than the notes")
    if not all(isinstance(note, str) for note in added):
        raise BrokenTermsError("a note is text")
    return exchange._replace(notes=outcome.notes)


def _ask_within_terms(asking: Asking, terms: Terms) -> Generator[Question, Fact, Outcome]:
    """Pass questions out and facts in, as long as the plugin asks only what it may."""
    try:
        question = next(asking)
        while True:
            if not isinstance(question, terms.questions):
                raise BrokenTermsError("it asked what it may not ask")
            question = asking.send((yield question))
    except StopIteration as end:
        outcome: Outcome = end.value
        return outcome


def _denied(deny: Deny) -> StepOutcome:
    return StepOutcome.UNAVAILABLE if deny.label is VerdictLabel.UNAVAILABLE else StepOutcome.DENIED


def _is_vouched_for(exchange: Exchange) -> bool:
    """The last lock: a chain that nobody spoke in lets nobody through, however it came to be configured."""
    return (
        exchange.grant is not None
        or (exchange.bk_app is not None and exchange.bk_app.verified)
        or (exchange.bk_user is not None and exchange.bk_user.verified)
    )
