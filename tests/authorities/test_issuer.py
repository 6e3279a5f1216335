"""Where an issuer introspects, and whether it may be believed at all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.authorities.peer import ACTIVE, Hands, listening, opened, response, rfc7662, says
from tests.waiting import until

from ostiary.authorities.issuer import RETRY_BESIDE_SECONDS
from ostiary.devserver import Client, DevelopmentServer, serve
from ostiary.oauth.introspection import Active, Cause, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.authorities.peer import Opened, Peer

    from ostiary.oauth.json import JsonValue

pytestmark = pytest.mark.anyio

AS = "/.well-known/oauth-authorization-server"
OIDC = "/.well-known/openid-configuration"
HTML = response(b"<html>hello</html>", headers={"Content-Type": "text/html"})


def _document(issuer: str, **more: JsonValue) -> bytes:
    members: dict[str, JsonValue] = {"issuer": issuer, "introspection_endpoint": issuer + "/found"}
    return says(members | more)


def _discovering(url: str, **more: JsonValue) -> dict[str, JsonValue]:
    settings = rfc7662(url, **more)
    del settings["introspection_endpoint"]
    return {"corp": settings}


async def _asked_at(corp: Opened, peer: Peer) -> str | Unavailable:
    """Where a new question arrives, or why it does not."""
    before = len(peer.posts)
    fact = (await corp.ask(f"token-{before}-{len(peer.requests)}")).fact
    return fact if isinstance(fact, Unavailable) else peer.posts[-1].target


def _note(found: str | Unavailable) -> str:
    assert isinstance(found, Unavailable)
    assert found.cause is Cause.DISCOVERY
    return found.note


async def test_the_endpoint_is_discovered_once_for_all_who_ask() -> None:
    """RFC 8414 §3. Single flight."""
    async with listening(says(ACTIVE)) as peer, opened(_discovering(peer.url)) as corp:
        peer.metadata[AS] = _document(peer.url)
        told = await asyncio.gather(*(corp.ask(f"token-{number}") for number in range(50)))
        assert all(isinstance(each.fact, Active) for each in told)
        assert {request.target for request in peer.posts} == {"/found"}
        assert peer.gets == [AS]


@pytest.mark.parametrize(
    "first", ["HTML", "404", "another issuer's", "truncated", "an array", "400", "500", "redirect"]
)
async def test_what_is_not_the_document_at_the_first_location_goes_on_to_the_second(first: str) -> None:
    """Contract, gateway: real servers answer HTML there."""
    async with listening(says(ACTIVE)) as peer, opened(_discovering(peer.url)) as corp:
        replies = {
            "HTML": HTML,
            "another issuer's": _document("https://evil.example.com"),
            "truncated": response(b'{"issuer": "'),
            "an array": response(b"[]"),
            "400": says({"issuer": peer.url, "introspection_endpoint": peer.url + "/first"}, status=400),
            "500": response(b"", status=500),
            "redirect": response(b"", status=302, headers={"Location": OIDC}),
        }
        if first in replies:
            peer.metadata[AS] = replies[first]
        peer.metadata[OIDC] = _document(peer.url, introspection_endpoint=peer.url + "/second")
        assert await _asked_at(corp, peer) == "/second"
        assert peer.gets == [AS, OIDC]


async def test_an_issuer_with_a_path_is_looked_up_before_and_behind_it() -> None:
    """RFC 8414 §3.1, §5."""
    async with listening(says(ACTIVE)) as peer:
        issuer = peer.url + "/realms/one"
        async with opened(_discovering(issuer)) as corp:
            peer.metadata["/realms/one" + OIDC] = _document(issuer)
            assert await _asked_at(corp, peer) == "/realms/one/found"
        assert peer.gets == [AS + "/realms/one", "/realms/one" + OIDC]


async def test_discovery_that_fails_is_could_not_tell_and_is_tried_again_a_second_later() -> None:
    """Contract, gateway: failing at start is could not tell, not a start failure."""
    async with listening(says(ACTIVE)) as peer, opened(_discovering(peer.url)) as corp:
        assert _note(await _asked_at(corp, peer)) == "no metadata of this issuer at either location"
        peer.metadata[AS] = _document(peer.url)
        assert _note(await _asked_at(corp, peer)) == "no metadata of this issuer at either location"
        assert peer.gets == [AS, OIDC]
        corp.hands.move(1)
        assert await _asked_at(corp, peer) == "/found"


async def test_an_issuer_that_is_away_is_could_not_tell() -> None:
    """Attack table: failing open."""
    async with listening(says(ACTIVE)) as peer:
        pass
    async with opened(_discovering(peer.url)) as corp:
        assert _note(await _asked_at(corp, peer)) == "refused: ConnectionRefusedError"


@pytest.mark.parametrize(
    ("endpoint", "note"),
    [
        ("https://evil.example.com/introspect", "on another origin"),
        ("http://127.0.0.1:1/introspect", "on another origin"),
        ("{url}@evil.example.com/introspect", "on another origin"),
        ("//evil.example.com/introspect", "on another origin"),
        ("/introspect", "on another origin"),
        ("file:///etc/passwd", "on another origin"),
        ("{url}/a\r\nb", "on another origin"),
        (None, "name no introspection endpoint"),
        (7, "name no introspection endpoint"),
    ],
)
async def test_metadata_cannot_send_our_credentials_elsewhere(endpoint: JsonValue, note: str) -> None:
    """Attack table: server-side requests. The origin is the issuer's."""
    async with listening(says(ACTIVE)) as peer, opened(_discovering(peer.url)) as corp:
        named = endpoint.format(url=peer.url) if isinstance(endpoint, str) else endpoint
        peer.metadata[AS] = _document(peer.url, introspection_endpoint=named)
        assert _note(await _asked_at(corp, peer)).endswith(note)
        assert peer.posts == []


async def test_another_origin_may_be_listed() -> None:
    """Contract, configuration: `endpoint_origins`."""
    async with listening(says(ACTIVE)) as peer, listening(says(ACTIVE)) as other:
        peer.metadata[AS] = _document(peer.url, introspection_endpoint=other.url + "/there")
        async with opened(_discovering(peer.url, endpoint_origins=[other.url])) as corp:
            assert isinstance((await corp.ask()).fact, Active)
        assert [request.target for request in other.posts] == ["/there"]


async def test_an_endpoint_too_long_for_a_url_is_could_not_tell() -> None:
    """Ours: whatever metadata hold, nothing is raised."""
    async with listening(says(ACTIVE)) as peer, opened(_discovering(peer.url)) as corp:
        peer.metadata[AS] = _document(peer.url, introspection_endpoint=peer.url + "/" + "a" * 100_000)
        found = await _asked_at(corp, peer)
        assert isinstance(found, Unavailable)
        assert found.cause is Cause.REFUSED


async def test_metadata_are_read_again_every_hour_and_the_last_good_ones_kept() -> None:
    """Contract, gateway: re-read hourly, last good kept. No question waits for it."""
    async with listening(says(ACTIVE)) as peer, opened(_discovering(peer.url)) as corp:
        peer.metadata[AS] = _document(peer.url)
        assert await _asked_at(corp, peer) == "/found"
        corp.hands.move(3599)
        await _asked_at(corp, peer)
        assert peer.gets == [AS]

        peer.metadata[AS] = HTML
        corp.hands.move(1)
        await _read_again(corp, peer, readings=3)
        assert await _asked_at(corp, peer) == "/found"

        peer.metadata[AS] = _document(peer.url, introspection_endpoint="https://evil.example.com/")
        corp.hands.move(RETRY_BESIDE_SECONDS)
        await _read_again(corp, peer, readings=4)
        assert await _asked_at(corp, peer) == "/found"

        peer.metadata[AS] = _document(peer.url, introspection_endpoint=peer.url + "/moved")
        corp.hands.move(RETRY_BESIDE_SECONDS)
        await _read_again(corp, peer, readings=5)
        assert await _asked_at(corp, peer) == "/moved"


async def _read_again(corp: Opened, peer: Peer, *, readings: int, refused: bool = False) -> None:
    """Ask until so many readings have come, then a little longer, until they have been taken in."""
    async with asyncio.timeout(10):
        while len(peer.gets) < readings:
            await _asked_at(corp, peer)
    await until(lambda: not peer.conversations)
    for _ in range(3):
        assert isinstance(await _asked_at(corp, peer), Unavailable) is refused


async def test_an_hourly_reading_that_hangs_holds_nobody_up() -> None:
    """Ours: the last good endpoint is known."""
    reading = asyncio.Event()
    async with listening(says(ACTIVE)) as peer, opened(_discovering(peer.url, timeout="20s")) as corp:
        peer.metadata[AS] = _document(peer.url)
        assert await _asked_at(corp, peer) == "/found"
        corp.hands.move(3600)
        peer.hold_metadata = reading
        async with asyncio.timeout(5):
            assert await _asked_at(corp, peer) == "/found"
        reading.set()


@pytest.fixture(scope="module")
def development() -> Iterator[DevelopmentServer]:
    """The embedded server."""
    server = DevelopmentServer([Client(client_id="gateway", secret="s3cr3t-canary")])
    with serve(server):
        yield server


@pytest.mark.parametrize("given", [True, False])
async def test_a_development_server_is_not_believed(
    development: DevelopmentServer,
    given: bool,  # noqa: FBT001  # a parameter of the test
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Architecture: `ostiary serve` has no way to it, even where the endpoint is given."""
    servers = {"corp": rfc7662(development.issuer)} if given else _discovering(development.issuer)
    token = development.mint(client_id="app")
    before = development.introspections
    async with opened(servers) as corp:
        for _ in range(3):
            assert (await corp.ask(token)).fact == Unavailable(cause=Cause.DEVELOPMENT)
        assert corp.recall(token) is None
    assert development.introspections == before
    assert [record.message for record in caplog.records] == [
        "authorization server corp says it is a development server: it is not believed"
    ]
    async with opened(servers, allow_development_issuer=True) as corp:
        assert isinstance((await corp.ask(token)).fact, Active)


async def test_it_is_said_once_and_taken_back_when_the_metadata_no_longer_say_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Architecture: one clear log line."""
    async with listening(says(ACTIVE)) as peer, opened(_discovering(peer.url)) as corp:
        peer.metadata[AS] = _document(peer.url, ostiary_development=True)
        for readings in (1, 2):
            await _read_again(corp, peer, readings=readings, refused=True)
            corp.hands.move(3600)
        peer.metadata[AS] = _document(peer.url)
        async with asyncio.timeout(10):
            while isinstance((await corp.ask()).fact, Unavailable):
                pass
        assert len(caplog.records) == 1


@pytest.mark.parametrize("given", ["nothing", "HTML", "another's", "its own"])
async def test_with_a_given_endpoint_metadata_may_be_absent_and_are_read_once(given: str) -> None:
    """Architecture: absent metadata is no error."""
    async with listening(says(ACTIVE)) as peer, opened({"corp": rfc7662(peer.url)}) as corp:
        replies = {"HTML": HTML, "another's": _document("https://another.example.com"), "its own": _document(peer.url)}
        if given in replies:
            peer.metadata[AS] = replies[given]
        for _ in range(3):
            assert await _asked_at(corp, peer) == "/introspect"
            corp.hands.move(86_400)
        assert peer.gets == ([AS] if given == "its own" else [AS, OIDC])


async def test_a_mark_that_is_not_true_is_none() -> None:
    """Ours."""
    async with listening(says(ACTIVE)) as peer, opened({"corp": rfc7662(peer.url)}) as corp:
        peer.metadata[AS] = _document(peer.url, ostiary_development="true")
        assert await _asked_at(corp, peer) == "/introspect"


async def test_with_a_given_endpoint_a_failed_reading_is_no_error_and_is_tried_again() -> None:
    """Ours: a development server that was down at the first question is found out later, remembered answers too."""
    hands = Hands()
    async with listening(says(ACTIVE)) as peer, opened({"corp": rfc7662(peer.url)}, hands=hands) as corp:
        peer.metadata[AS] = peer.metadata[OIDC] = response(b"", status=503)
        assert isinstance((await corp.ask()).fact, Active)
        assert corp.recall() is not None
        peer.metadata[AS] = _document(peer.url, ostiary_development=True)
        assert isinstance((await corp.ask("another")).fact, Active)
        hands.move(RETRY_BESIDE_SECONDS)
        await corp.ask("a third")  # begins the reading, and need not wait for it
        await until(lambda: corp.recall() is None)
        assert (await corp.ask()).fact == Unavailable(cause=Cause.DEVELOPMENT)


async def test_with_a_given_endpoint_hanging_metadata_cost_the_first_question_a_moment_alone() -> None:
    """Ours: and no more than the authority's own timeout."""
    async with listening(says(ACTIVE)) as peer, opened({"corp": rfc7662(peer.url, timeout="50ms")}) as corp:
        peer.hold_metadata = asyncio.Event()
        async with asyncio.timeout(5):
            assert await _asked_at(corp, peer) == "/introspect"
            assert await _asked_at(corp, peer) == "/introspect"
        assert peer.gets.count(AS) == 1
