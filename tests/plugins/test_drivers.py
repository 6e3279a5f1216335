"""The walk, its two drivers, and what a plugin may not do."""

from __future__ import annotations

from asyncio import CancelledError
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING

import pytest
from tests.samples import BEARER, GRANT, ISSUER, NOW, POLICY, ROUTE, exchange

from ostiary.decision.reasons import Reason
from ostiary.decision.refusal import refuse
from ostiary.decision.verdict import ALLOW, Deny
from ostiary.oauth.credentials import NO_CREDENTIALS, Credentials, Presented, RawLegacy, RawToken, TokenDigest
from ostiary.oauth.introspection import INACTIVE, Active, Cause, Unavailable
from ostiary.plugins.chain import AUDIENCE, DEFAULT_CHAIN, SCOPE, VERIFY, link_chain
from ostiary.plugins.drivers import CredentialedLink, Link, Step, StepOutcome, Walked, drive, drive_sync, walk
from ostiary.plugins.exchange import BkApp, BkUser, Exchange
from ostiary.plugins.plugin import THIRD_PARTY, Outcome, Terms
from ostiary.plugins.questions import Introspect

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from ostiary.plugins.drivers import Chain
    from ostiary.plugins.plugin import Asking
    from ostiary.plugins.questions import Fact, Question

DEFAULT: Chain = link_chain(DEFAULT_CHAIN, {})
ACTIVE = Active(grant=GRANT, as_of=NOW)


@dataclass(frozen=True)
class Stranger:
    """A third party's plugin: `act` is all it does."""

    act: Callable[[Exchange], object]
    name: str = "stranger"
    priority: int = 18_000

    def run(self, exchange: Exchange) -> Outcome:
        return self.act(exchange)  # type: ignore[return-value]  # what an untyped plugin may do


def ticking() -> Callable[[], float]:
    """A monotonic clock: a second passes each time one looks."""
    ticks = count(100)
    return lambda: float(next(ticks))


def never(question: Question) -> Fact:
    raise AssertionError(f"asked {question}")


def walked(
    chain: Chain,
    begun: Exchange | None = None,
    *,
    credentials: Credentials = BEARER,
    ask: Callable[[Question], Fact] = never,
) -> Walked:
    return drive_sync(walk(chain, begun or exchange(credentials=credentials), credentials, ticking()), ask)


def with_stranger(act: Callable[[Exchange], object], *, priority: int = 18_000) -> Walked:
    """The default chain and a stranger in it; the token is good."""
    stranger = Stranger(act, priority=priority)
    return walked(link_chain([*DEFAULT_CHAIN, "stranger"], {"stranger": stranger}), ask=lambda _: ACTIVE)


def outcomes(result: Walked) -> list[tuple[str, StepOutcome]]:
    return [(step.plugin, step.outcome) for step in result.steps]


@pytest.mark.requirement("US2-1", "US2-2", "FR-008", "FR-010", "SC-002")
def test_a_good_token_passes_every_step_and_one_question_is_asked() -> None:
    """002, context flow, the OAuth2 path."""
    asked: list[Question] = []

    def ask(question: Question) -> Fact:
        asked.append(question)
        return ACTIVE

    result = walked(DEFAULT, ask=ask)
    assert result.verdict is ALLOW
    assert outcomes(result) == [(name, StepOutcome.PASSED) for name in DEFAULT_CHAIN]
    assert asked == [Introspect(authority="corp", token=RawToken("a-token"))]
    assert (result.exchange.is_bk_oauth2, result.exchange.bk_app_code, result.exchange.grant) == (True, "reader", GRANT)
    assert [step.seconds for step in result.steps] == [1.0] * 5


@pytest.mark.requirement("US1-3", "FR-004", "FR-006", "FR-012")
def test_a_refusal_ends_the_walk_at_its_step() -> None:
    """002 FR-004: nothing behind it runs, nobody is asked."""
    begun = exchange(credentials=NO_CREDENTIALS)
    result = walked(DEFAULT, begun, credentials=NO_CREDENTIALS)
    assert result.verdict == Deny(Reason.CREDENTIALS_MISSING)
    assert outcomes(result) == [("bk-oauth2-protected-resource", StepOutcome.DENIED)]
    assert result.exchange is begun


@pytest.mark.requirement("US2-3", "FR-006", "FR-012", "FR-002")
def test_on_the_legacy_path_the_oauth2_steps_are_skipped() -> None:
    """002 US2-3, FR-006, FR-012; here nobody verifies, so validation ends it."""
    credentials = Credentials(presented=Presented.LEGACY, legacy=RawLegacy(b"{}"))
    begun = exchange(replace(ROUTE, policy=replace(POLICY, legacy_accepted=True)), credentials=credentials)
    result = walked(DEFAULT, begun, credentials=credentials)
    assert result.verdict == Deny(Reason.APP_REQUIRED)
    assert (VERIFY, StepOutcome.SKIPPED) in outcomes(result)
    assert result.exchange.is_bk_oauth2 is False
    known = begun._replace(
        bk_app=BkApp(app_code="a", verified=True, issuer=ISSUER),
        bk_user=BkUser(username="u", verified=True, issuer=ISSUER),
    )
    passed = walked(DEFAULT, known, credentials=credentials)
    assert passed.verdict is ALLOW
    skipped = {name for name, outcome in outcomes(passed) if outcome is StepOutcome.SKIPPED}
    assert skipped == {VERIFY, AUDIENCE, SCOPE}
    assert all(step.seconds == 0.0 for step in passed.steps if step.outcome is StepOutcome.SKIPPED)


@pytest.mark.requirement("edge-3")
def test_could_not_tell_is_an_outcome_of_its_own() -> None:
    """Conventions 3."""
    result = walked(DEFAULT, ask=lambda _: Unavailable(cause=Cause.TIMEOUT))
    assert result.verdict == Deny(Reason.AUTHORITY_UNAVAILABLE, note="timeout")
    assert result.steps[-1] == Step(VERIFY, StepOutcome.UNAVAILABLE, 1.0, "timeout")


def test_each_steps_note_is_its_own() -> None:
    """operator.md: the steps, with their notes."""
    result = with_stranger(lambda seen: seen._replace(notes=(*seen.notes, "one", "two")))
    assert {step.plugin: step.note for step in result.steps if step.note} == {"stranger": "one; two"}
    assert result.exchange.notes == ("one", "two")
    assert result.verdict is ALLOW


@pytest.mark.parametrize(
    "begun",
    [
        exchange(),
        exchange()._replace(bk_app=BkApp(app_code="a", verified=False, issuer=ISSUER)),
        exchange()._replace(bk_user=BkUser(username="u", verified=False, issuer=ISSUER)),
    ],
)
def test_a_chain_in_which_nobody_vouched_lets_nobody_through(begun: Exchange) -> None:
    """Conventions 4: an empty policy denies, however it came to be configured."""
    for chain in ((), (Link(Stranger(lambda seen: seen), THIRD_PARTY),)):
        assert walked(chain, begun).verdict == Deny(Reason.POLICY_EMPTY)


@pytest.mark.parametrize(
    "begun",
    [
        exchange()._replace(grant=GRANT),
        exchange()._replace(bk_app=BkApp(app_code="a", verified=True, issuer=ISSUER)),
        exchange()._replace(bk_user=BkUser(username="u", verified=True, issuer=ISSUER)),
    ],
)
def test_one_who_was_vouched_for_is_enough_where_no_step_objects(begun: Exchange) -> None:
    """Ours: whom a route demands is `bk-auth-validate`'s; this is the last lock alone."""
    assert walked((), begun).verdict is ALLOW


# What a stranger may do.


@pytest.mark.parametrize("reason", [Reason.POLICY_EMPTY, Reason.SCOPE_MISSING, Reason.AUTHORITY_UNAVAILABLE])
@pytest.mark.parametrize("priority", [19_000, 18_000, 17_000])
def test_a_stranger_may_deny_wherever_it_stands(reason: Reason, priority: int) -> None:
    """gateway.md, the chain."""
    denial = Deny(reason, scopes=("a",), note="because")
    result = with_stranger(lambda _: denial, priority=priority)
    assert result.verdict is denial
    assert result.steps[-1].note == "because"


def test_a_stranger_may_be_a_generator_that_asks_nothing() -> None:
    """architecture.md: the drivers accept both."""

    def quiet(seen: Exchange) -> Asking:
        yield from ()
        return seen._replace(notes=("quiet",))

    result = with_stranger(quiet)
    assert (result.verdict, result.exchange.notes) == (ALLOW, ("quiet",))


# What a stranger may not do: each is 503 `plugin-failed`, never an allow, never an exception.


def asking(seen: Exchange) -> Asking:
    yield from Introspect(authority="corp", token=RawToken("stolen")).ask()
    return seen


def yielding(seen: Exchange) -> Generator[object, object, Exchange]:
    yield "anything"
    return seen


async def awaited(seen: Exchange) -> Exchange:
    return seen


def raising(error: BaseException) -> Callable[[Exchange], object]:
    def act(_: Exchange) -> object:
        raise error

    return act


def broken_denial(**members: object) -> Deny:
    return replace(Deny(Reason.POLICY_EMPTY), **members)  # type: ignore[arg-type]  # what an untyped plugin may do


def unavailable(retry_after_seconds: object) -> Deny:
    return broken_denial(reason=Reason.AUTHORITY_UNAVAILABLE, retry_after_seconds=retry_after_seconds)


def broken_notes(seen: Exchange, notes: object) -> Exchange:
    return seen._replace(notes=notes)  # type: ignore[arg-type]  # the same


MISDEEDS: dict[str, tuple[Callable[[Exchange], object], str]] = {
    "it raises": (raising(RuntimeError("Canary-7f3a9c")), "RuntimeError"),
    "it raises what ends a generator": (raising(StopIteration(ALLOW)), "StopIteration"),
    "it ends the process": (raising(SystemExit(1)), "SystemExit"),
    "it says that we were cancelled": (raising(CancelledError()), "CancelledError"),
    "it asks": (asking, "BrokenTermsError"),
    "it yields what is no question": (yielding, "BrokenTermsError"),
    "it returns nothing": (lambda _: None, "BrokenTermsError"),
    "it returns true": (lambda _: True, "BrokenTermsError"),
    "it returns a verdict": (lambda _: ALLOW, "BrokenTermsError"),
    "it is another exchange": (lambda _: exchange(path="/other"), "BrokenTermsError"),
    "it takes notes away": (lambda seen: seen._replace(notes=()), "BrokenTermsError"),
    "it changes another's note": (lambda seen: seen._replace(notes=("other",)), "BrokenTermsError"),
    "its notes are a list": (lambda seen: broken_notes(seen, [*seen.notes]), "BrokenTermsError"),
    "its note is no text": (lambda seen: broken_notes(seen, (*seen.notes, 5)), "BrokenTermsError"),
    "its notes are nothing": (lambda seen: broken_notes(seen, None), "TypeError"),
    "its reason is the edge's": (lambda _: Deny(Reason.EDGE_GATE), "BrokenTermsError"),
    "its reason is not listed": (lambda _: broken_denial(reason="because"), "BrokenTermsError"),
    "its reason is a text": (lambda _: broken_denial(reason="policy-empty"), "BrokenTermsError"),
    "its scope is no scope": (lambda _: broken_denial(scopes=('a"\r\nX: y',)), "BrokenTermsError"),
    "its note is a number": (lambda _: broken_denial(note=5), "BrokenTermsError"),
    "its seconds are a header": (lambda _: unavailable("1\r\nX: y"), "BrokenTermsError"),
}


def test_ctrl_c_is_no_failure_of_a_plugin() -> None:
    """Ours: somebody at a terminal wants it to end."""
    with pytest.raises(KeyboardInterrupt):
        with_stranger(raising(KeyboardInterrupt()))


@pytest.mark.parametrize("misdeed", MISDEEDS)
@pytest.mark.parametrize("priority", [19_000, 18_000, 17_000])
def test_a_stranger_that_breaks_its_terms_is_a_failed_plugin(misdeed: str, priority: int) -> None:
    """gateway.md, the chain: its exception is 503; architecture.md: any other question is a broken invariant."""
    act, kind = MISDEEDS[misdeed]
    noted = Stranger(lambda seen: seen._replace(notes=(*seen.notes, "a note")), name="noted", priority=19_001)
    chain = link_chain(
        [*DEFAULT_CHAIN, "stranger", "noted"], {"stranger": Stranger(act, priority=priority), "noted": noted}
    )
    result = walked(chain, ask=lambda _: ACTIVE)
    assert result.verdict == Deny(Reason.PLUGIN_FAILED, note=kind)
    assert result.steps[-1] == Step("stranger", StepOutcome.UNAVAILABLE, 1.0, kind)
    assert isinstance(result.verdict, Deny)
    assert refuse(result.verdict, route=ROUTE, path="/billing").status == 503
    assert "Canary" not in repr(result)


def test_a_coroutine_is_no_outcome() -> None:
    """Ours: an `async def run` that nobody awaits must not pass, and Python has nothing to warn of."""
    result = with_stranger(awaited)
    assert result.verdict == Deny(Reason.PLUGIN_FAILED, note="BrokenTermsError")


CHANGES: dict[str, object] = {
    "reference": "other",
    "method": "POST",
    "host": "evil.example",
    "path": "/other",
    "peer": "127.0.0.1",
    "headers": ((b"origin", b"x"),),
    "route": replace(ROUTE, name="other"),
    "now": NOW + 1,
    "presented": Presented.NONE,
    "is_bk_oauth2": False,
    "bk_app": BkApp(app_code="admin", verified=True, issuer=ISSUER),
    "bk_user": BkUser(username="admin", verified=True, issuer=ISSUER),
    "bk_app_code": "admin",
    "audience": ("gateway:my-gateway/api:*",),
    "auth_params_location": "query",
    "grant": replace(GRANT, client_id="admin"),
    "token_digest": TokenDigest("000000000000"),
}


def test_the_changes_below_are_all_that_there_are() -> None:
    """Ours: a new field of the exchange needs a row."""
    assert {*CHANGES, "notes"} == {*Exchange._fields}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("priority", [18_735, 18_000, 17_000])
def test_a_stranger_changes_no_field_but_the_notes(name: str, priority: int) -> None:
    """gateway.md, the chain: never turn a Deny into an Allow, nor one identity into another."""
    change: dict[str, object] = {name: CHANGES[name]}
    result = with_stranger(lambda seen: seen._replace(**change), priority=priority)  # type: ignore[arg-type]  # drawn
    assert result.verdict == Deny(Reason.PLUGIN_FAILED, note="BrokenTermsError")


class Always(str):
    """A text that equals whatever it is compared with."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False


@pytest.mark.parametrize("change", [{"is_bk_oauth2": 1}, {"path": Always("/other")}])
def test_what_compares_equal_is_not_taken_over_either(change: dict[str, object]) -> None:
    """Ours: `1 == True`, but `1 is not True`: the audience step would be skipped, and the request allowed."""
    foreign = replace(GRANT, audience=("gateway:other/api:*",))
    chain = link_chain(
        [*DEFAULT_CHAIN, "stranger"],
        {"stranger": Stranger(lambda seen: seen._replace(**change), priority=18_000)},  # type: ignore[arg-type]  # drawn
    )
    result = walked(chain, ask=lambda _: Active(grant=foreign, as_of=NOW))
    assert result.verdict == Deny(Reason.AUDIENCE_GATEWAY_MISMATCH)
    assert result.exchange.is_bk_oauth2 is True
    assert type(result.exchange.path) is str


def test_a_plugin_asks_only_what_its_terms_list() -> None:
    """architecture.md: the row says which questions it may ask."""
    may = Link(Stranger(asking), Terms(questions=(Introspect,)))
    may_not = Link(Stranger(asking), Terms(judges=True))
    begun = exchange()._replace(grant=GRANT)
    assert walked((may,), begun, ask=lambda _: INACTIVE).verdict is ALLOW
    assert walked((may_not,), begun).verdict == Deny(Reason.PLUGIN_FAILED, note="BrokenTermsError")


@pytest.mark.parametrize("fact", [None, True, GRANT])
def test_another_questions_fact_fails_the_plugin(fact: object) -> None:
    """architecture.md: a driver that mixes them up lets nobody through."""
    result = walked(DEFAULT, ask=lambda _: fact)  # type: ignore[arg-type,return-value]  # what a broken driver would do
    assert result.verdict == Deny(Reason.PLUGIN_FAILED, note="UnexpectedFactError")


def test_credentials_are_handed_to_a_credentialed_link_alone() -> None:
    """architecture.md: `run(exchange, credentials)`."""
    handed: list[Credentials] = []

    @dataclass(frozen=True)
    class Verifier:
        name: str = "verifier"
        priority: int = 18_000

        def run(self, exchange: Exchange, credentials: Credentials) -> Outcome:
            handed.append(credentials)
            return exchange

    walked((CredentialedLink(Verifier(), Terms(judges=True)),))
    assert handed == [BEARER]


@pytest.mark.anyio
@pytest.mark.parametrize("fact", [ACTIVE, INACTIVE, Unavailable(cause=Cause.TLS)])
async def test_both_drivers_come_to_the_same(fact: Fact) -> None:
    """architecture.md: two drivers, one chain."""

    async def ask(_: Question) -> Fact:
        return fact

    awaiting = await drive(walk(DEFAULT, exchange(), BEARER, ticking()), ask)
    assert awaiting == walked(DEFAULT, ask=lambda _: fact)


@pytest.mark.anyio
async def test_a_driver_hands_on_what_asking_raises() -> None:
    """Ours: nobody was allowed; the judge makes a 503 of it."""

    async def ask(_: Question) -> Fact:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await drive(walk(DEFAULT, exchange(), BEARER, ticking()), ask)
    with pytest.raises(AssertionError):
        walked(DEFAULT, ask=never)
