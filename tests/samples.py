"""Values that the tests of the pure rooms begin with: a route, a request, a grant. Every field can be given."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ostiary.decision.facts import Door, RequestFacts
from ostiary.decision.routes import Match, McpPaths, Policy, Publication, Route
from ostiary.oauth.credentials import Credentials, Presented, RawToken
from ostiary.oauth.introspection import Grant
from ostiary.oauth.resource import Origin
from ostiary.plugins.chain import DEFAULT_CHAIN
from ostiary.plugins.exchange import begin

if TYPE_CHECKING:
    from ostiary.decision.facts import Headers
    from ostiary.plugins.exchange import Exchange

ORIGIN: Final = "https://bkapi.example.com"
ISSUER: Final = "https://op.example.com"
REFERENCE: Final = "6f1b3c1e-6b0f-4a45-9a35-1f4a1d9c2e11"
NOW: Final = 1_800_000_000.0

PUBLICATION: Final = Publication(
    origin=ORIGIN, challenge_origin=ORIGIN, parsed=Origin(scheme="https", host="bkapi.example.com", port=443)
)
POLICY: Final = Policy(gateway="my-gateway", resource="my-api", authority="corp", issuer=ISSUER, chain=DEFAULT_CHAIN)
ROUTE: Final = Route(name="billing", match=Match(path="/billing"), policy=POLICY, publication=PUBLICATION)
MCP_ROUTE: Final = replace(
    ROUTE,
    match=Match(path="/prod/api/v2/mcp-servers"),
    policy=replace(POLICY, gateway="bk-apigateway", resource="mcp-proxy", mcp_paths=McpPaths()),
)

GRANT: Final = Grant(
    issuer=ISSUER,
    client_id="reader",
    subject="alice",
    app_code="reader",
    username="alice",
    audience=("gateway:my-gateway/api:my-api",),
    expires_at=NOW + 600,
)

BEARER: Final = Credentials(presented=Presented.BEARER, bearer=RawToken("a-token"))


def facts(path: str = "/billing", headers: Headers = ()) -> RequestFacts:
    """A request, as a door would hand it over."""
    return RequestFacts(
        door=Door.CLI, reference=REFERENCE, method="GET", host="bkapi.example.com", path=path, headers=headers
    )


def exchange(route: Route = ROUTE, *, path: str = "/billing", credentials: Credentials = BEARER) -> Exchange:
    """An exchange as the first plugin gets it."""
    return begin(facts(path), credentials, route, NOW)
