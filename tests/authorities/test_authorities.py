"""Asking, remembering and what an authority's behaviour comes to, over real HTTP."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

import httpx2
import pytest
from tests.authorities.peer import (
    ACTIVE,
    NOW,
    SECRET,
    TOKEN,
    Hands,
    Request,
    active,
    configure,
    hangs,
    listening,
    opened,
    response,
    rfc7662,
    says,
    sends,
)

from ostiary.authorities import CacheOutcome, TokenCache, UnknownAuthorityError
from ostiary.authorities.authority import MAX_WAITING
from ostiary.authorities.breaker import BreakerState
from ostiary.authorities.wire import MAX_CONNECTIONS
from ostiary.oauth.credentials import RawToken
from ostiary.oauth.introspection import Active, Cause, ClaimFault, Inactive, Unavailable
from ostiary.plugins.questions import Introspect

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from ostiary.oauth.json import JsonValue

    Script = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]

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


# Remembering


@pytest.mark.requirement("FR-009")
async def test_a_remembered_answer_is_as_of_its_use_and_asks_nobody() -> None:
    """002 FR-009; contract, gateway: `exp` re-checked on every use."""
    async with listening(says(ACTIVE)) as peer, opened({"corp": rfc7662(peer.url)}) as corp:
        first = await corp.ask()
        corp.hands.move(60)
        for told in (corp.recall(), await corp.ask()):
            assert told is not None
            assert (told.cache, told.authority_seconds) == (CacheOutcome.HIT, 0.0)
            assert isinstance(told.fact, Active)
            assert isinstance(first.fact, Active)
            assert told.fact.grant == first.fact.grant
            assert told.fact.as_of == NOW + 60
        assert len(peer.posts) == 1


@pytest.mark.requirement("FR-009")
async def test_it_is_asked_again_after_300_seconds() -> None:
    """002 FR-009."""
    async with listening(says(ACTIVE)) as peer, opened({"corp": rfc7662(peer.url)}) as corp:
        await corp.ask()
        corp.hands.move(300)
        assert corp.recall() is None
        assert (await corp.ask()).cache is CacheOutcome.MISS
        assert len(peer.posts) == 2


async def test_a_ttl_of_nothing_remembers_nothing() -> None:
    """Ours: `ttl: 0s` is how an operator has every token asked for."""
    none = {"ttl": "0s", "inactive_ttl": "0s"}
    async with listening(says(ACTIVE)) as peer:
        configuration = configure({"corp": rfc7662(peer.url)}, token_cache=none)
        async with opened(configuration) as corp:
            await corp.ask()
            await corp.ask()
            assert (len(peer.posts), corp.cache.entries) == (2, 0)


async def test_an_expired_token_is_active_to_its_authority_and_not_remembered() -> None:
    """Attack table: cache confusion; time is judged by the chain."""
    async with listening(says(active(exp=0))) as peer, opened({"corp": rfc7662(peer.url)}) as corp:
        assert isinstance((await corp.ask()).fact, Active)
        assert corp.cache.entries == 0


async def test_a_dry_run_neither_recalls_nor_remembers() -> None:
    """Contract, configuration: `ostiary decide` writes no cache entry."""
    async with listening(says(ACTIVE)) as peer, opened({"corp": rfc7662(peer.url)}) as corp:
        assert (await corp.ask(remember=False)).cache is CacheOutcome.NONE
        assert corp.cache.entries == 0
        await corp.ask()
        await corp.ask(remember=False)
        assert len(peer.posts) == 3
        assert [event for _, event in corp.seen.events] == [CacheOutcome.MISS]


async def test_one_token_at_two_authorities_is_two_answers() -> None:
    """Attack table: cache confusion."""
    async with (
        listening(says(ACTIVE)) as one,
        listening(says({"active": False})) as two,
        opened({"corp": rfc7662(one.url), "other": rfc7662(two.url)}) as both,
    ):
        assert isinstance((await both.ask()).fact, Active)
        assert both.recall(authority="other") is None
        assert isinstance((await both.ask(authority="other")).fact, Inactive)
        assert (both.cache.entries, len(one.posts), len(two.posts)) == (2, 1, 1)


async def test_a_changed_configuration_finds_none_of_the_old_answers() -> None:
    """Contract, gateway: the key has a fingerprint of the authority's configuration; its secret is part of it."""
    hands = Hands()
    cache = TokenCache(key=b"k" * 32, max_bytes=1 << 20, clocks=hands.clocks)
    async with listening(says(ACTIVE)) as peer:
        corp = rfc7662(peer.url)
        for configuration, asked in (
            (configure({"corp": corp}), 1),
            (configure({"corp": corp}), 1),
            (configure({"corp": corp | {"timeout": "3s", "leeway": "5s"}}), 1),
            (configure({"corp": corp}, secret="another"), 2),
            (configure({"corp": corp | {"username_claim": "email"}}), 3),
        ):
            async with opened(configuration, cache=cache, hands=hands) as reloaded:
                await reloaded.ask()
            assert len(peer.posts) == asked


async def test_a_purged_token_is_asked_for_again() -> None:
    """Contract, operator: `POST /tokens/revoke`."""
    async with listening(says(ACTIVE)) as peer, opened({"corp": rfc7662(peer.url)}) as corp:
        await corp.ask()
        assert corp.authorities.purge_token(RawToken("another")) == 0
        assert corp.authorities.purge_token(RawToken(TOKEN)) == 1
        assert corp.recall() is None
        await corp.ask()
        assert corp.authorities.purge_about("corp", subject="alice") == 1
        await corp.ask()
        assert len(peer.posts) == 3


async def test_what_was_under_way_during_a_purge_is_neither_shared_nor_remembered() -> None:
    """Ours: it may have been answered before the revocation."""
    answered = [asyncio.Event(), asyncio.Event()]

    async def waits(request: Request, writer: asyncio.StreamWriter) -> None:
        await answered[len(peer.posts) - 1].wait()
        await sends(says(ACTIVE))(request, writer)

    async with listening(waits) as peer, opened({"corp": rfc7662(peer.url)}) as corp:
        before = asyncio.create_task(corp.ask())
        await _until(lambda: len(peer.posts) == 1)
        corp.authorities.purge_token(RawToken(TOKEN))
        after = asyncio.create_task(corp.ask())
        await _until(lambda: len(peer.posts) == 2)
        answered[0].set()
        assert (await before).cache is CacheOutcome.MISS
        assert corp.recall() is None
        answered[1].set()
        assert (await after).cache is CacheOutcome.MISS
        assert corp.recall() is not None


async def test_an_authority_that_nobody_configured_is_a_broken_invariant() -> None:
    """Ours: routes are checked against the section."""
    async with opened({}) as nobody:
        with pytest.raises(UnknownAuthorityError):
            nobody.recall()
        with pytest.raises(UnknownAuthorityError):
            await nobody.ask()


# Many at once


async def test_a_thousand_requests_with_one_new_token_are_one_question() -> None:
    """Contract, gateway: one flight per token."""
    async with listening(says(ACTIVE)) as peer, opened({"corp": rfc7662(peer.url)}) as corp:
        told = await asyncio.gather(*(corp.ask() for _ in range(1000)))
        assert len(peer.posts) == 1
        assert all(isinstance(each.fact, Active) for each in told)
        outcomes = [each.cache for each in told]
        assert (outcomes.count(CacheOutcome.MISS), outcomes.count(CacheOutcome.COALESCED)) == (1, 999)


async def test_the_failure_of_a_shared_question_is_everybodys() -> None:
    """Ours: and the next one asks again."""
    async with listening(says({}, status=500)) as peer, opened({"corp": rfc7662(peer.url)}) as corp:
        told = await asyncio.gather(*(corp.ask() for _ in range(10)))
        assert {each.fact for each in told} == {Unavailable(cause=Cause.STATUS, note="status 500")}
        assert len(peer.posts) == 1
        await corp.ask()
        assert len(peer.posts) == 2


async def test_who_asked_first_may_go_away() -> None:
    """Ours: a cancelled request does not cancel the question of the others."""
    released = asyncio.Event()

    async def waits(request: Request, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        await sends(says(ACTIVE))(request, writer)

    async with listening(waits) as peer, opened({"corp": rfc7662(peer.url)}) as corp:
        first, second = asyncio.create_task(corp.ask()), asyncio.create_task(corp.ask())
        await _until(lambda: len(peer.posts) == 1)
        first.cancel()
        released.set()
        assert isinstance((await second).fact, Active)
        with suppress(asyncio.CancelledError):
            await first
        assert len(peer.posts) == 1


async def test_64_are_asked_a_thousand_wait_and_the_next_is_turned_away() -> None:
    """Contract, gateway: `authority-overloaded`."""
    released = asyncio.Event()

    async def waits(request: Request, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        await sends(says(ACTIVE))(request, writer)

    async with listening(waits) as peer, opened({"corp": rfc7662(peer.url, timeout="30s")}) as corp:
        asking = [asyncio.create_task(corp.ask(f"token-{number}")) for number in range(MAX_CONNECTIONS + MAX_WAITING)]
        await _until(lambda: len(peer.posts) == MAX_CONNECTIONS)
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
        await _until(lambda: len(peer.posts) == MAX_CONNECTIONS)
        question = Introspect(authority="corp", token=RawToken("late"))
        await corp.authorities.ask(question, reference="r", deadline=0.05)
        await _until(lambda: bool(corp.seen.asks))
        assert corp.seen.asks == [("corp", Cause.OVERLOADED, 0.0)]
        await corp.authorities.aclose()
        closed = [each.fact for each in await asyncio.gather(*asking)]
        assert {fact.cause for fact in closed if isinstance(fact, Unavailable)} == {Cause.BROKEN}


# The breaker


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
        await _until(lambda: len(peer.posts) == MAX_CONNECTIONS)
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


# What is told


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


@pytest.mark.parametrize("auth", ["client_secret_basic", "client_secret_post"])
async def test_neither_token_nor_secret_shows_anywhere(auth: str, caplog: pytest.LogCaptureFixture) -> None:
    """Attack table: credentials in logs. The authority repeats what it was sent."""
    caplog.set_level(logging.DEBUG)
    shown: list[object] = []

    async def repeats(request: Request, writer: asyncio.StreamWriter) -> None:
        said: dict[str, JsonValue] = {
            "active": False,
            "error": request.body.decode(),
            "sub": request.headers.get("authorization", ""),
        }
        await sends(says(said, status=statuses.pop()))(request, writer)

    statuses = [200, 400, 401, 500]
    async with listening(repeats) as peer, opened({"corp": rfc7662(peer.url, client_auth=auth)}) as corp:
        shown += [await corp.ask(f"{TOKEN}{number}") for number in range(4)]
        for answer in (sends(b"HTTP/1.1 200 OK\r\n" + TOKEN.encode() + b"\r\n\r\n"), sends(b"")):
            peer.answer = answer
            shown.append(await corp.ask())
        with pytest.raises(UnknownAuthorityError) as raised:
            await corp.ask(authority="nobody")
        shown += [corp.authorities.health(), vars(corp.authorities), vars(corp.cache), corp.seen, raised.value]
        shown.append(configure({"corp": rfc7662(peer.url)}))
        peer.answer = sends(says(ACTIVE))
        async with httpx2.AsyncClient(trust_env=False) as another:
            await another.post(peer.url)
    everything = caplog.text + json.dumps([repr(each) for each in shown])
    assert caplog.text.count("receive_response_headers.complete") == 1  # the other client's: the level was offered
    for canary in (TOKEN, SECRET):
        assert canary not in everything


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # the peer is another program: it sets no event of ours
            await asyncio.sleep(0.001)
