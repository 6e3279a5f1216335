"""The judge: facts in, a decision out, and whatever fails in between lets nobody through."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs
from tests.judge.asking import YES, Authority, judge, told
from tests.samples import NOW, REFERENCE, ROUTE, facts

from ostiary.decision.reasons import Reason
from ostiary.decision.routes import Disclosure, Match
from ostiary.decision.verdict import ALLOW, Deny, VerdictLabel
from ostiary.oauth.credentials import RawToken
from ostiary.oauth.introspection import INACTIVE, Cause, Inactive, Unavailable
from ostiary.plugins.questions import Introspect

if TYPE_CHECKING:
    from ostiary.authorities import Told
    from ostiary.decision.routes import Route

pytestmark = pytest.mark.anyio

TOKEN = "a-token-canary"
BEARER = ((b"authorization", b"Bearer " + TOKEN.encode()),)
OPEN = replace(ROUTE, name="open", match=Match(path="/open"), unsafe_anonymous=True)
NARROW = replace(ROUTE, name="narrow", match=Match(path="/billing/narrow"))


async def test_a_good_token_is_allowed_with_everything_a_door_needs() -> None:
    """Architecture, shapes: `Decision(verdict, refusal, record)`; the kit tells the application who it is."""
    decision = await judge(Authority()).decide(facts(headers=BEARER))
    assert (decision.verdict, decision.refusal, decision.route) == (ALLOW, None, ROUTE)
    assert decision.record is not None
    assert decision.walked is not None
    assert decision.walked.exchange.bk_app_code == "reader"


@pytest.mark.requirement("US2-1", "FR-008")
async def test_the_question_has_the_reference_and_the_deadline_of_the_decision() -> None:
    """configuration.md: all that one decision does shares `decision_timeout`; it began when the judge was asked."""
    authority = Authority()
    await judge(authority).decide(facts(headers=BEARER))
    ((question, reference, deadline, remember),) = authority.asked
    assert isinstance(question, Introspect)
    assert (question.authority, question.token) == ("corp", RawToken(TOKEN))
    assert (reference, deadline, remember) == (REFERENCE, 100.0 + 3.0, True)


@pytest.mark.requirement("FR-009")
async def test_what_is_remembered_is_not_asked() -> None:
    """002 FR-009: judged by what was answered before."""
    authority = Authority(remembered=YES)
    assert (await judge(authority).decide(facts(headers=BEARER))).verdict == ALLOW
    assert authority.asked == []


async def test_a_dry_run_neither_uses_nor_leaves_what_is_remembered() -> None:
    """configuration.md, decide: asks the real authorities."""
    authority = Authority(answer=told(INACTIVE), remembered=YES)
    decision = await judge(authority).decide(facts(headers=BEARER), remember=False)
    assert isinstance(decision.verdict, Deny)
    assert decision.verdict.reason is Reason.TOKEN_INACTIVE
    assert [remember for *_, remember in authority.asked] == [False]


@pytest.mark.requirement("edge-3")
async def test_could_not_tell_is_a_503_of_its_own() -> None:
    """Conventions 3: never a 401, never allowed; edge case 3."""
    away = told(Unavailable(cause=Cause.REFUSED))
    decision = await judge(Authority(answer=away)).decide(facts(headers=BEARER))
    assert decision.refusal is not None
    assert dict(decision.refusal.headers) == {"retry-after": "1"}
    assert (decision.refusal.status, decision.verdict.label) == (503, VerdictLabel.UNAVAILABLE)


@pytest.mark.parametrize(
    ("path", "named", "found"),
    [
        ("/billing/narrow/x", None, "narrow"),
        ("/billing/narrow/x", "billing", "billing"),  # Envoy has matched: nobody matches twice
        ("/nowhere", None, None),
    ],
)
async def test_a_route_is_found_by_the_router_or_by_its_name(path: str, named: str | None, found: str | None) -> None:
    """Architecture, one router; conventions 4: an unmatched route denies."""
    decision = await judge(Authority(), ROUTE, NARROW).decide(facts(path, BEARER), route=named)
    assert (None if decision.route is None else decision.route.name) == found
    if found is None:
        assert decision.verdict == Deny(Reason.ROUTE_UNMATCHED)
        assert decision.refusal is not None
        assert (decision.refusal.status, decision.refusal.headers, decision.refusal.text) == (404, (), None)
        assert decision.record is not None
        assert decision.walked is None


async def test_a_route_that_envoy_names_and_nobody_knows_is_could_not_tell() -> None:
    """Architecture, one router; conventions 3: a 404 would say that there is nothing, and Envoy has matched it."""
    authority = Authority()
    decision = await judge(authority).decide(facts(headers=BEARER), route="gone")
    assert decision.verdict == Deny(Reason.GENERATION_UNKNOWN)
    assert decision.refusal is not None
    assert (decision.refusal.status, decision.refusal.headers) == (503, (("retry-after", "1"),))
    assert decision.record is not None
    assert (decision.record.reason, decision.record.route, decision.walked) == (Reason.GENERATION_UNKNOWN, None, None)
    assert authority.asked == []


@pytest.mark.parametrize("named", [None, "open"])
async def test_on_an_anonymous_route_nothing_is_judged_and_nothing_recorded(named: str | None) -> None:
    """Architecture, `unsafe_anonymous`: even a bad token passes."""
    authority = Authority(answer=told(INACTIVE))
    decision = await judge(authority, ROUTE, OPEN).decide(facts("/open", BEARER), route=named)
    assert (decision.verdict, decision.record, decision.walked) == (ALLOW, None, None)
    assert authority.asked == []


async def _raises() -> Told:
    raise OSError(f"could not send {TOKEN}")


@pytest.mark.parametrize("disclosure", list(Disclosure))
async def test_whatever_fails_in_the_judge_is_503_recorded_and_said_without_its_words(disclosure: Disclosure) -> None:
    """gateway.md, Reasons: `judge-failed`; conventions 11: an exception may have repeated a credential."""
    route = replace(ROUTE, policy=replace(ROUTE.policy, disclosure=disclosure))
    with capture_logs() as lines:
        decision = await judge(Authority(answer=_raises), route).decide(facts(headers=BEARER))
    assert decision.verdict == Deny(Reason.JUDGE_FAILED, note="OSError")
    assert decision.refusal is not None
    assert (decision.refusal.status, decision.refusal.headers) == (503, (("retry-after", "1"),))
    assert decision.refusal.text == ("service unavailable" if disclosure is Disclosure.REASON else None)
    assert decision.record is not None
    assert (decision.record.status, decision.record.reason, decision.record.steps) == (503, Reason.JUDGE_FAILED, ())
    assert decision.route is route
    said = [(line["log_level"], line["event"], line["reference"], line["error"]) for line in lines]
    assert said == [("error", "judge failed", REFERENCE, "OSError")]
    assert TOKEN not in repr((decision, lines))


@pytest.mark.parametrize("path", ["/billing/\ud800", "/billing/\u20ac", "/billing/\x00"])
async def test_a_path_that_no_door_hands_over_is_refused_as_well(path: str) -> None:
    """Ours: a door that does not normalise must not become a way round the judge."""
    for headers in (BEARER, ()):
        decision = await judge(Authority(answer=told(INACTIVE))).decide(facts(path, headers))
        assert decision.refusal is not None
        assert decision.record is not None


async def test_a_decision_that_is_given_up_is_none() -> None:
    """Ours: a cancelled task ends; it is no 503 that somebody waits for."""
    was_asked = asyncio.Event()

    async def hangs() -> Told:
        was_asked.set()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    deciding = asyncio.create_task(judge(Authority(answer=hangs)).decide(facts(headers=BEARER)))
    await asyncio.wait_for(was_asked.wait(), 5)
    deciding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await deciding


async def test_decisions_under_way_do_not_share_what_they_were_told() -> None:
    """Ours: one judge, many requests at once; each record has its own answer."""
    both_asked = asyncio.Barrier(2)
    answers = iter([YES, told(Inactive(active=False))])

    async def answer() -> Told:
        mine = next(answers)
        await both_asked.wait()
        return mine

    one_judge = judge(Authority(answer=answer))
    async with asyncio.timeout(5):
        one, other = await asyncio.gather(*(one_judge.decide(facts(headers=BEARER)) for _ in range(2)))
    assert one.record is not None
    assert other.record is not None
    assert [(each.verdict, each.active) for each in (one.record, other.record)] == [
        (VerdictLabel.ALLOW, True),
        (VerdictLabel.DENY, False),
    ]


async def test_a_target_that_can_be_read_in_two_ways_is_refused_without_asking() -> None:
    """forward-auth.md: 400 `target-not-canonical`; it discloses nothing, for no route was matched."""
    authority = Authority()
    decision = judge(authority).refuse_target(facts("/a/../billing", BEARER))
    assert decision.refusal is not None
    assert (decision.refusal.status, decision.refusal.headers, decision.refusal.text) == (400, (), None)
    assert decision.record is not None
    assert (decision.record.reason, decision.record.path) == (Reason.TARGET_NOT_CANONICAL, "/a/../billing")
    assert (decision.record.time, decision.record.total_seconds) == (NOW, 0.0)
    assert authority.asked == []


async def test_closing_closes_those_who_are_asked() -> None:
    """Architecture, reload: an old generation's connections go with it."""
    authority = Authority()
    await judge(authority).aclose()
    assert authority.is_closed


@pytest.mark.parametrize("routes", [(ROUTE,), (ROUTE, NARROW, OPEN)])
async def test_its_routes_are_its_table_s(routes: tuple[Route, ...]) -> None:
    """Ours: metadata documents are made of them."""
    assert judge(Authority(), *routes).table.routes == routes
