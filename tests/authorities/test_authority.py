"""What an authority's behaviour comes to, how many ask it at a time, and when nobody does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.authorities.peer import (
    ACTIVE,
    NOW,
    TOKEN,
    Request,
    active,
    hangs,
    listening,
    opened,
    response,
    rfc7662,
    says,
    sends,
)
from tests.waiting import until

from ostiary.authorities import CacheOutcome
from ostiary.authorities.authority import MAX_WAITING
from ostiary.authorities.breaker import BreakerState
from ostiary.authorities.wire import MAX_CONNECTIONS
from ostiary.oauth.credentials import RawToken
from ostiary.oauth.introspection import Active, Cause, ClaimFault, Inactive, Unavailable
from ostiary.plugins.questions import Introspect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.oauth.json import JsonValue


pytestmark = pytest.mark.anyio


def _without(name: str) -> dict[str, JsonValue]:
    return {key: value for key, value in ACTIVE.items() if key != name}


def _deep(depth: int) -> bytes:
    return b'{"active":true,"exp":1900000000,"x":' + b"[" * depth + b"]" * depth + b"}"


def _plain(body: bytes, media_type: str = "application/json", status: int = 200) -> bytes:
    return response(body, status=status, headers={"Content-Type": media_type})


def _redirect(status: int) -> bytes:
    return response(b"", status=status, headers={"Location": "/elsewhere"})


# What an authority answers, and what is made of it: a cause of *could not tell*, or why it is a no.
COULD_NOT_TELL: Mapping[str, tuple[bytes, Cause]] = {
    "500": (says({}, status=500), Cause.STATUS),
    "500 that says active": (says(ACTIVE, status=500), Cause.STATUS),
    "503": (says({}, status=503), Cause.STATUS),
    "404": (says({}, status=404), Cause.STATUS),
    "201 that says active": (says(ACTIVE, status=201), Cause.STATUS),
    "429": (says({}, status=429), Cause.RATE_LIMITED),
    "401 to us": (says({"error": "invalid_client"}, status=401), Cause.CREDENTIALS),
    "403 to us": (says({"error": "access_denied"}, status=403), Cause.CREDENTIALS),
    "400": (says({"error": "invalid_request"}, status=400), Cause.STATUS),
    "301": (_redirect(301), Cause.REDIRECT),
    "302": (_redirect(302), Cause.REDIRECT),
    "307": (_redirect(307), Cause.REDIRECT),
    "308": (_redirect(308), Cause.REDIRECT),
    "HTML": (_plain(b"<html>active: true</html>", "text/html"), Cause.NOT_JSON),
    "nothing": (_plain(b""), Cause.NOT_JSON),
    "truncated JSON": (_plain(b'{"active": true, "exp": 19000000'), Cause.NOT_JSON),
    "an array": (_plain(b'[{"active": true}]'), Cause.NOT_JSON),
    "two values": (_plain(b'{"active": true}{"active": true}'), Cause.NOT_JSON),
    "a byte-order mark": (_plain(b'\xef\xbb\xbf{"active": true}'), Cause.NOT_JSON),
    "not UTF-8": (_plain(b'{"active": true, "sub": "\xff"}'), Cause.NOT_JSON),
    "NaN": (_plain(b'{"active": true, "exp": NaN}'), Cause.NOT_JSON),
    "duplicate members": (_plain(b'{"active": false, "active": true, "exp": 1900000000}'), Cause.NOT_JSON),
    "too deep": (_plain(_deep(33)), Cause.NOT_JSON),
    "much too deep": (_plain(_deep(100_000)), Cause.NOT_JSON),
    "too many members": (says({f"n{n}": 0 for n in range(20_001)}), Cause.NOT_JSON),
    "too large": (_plain(b" " * 1024 * 1024 + b"{}"), Cause.TOO_LARGE),
    "truncated body": (b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"active": true}', Cause.BROKEN),
    "closed at once": (b"", Cause.BROKEN),
    "signed": (_plain(b"eyJ.eyJ.sig", "application/token-introspection+jwt"), Cause.SIGNED),
}
A_NO: Mapping[str, tuple[bytes, ClaimFault | None]] = {
    "inactive": (says({"active": False}), None),
    "unsupported token type": (says({"error": "unsupported_token_type"}, status=400), None),
    "active is a string": (says(active(active="true")), ClaimFault.CLAIMS),
    "active is a number": (says(active(active=1)), ClaimFault.CLAIMS),
    "active is null": (says(active(active=None)), ClaimFault.CLAIMS),
    "active is missing": (says(_without("active")), ClaimFault.CLAIMS),
    "exp is a string": (says(active(exp="1900000000")), ClaimFault.CLAIMS),
    "exp is true": (says(active(exp=True)), ClaimFault.CLAIMS),
    "exp is missing": (says(_without("exp")), ClaimFault.NO_EXPIRY),
    "aud is an object": (says(active(aud={})), ClaimFault.CLAIMS),
    "aud holds a number": (says(active(aud=["a", 1])), ClaimFault.CLAIMS),
    "sub is a number": (says(active(sub=7)), ClaimFault.CLAIMS),
    "a foreign issuer": (says(active(iss="https://evil.example.com")), ClaimFault.ISSUER),
    "a refresh token": (says(active(token_type="refresh_token")), ClaimFault.TYPE),
    "an id token": (says(active(token_use="id")), ClaimFault.TYPE),
    "a bound token": (says(active(cnf={"jkt": "x"})), ClaimFault.BOUND),
}


@pytest.mark.requirement("edge-3")
@pytest.mark.parametrize("row", COULD_NOT_TELL)
async def test_an_answer_that_is_none_is_could_not_tell_and_recovers_by_itself(row: str) -> None:
    """Contract, gateway: the table; attack table: failing open. Nothing is remembered of it."""
    reply, cause = COULD_NOT_TELL[row]
    async with listening(reply) as peer, opened({"corp": rfc7662(peer.url)}) as corp:
        told = await corp.ask()
        assert isinstance(told.fact, Unavailable)
        assert told.fact.cause is cause
        assert corp.cache.entries == 0
        assert corp.recall() is None
        assert {request.target for request in peer.posts} == {"/introspect"}
        peer.answer = sends(says(ACTIVE))
        assert isinstance((await corp.ask()).fact, Active)


@pytest.mark.parametrize("row", A_NO)
async def test_an_answer_that_is_no_yes_is_a_no_for_five_seconds(row: str) -> None:
    """Contract, gateway: the table, and claims judged strictly; attack table: token confusion."""
    reply, fault = A_NO[row]
    async with listening(reply) as peer, opened({"corp": rfc7662(peer.url)}) as corp:
        told = await corp.ask()
        assert isinstance(told.fact, Inactive)
        assert told.fact.fault is fault
        recalled = corp.recall()
        assert recalled is not None
        assert (recalled.fact, recalled.cache) == (told.fact, CacheOutcome.INACTIVE_HIT)
        corp.hands.move(5)
        assert corp.recall() is None
        assert len(peer.posts) == 1


@pytest.mark.requirement("edge-3")
async def test_an_authority_that_is_away_is_could_not_tell_and_recovers_by_itself() -> None:
    """Attack table: failing open (refused)."""
    async with listening() as peer:
        port = int(peer.url.rpartition(":")[2])
    async with opened({"corp": rfc7662(peer.url)}) as corp:
        told = await corp.ask()
        assert isinstance(told.fact, Unavailable)
        assert told.fact.cause is Cause.REFUSED
        async with listening(says(ACTIVE), port=port):
            assert isinstance((await corp.ask()).fact, Active)


@pytest.mark.requirement("edge-3")
async def test_an_authority_that_hangs_is_could_not_tell_after_its_timeout() -> None:
    """Attack table: failing open (hung)."""
    async with listening(hangs) as peer, opened({"corp": rfc7662(peer.url, timeout="50ms")}) as corp:
        told = await corp.ask()
        assert isinstance(told.fact, Unavailable)
        assert told.fact.cause is Cause.TIMEOUT


@pytest.mark.requirement("edge-3")
async def test_the_deadline_of_a_decision_comes_before_the_timeout_of_an_authority() -> None:
    """Contract, configuration: `decision_timeout` is shared by all that one ask does."""
    async with listening(hangs) as peer, opened({"corp": rfc7662(peer.url, timeout="20s")}) as corp:
        question = Introspect(authority="corp", token=RawToken(TOKEN))
        for remember, outcome in (
            (True, CacheOutcome.MISS),
            (True, CacheOutcome.COALESCED),
            (False, CacheOutcome.NONE),
        ):
            told = await corp.authorities.ask(question, reference="r", deadline=0.05, remember=remember)
            assert isinstance(told.fact, Unavailable)
            assert (told.fact.cause, told.cache) == (Cause.TIMEOUT, outcome)


async def test_an_active_token_is_granted_as_of_now() -> None:
    """RFC 7662 §2.2."""
    async with listening(says(ACTIVE)) as peer, opened({"corp": rfc7662(peer.url)}) as corp:
        told = await corp.ask()
        assert told.cache is CacheOutcome.MISS
        assert isinstance(told.fact, Active)
        assert told.fact.as_of == NOW
        grant = told.fact.grant
        assert (grant.issuer, grant.client_id, grant.subject) == (peer.url, "app", "alice")
        assert (grant.scopes, grant.audience, grant.expires_at) == (("read", "write"), ("gateway:g/api:a",), NOW + 7200)


async def test_64_are_asked_a_thousand_wait_and_the_next_is_turned_away() -> None:
    """Contract, gateway: `authority-overloaded`."""
    released = asyncio.Event()

    async def waits(request: Request, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        await sends(says(ACTIVE))(request, writer)

    async with listening(waits) as peer, opened({"corp": rfc7662(peer.url, timeout="30s")}) as corp:
        asking = [asyncio.create_task(corp.ask(f"token-{number}")) for number in range(MAX_CONNECTIONS + MAX_WAITING)]
        await until(lambda: len(peer.posts) == MAX_CONNECTIONS)
        health = corp.authorities.health()[0]
        assert (health.asking, health.waiting) == (MAX_CONNECTIONS, MAX_WAITING)
        told = await corp.ask("one-too-many")
        assert told.fact == Unavailable(cause=Cause.OVERLOADED)
        released.set()
        facts = [each.fact for each in await asyncio.gather(*asking)]
        assert all(isinstance(fact, Active) for fact in facts)
        assert len(peer.posts) == MAX_CONNECTIONS + MAX_WAITING


async def test_a_turn_that_does_not_come_in_time_is_overload() -> None:
    """Contract, gateway: waiting counts against the deadline."""
    async with listening(hangs) as peer, opened({"corp": rfc7662(peer.url, timeout="30s")}) as corp:
        asking = [asyncio.create_task(corp.ask(f"token-{number}")) for number in range(MAX_CONNECTIONS)]
        await until(lambda: len(peer.posts) == MAX_CONNECTIONS)
        question = Introspect(authority="corp", token=RawToken("late"))
        await corp.authorities.ask(question, reference="r", deadline=0.05)
        await until(lambda: bool(corp.seen.asks))
        assert corp.seen.asks == [("corp", Cause.OVERLOADED, 0.0)]
        await corp.authorities.aclose()
        closed = [each.fact for each in await asyncio.gather(*asking)]
        assert {fact.cause for fact in closed if isinstance(fact, Unavailable)} == {Cause.BROKEN}


async def test_five_failures_open_the_breaker_and_hits_are_served_while_it_is_open() -> None:
    """Contract, gateway: breaker."""
    async with listening(says(ACTIVE)) as peer, opened({"corp": rfc7662(peer.url)}) as corp:
        await corp.ask("known")
        peer.answer = sends(says({}, status=500))
        for _ in range(5):
            await corp.ask()
        told = await corp.ask()
        assert told.fact == Unavailable(cause=Cause.BREAKER_OPEN)
        assert len(peer.posts) == 6
        assert corp.authorities.health()[0].breaker is BreakerState.OPEN
        assert isinstance((await corp.ask("known")).fact, Active)
        corp.hands.move(1)
        peer.answer = sends(says(ACTIVE))
        assert isinstance((await corp.ask()).fact, Active)
        assert [state for _, state in corp.seen.breakers] == [
            BreakerState.OPEN,
            BreakerState.PROBING,
            BreakerState.CLOSED,
        ]


async def test_those_who_wait_for_their_turn_do_not_ask_once_it_is_open() -> None:
    """Ours: a thousand waiting questions must not each find out by themselves."""
    released = asyncio.Event()

    async def fails(request: Request, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        await sends(says({}, status=503))(request, writer)

    async with listening(fails) as peer, opened({"corp": rfc7662(peer.url, timeout="30s")}) as corp:
        asking = [asyncio.create_task(corp.ask(f"token-{number}")) for number in range(2 * MAX_CONNECTIONS)]
        await until(lambda: len(peer.posts) == MAX_CONNECTIONS)
        released.set()
        facts = [each.fact for each in await asyncio.gather(*asking)]
        causes = [fact.cause for fact in facts if isinstance(fact, Unavailable)]
        assert causes.count(Cause.STATUS) + causes.count(Cause.BREAKER_OPEN) == 2 * MAX_CONNECTIONS
        assert len(peer.posts) < MAX_CONNECTIONS + 5


@pytest.mark.parametrize(
    ("row", "opens"),
    [("500", True), ("503", True), ("429", True), ("closed at once", True), ("truncated body", True)]
    + [(row, False) for row in ("401 to us", "403 to us", "404", "400", "302", "HTML", "too large", "signed")],
)
async def test_only_an_authority_that_is_away_opens_the_breaker(row: str, opens: bool) -> None:  # noqa: FBT001  # a row's expectation
    """Contract, gateway: only connection errors, timeouts, 5xx and 429 count."""
    reply, _ = COULD_NOT_TELL[row]
    async with listening(reply) as peer, opened({"corp": rfc7662(peer.url)}) as corp:
        for _ in range(6):
            await corp.ask()
        assert len(peer.posts) == (5 if opens else 6)


async def test_timeouts_open_the_breaker_and_impatience_does_not() -> None:
    """Ours: the haste of one decision says nothing about the authority."""
    async with listening(hangs) as peer, opened({"corp": rfc7662(peer.url, timeout="30ms")}) as corp:
        for number in range(5):
            assert corp.authorities.health()[0].breaker is BreakerState.CLOSED
            await corp.ask(f"token-{number}")
        assert corp.authorities.health()[0].breaker is BreakerState.OPEN
    async with listening(hangs) as peer, opened({"corp": rfc7662(peer.url, timeout="30s")}) as corp:
        for number in range(6):
            question = Introspect(authority="corp", token=RawToken(str(number)))
            await corp.authorities.ask(question, reference="r", deadline=0.01)
        assert corp.authorities.health()[0].breaker is BreakerState.CLOSED


async def test_the_observer_hears_of_each_question_and_of_each_use() -> None:
    """Contract, operator: metrics."""
    async with listening(says(ACTIVE)) as peer, opened({"corp": rfc7662(peer.url)}) as corp:
        await corp.ask()
        corp.recall()
        corp.recall("never asked")
        peer.answer = sends(says({"active": False}))
        await corp.ask("unknown")
        corp.recall("unknown")
        peer.answer = sends(says({}, status=401))
        await corp.ask("third")
        assert corp.seen.asks == [("corp", "active", 0.0), ("corp", "inactive", 0.0), ("corp", "credentials", 0.0)]
        assert [event.value for _, event in corp.seen.events] == ["miss", "hit", "miss", "inactive-hit", "miss"]


async def test_health_says_what_an_operator_looks_for() -> None:
    """Contract, operator: `GET /authorities`."""
    async with listening(says({}, status=401)) as peer, opened({"corp": rfc7662(peer.url)}) as corp:
        health = corp.authorities.health()[0]
        assert (health.name, health.kind, health.issuer) == ("corp", "rfc7662", peer.url)
        assert (health.breaker, health.last_outcome, health.last_asked_at) == (BreakerState.CLOSED, None, None)
        await corp.ask()
        health = corp.authorities.health()[0]
        assert (health.last_outcome, health.last_asked_at) == ("credentials", NOW)
