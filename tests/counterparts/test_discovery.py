"""Where the metadata of a certified authorization server are found: at it, and behind a site of pages for people."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.counterparts.judging import judged, reason_of
from tests.counterparts.oidc_provider import judging

from ostiary.decision.reasons import Reason

if TYPE_CHECKING:
    from tests.counterparts.oidc_provider import Provider

pytestmark = pytest.mark.anyio


def _at(provider: Provider, path: str) -> Provider:
    return replace(provider, issuer=provider.site + path)


@pytest.mark.parametrize(
    ("path", "client_auth"),
    [
        ("/first", "client_secret_basic"),  # before the path; behind it there is nothing
        ("", "client_secret_basic"),  # HTML with status 200 at the first location, of an issuer without a path
        ("/html", "client_secret_basic"),
        ("/html", "client_secret_post"),
        ("/missing", "client_secret_basic"),
        ("/moved", "client_secret_basic"),  # to another issuer's metadata, which nobody reads
    ],
)
async def test_metadata_are_found_at_the_first_location_or_the_second(
    provider: Provider, path: str, client_auth: str
) -> None:
    """RFC 8414 §3.1, §5; gateway.md: what is not the document at the first goes on to the second."""
    tenant = _at(provider, path)
    async with judging(tenant, client_auth=client_auth) as judge:
        decision = await judged(judge, tenant.mint())
    assert reason_of(decision) is None
    assert decision.walked is not None
    assert decision.walked.exchange.bk_app is not None
    assert decision.walked.exchange.bk_app.issuer == tenant.issuer


@pytest.mark.parametrize("path", ["/nowhere", "/away"])
async def test_pages_or_redirects_at_both_locations_are_could_not_tell(provider: Provider, path: str) -> None:
    """gateway.md: could not tell, and redirects are not followed, though this one leads to metadata that would do."""
    tenant = _at(provider, path)
    async with judging(tenant) as judge:
        decision = await judged(judge, tenant.mint())
    assert reason_of(decision) is Reason.AUTHORITY_UNAVAILABLE
    assert decision.refusal is not None
    assert decision.refusal.status == 503
    assert dict(decision.refusal.headers) == {"retry-after": "1"}
