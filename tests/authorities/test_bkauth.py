"""bkauth on the wire, in both shapes. What it answers is facts C4 of the reference."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.authorities.peer import NOW, SECRET, TOKEN, bkauth, configure, listening, opened, says

from ostiary.oauth.introspection import Active, Cause, ClaimFault, Inactive, Unavailable

if TYPE_CHECKING:
    from ostiary.oauth.json import JsonValue

pytestmark = pytest.mark.anyio

_YES: dict[str, JsonValue] = {
    "active": True,
    "username": "Alice",
    "sub": "alice",
    "exp": int(NOW) + 7200,
    "aud": ["gateway:g", "mcp:weather"],
    "client_id": "app",
    "bk_app_code": "app",
    "tenant_id": "default",
    "error": {"code": "", "message": ""},
}
_NO: dict[str, JsonValue] = {
    "active": False,
    "username": "",
    "sub": "",
    "exp": 0,
    "aud": [],
    "client_id": "",
    "bk_app_code": "",
    "tenant_id": "",
    "error": {"code": "invalid_token", "message": "the access token provided is not found"},
}


@pytest.mark.requirement("FR-008")
async def test_the_question_is_json_with_an_app_in_headers_and_the_reference() -> None:
    """Contract, gateway: `bkauth`; 002 FR-008."""
    async with listening(says(_YES)) as peer, opened({"corp": bkauth(peer.url + "/api/")}) as corp:
        await corp.ask()
    (request,) = peer.posts
    assert request.target == "/api/realms/blueking/oauth2/introspect"
    assert json.loads(request.body) == {"token": TOKEN}
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-bk-app-code"] == "bk_apigateway"
    assert request.headers["x-bk-app-secret"] == SECRET
    assert request.headers["x-request-id"] == "ref-1"


async def test_a_secret_outside_ascii_is_sent_as_utf_8() -> None:
    """RFC 9110 §5.5: obs-text."""
    configuration_secret = "clé"
    async with listening(says(_YES)) as peer:
        async with opened(configure({"corp": bkauth(peer.url, realm="devops")}, secret=configuration_secret)) as corp:
            await corp.ask()
        (request,) = peer.posts
        assert request.target == "/realms/devops/oauth2/introspect"
        assert request.headers["x-bk-app-secret"].encode("latin-1").decode() == configuration_secret


async def test_its_answer_names_app_and_user_by_its_own_claims() -> None:
    """Contract, gateway: app code and username."""
    async with listening(says(_YES)) as peer, opened({"corp": bkauth(peer.url)}) as corp:
        told = await corp.ask()
    assert isinstance(told.fact, Active)
    grant = told.fact.grant
    assert (grant.app_code, grant.username, grant.client_id, grant.subject) == ("app", "alice", "app", "alice")
    assert (grant.audience, grant.expires_at) == (("gateway:g", "mcp:weather"), NOW + 7200)


async def test_its_no_is_a_no_and_its_refusal_of_us_is_not() -> None:
    """Contract, gateway: the table; facts C4: the caller is authenticated first."""
    async with listening(says(_NO)) as peer, opened({"corp": bkauth(peer.url)}) as corp:
        fact = (await corp.ask()).fact
        assert isinstance(fact, Inactive)
        assert fact.fault is None
    refused: dict[str, JsonValue] = {"error": "access_denied"}
    async with listening(says(refused, status=403)) as peer, opened({"corp": bkauth(peer.url)}) as corp:
        assert (await corp.ask()).fact == Unavailable(cause=Cause.CREDENTIALS, note="status 403")


@pytest.mark.requirement("FR-008")
@pytest.mark.parametrize(
    ("answer", "username"),
    [
        ({"data": {"bk_app_code": "app", "bk_username": "alice", "audience": ["gateway:g/api:a"]}}, "alice"),
        ({"data": {"bk_app_code": "app", "bk_username": "", "audience": ["gateway:g/api:a"]}}, None),
        ({"code": 0, "data": {"bk_app_code": "app", "bk_username": "b", "audience": ["gateway:g/api:a"]}}, "b"),
    ],
)
async def test_the_specs_shape_is_understood_and_needs_no_exp(
    answer: dict[str, JsonValue], username: str | None
) -> None:
    """002 FR-008: `verify_oauth2_access_token`."""
    async with (
        listening(says(answer)) as peer,
        opened({"corp": bkauth(peer.url, shape="verify_oauth2_access_token")}) as corp,
    ):
        told = await corp.ask()
        assert isinstance(told.fact, Active)
        grant = told.fact.grant
        assert (grant.app_code, grant.username, grant.audience) == ("app", username, ("gateway:g/api:a",))
        corp.hands.move(299.9)
        assert corp.recall() is not None
        corp.hands.move(0.1)
        assert corp.recall() is None


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ({"data": None}, None),
        ({"result": False, "data": {"bk_app_code": "app"}}, None),
        ({"active": True, "client_id": "app"}, None),
        ({"data": "app"}, ClaimFault.CLAIMS),
        ({"data": {"bk_app_code": 7}}, ClaimFault.CLAIMS),
        ({"data": {"bk_app_code": "app", "audience": {}}}, ClaimFault.CLAIMS),
    ],
)
async def test_the_specs_shape_has_a_no_as_well(answer: dict[str, JsonValue], fault: ClaimFault | None) -> None:
    """Ours: the other shape is not mistaken for it."""
    async with (
        listening(says(answer)) as peer,
        opened({"corp": bkauth(peer.url, shape="verify_oauth2_access_token")}) as corp,
    ):
        fact = (await corp.ask()).fact
        assert isinstance(fact, Inactive)
        assert fact.fault is fault
