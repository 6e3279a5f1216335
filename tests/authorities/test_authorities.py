"""What is remembered and shared between questions, and what never shows."""

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
    DEADLINE,
    NOW,
    SECRET,
    TOKEN,
    Hands,
    Request,
    active,
    configure,
    listening,
    opened,
    rfc7662,
    says,
    sends,
)
from tests.waiting import until

from ostiary.authorities import CacheOutcome, TokenCache, UnknownAuthorityError
from ostiary.authorities.wire import MAX_CONNECTIONS
from ostiary.oauth.credentials import RawToken
from ostiary.oauth.introspection import Active, Cause, Inactive, Unavailable
from ostiary.plugins.questions import Introspect

if TYPE_CHECKING:
    from ostiary.oauth.json import JsonValue


pytestmark = pytest.mark.anyio


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
        await until(lambda: len(peer.posts) == 1)
        corp.authorities.purge_token(RawToken(TOKEN))
        after = asyncio.create_task(corp.ask())
        await until(lambda: len(peer.posts) == 2)
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


@pytest.mark.parametrize("has_time", [True, False])
async def test_who_joined_a_question_waits_until_its_own_deadline(*, has_time: bool) -> None:
    """Ours: the first one's haste is not the others'. Asked once more, and by one of them for all."""
    released = asyncio.Event()

    async def waits(request: Request, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        await sends(says(ACTIVE))(request, writer)

    async with listening(waits) as peer, opened({"corp": rfc7662(peer.url, timeout="30s")}) as corp:
        busy = [asyncio.create_task(corp.ask(f"token-{number}")) for number in range(MAX_CONNECTIONS)]
        await until(lambda: len(peer.posts) == MAX_CONNECTIONS)
        question = Introspect(authority="corp", token=RawToken(TOKEN))
        hasty = asyncio.create_task(corp.authorities.ask(question, reference="r", deadline=0.05))
        joined = [asyncio.create_task(corp.ask()) for _ in range(2)]
        await asyncio.sleep(0)  # each has taken its first step: the second and the third have joined the first
        assert [event for _, event in corp.seen.events].count(CacheOutcome.COALESCED) == 2
        if not has_time:
            corp.hands.move(DEADLINE)
        assert isinstance((await hasty).fact, Unavailable)
        if has_time:
            await until(lambda: corp.authorities.health()[0].waiting == 1)
        released.set()
        told = await asyncio.gather(*joined)
        await asyncio.gather(*busy)
    if has_time:
        assert all(isinstance(each.fact, Active) for each in told)
        assert sorted(each.cache for each in told) == [CacheOutcome.COALESCED, CacheOutcome.MISS]
        assert len(peer.posts) == MAX_CONNECTIONS + 1
    else:
        assert {each.fact for each in told} == {
            Unavailable(cause=Cause.OVERLOADED, note="its turn did not come in time")
        }
        assert len(peer.posts) == MAX_CONNECTIONS


async def test_who_asked_first_may_go_away() -> None:
    """Ours: a cancelled request does not cancel the question of the others."""
    released = asyncio.Event()

    async def waits(request: Request, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        await sends(says(ACTIVE))(request, writer)

    async with listening(waits) as peer, opened({"corp": rfc7662(peer.url)}) as corp:
        first, second = asyncio.create_task(corp.ask()), asyncio.create_task(corp.ask())
        await until(lambda: len(peer.posts) == 1)
        first.cancel()
        released.set()
        assert isinstance((await second).fact, Active)
        with suppress(asyncio.CancelledError):
            await first
        assert len(peer.posts) == 1


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
