"""The judge against `oidc-provider`, a certified authorization server that others wrote, over real HTTP.

What the two agree on here was agreed on by neither: tokens, introspection, revocation and metadata are theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import httpx2
import pytest
from tests.counterparts.judging import judged, reason_of
from tests.counterparts.oidc_provider import API, judging

from ostiary.decision.reasons import Reason
from ostiary.decision.verdict import Allow

if TYPE_CHECKING:
    from tests.counterparts.oidc_provider import Provider

RESOURCE: Final = "https://bkapi.example.com/billing"


@pytest.mark.anyio
@pytest.mark.parametrize("client_auth", ["client_secret_basic", "client_secret_post"])
async def test_a_token_is_vouched_for_whichever_way_we_say_who_we_are(provider: Provider, client_auth: str) -> None:
    """RFC 6749 §2.3.1, RFC 7662 §2.1; the endpoint is discovered (RFC 8414)."""
    async with judging(provider, client_auth=client_auth) as judge:
        decision = await judged(judge, provider.mint())
    assert isinstance(decision.verdict, Allow)
    assert decision.walked is not None
    app, user = decision.walked.exchange.bk_app, decision.walked.exchange.bk_user
    assert app is not None
    assert user is not None
    assert (app.app_code, app.verified, app.issuer) == ("reader", True, provider.issuer)
    assert (user.username, user.verified) == ("", False)  # a machine is not a user (RFC 9068 §2.2)
    assert decision.walked.exchange.audience == (API,)


@pytest.mark.anyio
async def test_an_endpoint_that_is_given_is_asked(provider: Provider) -> None:
    """RFC 7662 §2."""
    async with judging(provider, introspection_endpoint=provider.issuer + "/token/introspection") as judge:
        assert reason_of(await judged(judge, provider.mint())) is None


@pytest.mark.anyio
@pytest.mark.parametrize("client_auth", ["client_secret_basic", "client_secret_post"])
async def test_our_wrong_secret_is_not_the_clients_bad_token(provider: Provider, client_auth: str) -> None:
    """RFC 7662 §2.3; ours: the 401 is about us, so nobody could tell, and the client is not challenged."""
    async with judging(provider, client_auth=client_auth, client_secret={"env": "WRONG"}) as judge:
        decision = await judged(judge, provider.mint())
    assert reason_of(decision) is Reason.AUTHORITY_UNAVAILABLE
    assert decision.refusal is not None
    assert decision.refusal.status == 503
    assert dict(decision.refusal.headers) == {"retry-after": "1"}


@pytest.mark.anyio
async def test_a_token_nobody_issued_is_inactive(provider: Provider) -> None:
    """RFC 7662 §2.2."""
    async with judging(provider) as judge:
        decision = await judged(judge, "x" * 43)
    assert reason_of(decision) is Reason.TOKEN_INACTIVE
    assert decision.refusal is not None
    assert decision.refusal.status == 401


@pytest.mark.anyio
async def test_a_revoked_token_is_inactive(provider: Provider) -> None:
    """RFC 7009 §2.1, RFC 7662 §2.2."""
    token = provider.mint()
    provider.revoke(token)
    async with judging(provider) as judge:
        assert reason_of(await judged(judge, token)) is Reason.TOKEN_INACTIVE


@pytest.mark.anyio
@pytest.mark.requirement("FR-009")
async def test_revocation_is_seen_when_the_remembered_answer_is_no_longer_used(provider: Provider) -> None:
    """002 FR-009: an answer is remembered for at most 300 seconds; so long a revoked token passes, on record."""
    token = provider.mint()
    async with judging(provider) as judge:
        await judged(judge, token)
        provider.revoke(token)
        remembered = await judged(judge, token)
    assert reason_of(remembered) is None
    assert remembered.record is not None
    assert remembered.record.cache == "hit"
    async with judging(provider) as judge:
        assert reason_of(await judged(judge, token)) is Reason.TOKEN_INACTIVE


@pytest.mark.anyio
@pytest.mark.requirement("FR-016", "SC-006")
@pytest.mark.parametrize(
    ("resource", "reason"),
    [
        (API, None),
        ("gateway:my-gateway/api:*", None),
        (RESOURCE, None),
        ("gateway:my-gateway/api:other", Reason.AUDIENCE_GATEWAY_MISMATCH),
        ("mcp:my-server", Reason.AUDIENCE_MCP_WRONG_GATEWAY),
        ("https://elsewhere.example.com/billing", Reason.AUDIENCE_RESOURCE_MISMATCH),
    ],
)
async def test_a_resource_indicator_becomes_the_audience_that_is_judged(
    provider: Provider, resource: str, reason: Reason | None
) -> None:
    """RFC 8707 §2; 002 FR-014..016."""
    async with judging(provider) as judge:
        assert reason_of(await judged(judge, provider.mint(resource=resource))) is reason


def test_the_specs_spelling_of_an_mcp_audience_is_no_resource_indicator(provider: Provider) -> None:
    """RFC 3986 §3.1: no scheme has an underscore, so nobody can ask for `mcp_server:…` by RFC 8707; `mcp:` is fine."""
    with pytest.raises(httpx2.HTTPStatusError) as caught:
        provider.mint(resource="mcp_server:my-server")
    assert caught.value.response.json()["error"] == "invalid_target"


@pytest.mark.anyio
async def test_a_persons_token_names_them_and_lacks_what_was_not_granted(provider: Provider) -> None:
    """RFC 6750 §3.1: `insufficient_scope` names all that is needed. RFC 7662 §2.2 `sub`."""
    async with judging(provider) as judge:
        decision = await judged(judge, provider.user_token, "/personal")
    assert reason_of(decision) is Reason.SCOPE_MISSING
    assert decision.walked is not None
    assert decision.walked.exchange.bk_user is not None
    assert decision.walked.exchange.bk_user.username == "alice"
    assert decision.refusal is not None
    assert 'scope="files.read files.delete"' in dict(decision.refusal.headers)["www-authenticate"]


@pytest.mark.anyio
async def test_a_machines_token_is_no_persons(provider: Provider) -> None:
    """RFC 9068 §2.2."""
    async with judging(provider) as judge:
        assert reason_of(await judged(judge, provider.mint(), "/personal")) is Reason.USER_REQUIRED


@pytest.mark.anyio
async def test_a_refresh_token_opens_nothing(provider: Provider) -> None:
    """RFC 7662 §2.2: this server calls it active and names no `token_type`; it has no audience, and that ends it."""
    async with judging(provider) as judge:
        assert reason_of(await judged(judge, provider.refresh_token)) is Reason.AUDIENCE_EMPTY


@pytest.mark.anyio
async def test_a_provider_at_another_address_than_it_says_is_not_believed(provider: Provider) -> None:
    """RFC 8414 §3.3: the metadata are another issuer's, so there is nobody to ask."""
    async with judging(provider, issuer=provider.issuer.replace("127.0.0.1", "localhost")) as judge:
        assert reason_of(await judged(judge, provider.mint())) is Reason.AUTHORITY_UNAVAILABLE
