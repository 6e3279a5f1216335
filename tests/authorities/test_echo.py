"""An authority that repeats the token that it is asked about, wherever an answer has a place for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from tests.authorities.peer import TOKEN, active, bkauth, listening, opened, rfc7662, says

from ostiary.oauth.introspection import Active, ClaimFault, Inactive

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.oauth.json import JsonValue

pytestmark = pytest.mark.anyio

WITHIN: Final = f"a{TOKEN}z"
REFUSED: Final[Mapping[str, tuple[dict[str, JsonValue], ClaimFault]]] = {
    "client": (active(client_id=TOKEN), ClaimFault.CLAIMS),
    "within the client": (active(client_id=WITHIN), ClaimFault.CLAIMS),
    "subject": (active(sub=TOKEN), ClaimFault.CLAIMS),
    "BlueKing's app": (active(bk_app_code=TOKEN), ClaimFault.CLAIMS),
    "BlueKing's user": (active(bk_username=TOKEN), ClaimFault.CLAIMS),
    "scope": (active(scope=f"read {TOKEN}"), ClaimFault.CLAIMS),
    "the only audience": (active(aud=TOKEN), ClaimFault.CLAIMS),
    "within an audience": (active(aud=["gateway:g/api:a", f"gateway:{TOKEN}/api:*"]), ClaimFault.CLAIMS),
    "type": (active(token_type=TOKEN), ClaimFault.TYPE),
    "type's use": (active(token_use=TOKEN), ClaimFault.TYPE),
    "issuer": (active(iss=TOKEN), ClaimFault.ISSUER),
    "a claim and a name": (active(client_id=TOKEN) | {WITHIN: 1}, ClaimFault.CLAIMS),
    "the name of a bad answer": (active(exp="soon") | {TOKEN: 1}, ClaimFault.CLAIMS),
}


@pytest.mark.parametrize("row", REFUSED)
async def test_a_token_in_a_claim_is_a_bad_claim(row: str) -> None:
    """`operator.md`: never a token. What is remembered of it has none either."""
    answer, fault = REFUSED[row]
    async with listening(says(answer)) as peer, opened({"corp": bkauth(peer.url)}) as corp:
        told = await corp.ask()
        recalled = corp.recall()

    assert isinstance(told.fact, Inactive)
    assert (told.fact.active, told.fact.fault) == (True, fault)
    assert "client_id" in told.fact.claims
    assert TOKEN not in repr((told, recalled))


@pytest.mark.parametrize("member", ["bk_app_code", "bk_username", "audience"])
async def test_a_token_in_a_verification_is_a_bad_claim(member: str) -> None:
    """The same, in the other shape."""
    data: dict[str, JsonValue] = {"bk_app_code": "app", "bk_username": "alice", "audience": ["gateway:g/api:a"]}
    data[member] = [TOKEN] if member == "audience" else TOKEN
    async with listening(says({"data": data})) as peer:
        settings = bkauth(peer.url, shape="verify_oauth2_access_token", require_exp=False)
        async with opened({"corp": settings}) as corp:
            told = await corp.ask()

    assert isinstance(told.fact, Inactive)
    assert told.fact.fault is ClaimFault.CLAIMS
    assert TOKEN not in repr(told)


@pytest.mark.parametrize("is_active", [True, False])
async def test_a_member_s_name_with_the_token_is_left_out(*, is_active: bool) -> None:
    """`operator.md`: the answer's claim names, never a token. Nobody judges by a name."""
    answer = active(active=is_active) | {TOKEN: 1, WITHIN: 2}
    async with listening(says(answer)) as peer, opened({"corp": rfc7662(peer.url)}) as corp:
        told = await corp.ask()

    assert isinstance(told.fact, Active if is_active else Inactive)
    claims = told.fact.grant.claims if isinstance(told.fact, Active) else told.fact.claims
    assert claims == tuple(sorted(active()))
    assert TOKEN not in repr(told)
