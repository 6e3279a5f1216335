"""RFC 7662 on the wire, and against the development server."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import pytest
from tests.authorities.peer import ACTIVE, SECRET, TOKEN, configure, listening, opened, rfc7662, says

from ostiary.devserver import Client, DevelopmentServer, serve
from ostiary.oauth.introspection import Active, Cause, Inactive, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.anyio

AWKWARD_ID = "gate %:+ &=/é"
AWKWARD_SECRET = 'p%41:+ &=/é"\\;,ß~' + "🔑"


@pytest.fixture(scope="module")
def server() -> Iterator[DevelopmentServer]:
    """An authorization server that is not ours to the letter: Authlib's protocol under Starlette."""
    development = DevelopmentServer([Client(client_id=AWKWARD_ID, secret=AWKWARD_SECRET)])
    with serve(development):
        yield development


async def test_the_question_is_a_form_with_the_token_and_basic_credentials() -> None:
    """RFC 7662 §2.1, RFC 6749 §2.3.1."""
    async with listening(says(ACTIVE)) as peer, opened({"corp": rfc7662(peer.url)}) as corp:
        await corp.ask()
    (request,) = peer.posts
    assert request.target == "/introspect"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(request.body.decode()) == {"token": [TOKEN], "token_type_hint": ["access_token"]}
    assert request.headers["authorization"] == "Basic Z2F0ZXdheTpzM2NyM3QtY2FuYXJ5"


async def test_the_secret_is_in_the_form_where_that_is_wanted() -> None:
    """RFC 6749 §2.3.1, `client_secret_post`: one way, never both."""
    async with (
        listening(says(ACTIVE)) as peer,
        opened({"corp": rfc7662(peer.url, client_auth="client_secret_post")}) as corp,
    ):
        await corp.ask()
    (request,) = peer.posts
    assert "authorization" not in request.headers
    form = parse_qs(request.body.decode())
    assert (form["client_id"], form["client_secret"]) == (["gateway"], [SECRET])


async def test_a_token_with_every_character_that_it_may_have_arrives_as_it_is() -> None:
    """RFC 6750 §2.1: `+`, `/`, `=` and `~` are changed by form-encoding."""
    token = "aZ09-._~+/=="
    async with listening(says(ACTIVE)) as peer, opened({"corp": rfc7662(peer.url)}) as corp:
        await corp.ask(token)
    assert parse_qs(peer.posts[0].body.decode())["token"] == [token]


@pytest.mark.parametrize("auth", ["client_secret_basic", "client_secret_post"])
@pytest.mark.parametrize("given", [True, False])
async def test_a_secret_full_of_what_form_encoding_changes_is_understood(
    server: DevelopmentServer,
    auth: str,
    given: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    """RFC 6749 §2.3.1, in both ways; with the endpoint given, and discovered."""
    settings = rfc7662(server.issuer, client_id=AWKWARD_ID, client_auth=auth)
    if not given:
        del settings["introspection_endpoint"]
    configuration = configure({"corp": settings}, secret=AWKWARD_SECRET)
    token = server.mint(client_id="app", subject="alice", audience=("gateway:g/api:a",), scopes=("read",))
    async with opened(configuration, allow_development_issuer=True) as corp:
        told = await corp.ask(token)
        assert isinstance(told.fact, Active)
        assert (told.fact.grant.client_id, told.fact.grant.username) == ("app", "alice")
        assert (await corp.ask("unknown")).fact == Inactive(active=False, claims=("active",))
        server.revoke(token)
        corp.hands.move(300)
        assert isinstance((await corp.ask(token)).fact, Inactive)


async def test_wrong_credentials_of_ours_are_not_a_bad_token(server: DevelopmentServer) -> None:
    """Contract, gateway: the table, 401 to *our* credentials."""
    configuration = configure({"corp": rfc7662(server.issuer, client_id=AWKWARD_ID)}, secret="wrong")
    async with opened(configuration, allow_development_issuer=True) as corp:
        assert (await corp.ask()).fact == Unavailable(cause=Cause.CREDENTIALS, note="status 401")
