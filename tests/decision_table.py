"""The decision table: one list of requests and what each comes to, run over every door.

Data alone. A row says what a token *is*; how it is minted, and how the request travels, is the runner's: the chain with
facts made from the description, Guard, the decision service, the real Envoy.
"""

from __future__ import annotations

from typing import Final

from tests.decision_row import BEARER, LEGACY, PUBLIC_URL, ROUTES, Headers, Row, Token, TokenState

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def _row(
    name: str,
    route: str,
    expected: str,
    below: str = "",
    *,
    token: Token | None = None,
    headers: Headers = BEARER,
    method: str = "GET",
    shows: str = "",
    both_present: str = "legacy",
    chain_only: str | None = None,
) -> Row:
    """A row; `expected` is `200`, or a status and a reason."""
    status, _, reason = expected.partition(" ")
    return Row(
        name=name,
        route=route,
        path=_path(route) + below,
        method=method,
        headers=headers,
        token=token or Token(),
        verdict={"200": "allow", "503": "unavailable"}.get(status, "deny"),
        reason=reason or None,
        status=int(status),
        requirements=tuple(shows.split()),
        both_present=both_present,
        chain_only=chain_only,
    )


def _path(route: str) -> str:
    match = ROUTES[route]["match"]
    assert isinstance(match, dict)
    path = match["path"]
    assert isinstance(path, str)
    return path


def _for(*audience: str) -> Token:
    return Token(audience=audience)


_DETECTION: Final = (
    _row("no credentials at all", "plain", "401 credentials-missing", headers=(), shows="US1-3 FR-004 SC-004 SC-007"),
    _row(
        "no credentials below a path that needs escaping",
        "plain",
        "401 credentials-missing",
        "/a%20b/~c;d=1",
        headers=(),
        shows="FR-004 SC-004",
    ),
    *(
        _row(
            f"no credentials of a {method}",
            "plain",
            "401 credentials-missing",
            method=method,
            headers=(),
            shows="FR-004",
        )
        for method in _METHODS
    ),
    _row("no credentials where the metadata location is inserted", "inserted", "401 credentials-missing", headers=()),
    _row("no credentials under generic disclosure", "generic", "401 credentials-missing", headers=()),
    _row(
        "another scheme",
        "plain",
        "401 credentials-missing",
        headers=(("Authorization", "Basic {token}"),),
        shows="US1-3 SC-004",
    ),
    _row(
        "bearer with nothing behind it",
        "plain",
        "401 credentials-missing",
        headers=(("Authorization", "Bearer "),),
        shows="US1-3 SC-004",
    ),
    _row(
        "a token in a header of its own is not read",
        "plain",
        "401 credentials-missing",
        headers=(("X-Access-Token", "{token}"),),
    ),
    _row("a good token", "plain", "200", shows="US1-2 US2-1 US2-2 FR-003 FR-008 SC-002"),
    _row(
        "the scheme in lower case and three spaces",
        "plain",
        "200",
        headers=(("Authorization", "bearer   {token}"),),
        shows="FR-003 SC-002",
    ),
    _row("a good token of a POST below the route", "plain", "200", "/deep/er", method="POST", shows="US1-2 SC-002"),
    _row(
        "a legacy header that is empty counts as absent",
        "plain",
        "200",
        headers=(("X-Bkapi-Authorization", ""), *BEARER),
        shows="FR-002 FR-003",
    ),
    _row(
        "legacy credentials where nobody would judge them",
        "plain",
        "400 legacy-not-accepted",
        headers=LEGACY,
        shows="US1-1 FR-002 SC-001",
    ),
    _row(
        "legacy credentials beside a good token win",
        "plain",
        "400 legacy-not-accepted",
        headers=(*BEARER, *LEGACY),
        shows="edge-1 FR-002 SC-001",
    ),
    _row(
        "legacy credentials on an MCP route", "step-up", "400 legacy-not-accepted", headers=LEGACY, shows="US1-1 SC-001"
    ),
    _row(
        "both kinds where the operator refuses that",
        "plain",
        "400 credentials-conflict",
        headers=(*BEARER, *LEGACY),
        both_present="refuse",
    ),
    _row("two legacy headers", "plain", "400 credentials-malformed", headers=(*LEGACY, *LEGACY)),
    _row(
        "two legacy headers, one empty",
        "plain",
        "400 credentials-malformed",
        headers=(*LEGACY, ("X-Bkapi-Authorization", "")),
    ),
    _row("two bearer headers", "plain", "400 credentials-malformed", headers=(*BEARER, *BEARER)),
    _row(
        "bearer and another scheme, joined with a comma",
        "plain",
        "400 credentials-malformed",
        headers=(("Authorization", "DPoP x, Bearer {token}"),),
    ),
    _row(
        "a comma behind the token",
        "plain",
        "400 credentials-malformed",
        headers=(("Authorization", "Bearer {token},"),),
    ),
)

_VERIFICATION: Final = (
    _row(
        "a malformed token",
        "plain",
        "401 token-format",
        token=Token(state=TokenState.MALFORMED, malformed="what is this?"),
        shows="edge-2 US2-4 SC-007",
    ),
    _row(
        "a token over 8 KiB",
        "plain",
        "401 token-format",
        token=Token(state=TokenState.MALFORMED, malformed="a" * (8 * 1024 + 1)),
        shows="edge-2",
    ),
    _row(
        "an unknown token", "plain", "401 token-inactive", token=Token(state=TokenState.UNKNOWN), shows="US2-4 SC-007"
    ),
    _row(
        "an unknown token under generic disclosure",
        "generic",
        "401 token-inactive",
        token=Token(state=TokenState.UNKNOWN),
    ),
    _row("an expired token", "plain", "401 token-inactive", token=Token(state=TokenState.EXPIRED), shows="US2-4"),
    _row("a revoked token", "plain", "401 token-inactive", token=Token(state=TokenState.REVOKED), shows="US2-4"),
    _row(
        "an answer whose exp has passed",
        "plain",
        "401 token-expired",
        token=Token(claims_from_now={"exp": -10}),
        shows="US2-4",
    ),
    _row("a token for tomorrow", "plain", "401 token-not-yet-valid", token=Token(claims_from_now={"nbf": 86_400})),
    _row("an answer without exp", "plain", "401 token-no-expiry", token=Token(lifetime_seconds=None)),
    _row("active as text", "plain", "401 token-claims", token=Token(claims={"active": "true"})),
    _row("an audience that is an object", "plain", "401 token-claims", token=Token(claims={"aud": {"a": "b"}})),
    _row(
        "another issuer's token", "plain", "401 token-issuer", token=Token(claims={"iss": "https://evil.example.com"})
    ),
    _row("a refresh token", "plain", "401 token-type", token=Token(claims={"token_type": "refresh_token"})),
    _row("a token bound to a key", "plain", "401 token-bound", token=Token(claims={"cnf": {"jkt": "x"}})),
    _row("an authority that is away", "away", "503 authority-unavailable", shows="edge-3 SC-007"),
    _row(
        "an authority that is asked too much",
        "busy",
        "503 authority-overloaded",
        chain_only="it takes a thousand questions that wait",
    ),
    _row("nobody to ask", "unasked", "403 policy-empty", chain_only="`check` refuses a route without an authority"),
    _row("a plugin that raises", "broken", "503 plugin-failed", chain_only="the plugin is the runner's"),
    _row("a token that names no app", "plain", "403 app-required", token=Token(client="")),
    _row("a token of a machine", "plain", "403 user-required", token=Token(subject=None)),
    _row("a machine that names itself", "plain", "403 user-required", token=Token(subject="reader")),
    _row("a machine where no user is required", "machine", "200", token=Token(subject=None), shows="US2-2"),
    _row("a token of nobody where nobody is required", "nobody", "200", token=Token(client="", subject=None)),
    _row(
        "a token of nobody is still judged by audience",
        "nobody",
        "403 audience-gateway-mismatch",
        token=Token(client="", subject=None, audience=("gateway:other/api:*",)),
    ),
    _row("all scopes and one more", "scoped", "200", token=Token(scopes=("files.delete", "openid", "files.read"))),
    _row("one scope of two", "scoped", "403 scope-missing", token=Token(scopes=("files.read",)), shows="SC-007"),
    _row("a scope in another case", "scoped", "403 scope-missing", token=Token(scopes=("Files.read", "files.delete"))),
)

_AUDIENCE: Final = (
    _row(
        "the gateway's api",
        "plain",
        "200",
        token=_for("gateway:my-gateway/api:my-api"),
        shows="US4-1 FR-014 FR-016 SC-006",
    ),
    _row(
        "every api of the gateway",
        "plain",
        "200",
        token=_for("gateway:my-gateway/api:*"),
        shows="US4-2 FR-014 FR-016 SC-006",
    ),
    _row("the other spelling of the same", "plain", "200", token=_for("gateway:my-gateway:api:my-api")),
    _row("an audience that is one text", "plain", "200", token=Token(claims={"aud": "gateway:my-gateway/api:my-api"})),
    _row(
        "another gateway",
        "plain",
        "403 audience-gateway-mismatch",
        token=_for("gateway:my-gateway2/api:*", "gateway:my/api:my-api"),
        shows="US4-3 FR-016 FR-017 SC-006 SC-007",
    ),
    _row(
        "another api of the gateway",
        "plain",
        "403 audience-gateway-mismatch",
        token=_for("gateway:my-gateway/api:my-api-2"),
        shows="US4-3 FR-016 FR-017 SC-006",
    ),
    _row(
        "a star as the name of a gateway",
        "plain",
        "403 audience-gateway-mismatch",
        token=_for("gateway:*/api:*"),
        shows="SC-006",
    ),
    _row("names in another case", "plain", "403 audience-gateway-mismatch", token=_for("gateway:My-Gateway/api:*")),
    _row("no audience", "plain", "403 audience-empty", token=_for(), shows="US4-4 FR-013 SC-007"),
    _row(
        "an empty list of audiences",
        "plain",
        "403 audience-empty",
        token=Token(claims={"aud": []}),
        shows="US4-4 FR-013",
    ),
    _row("an audience that is null", "plain", "403 audience-empty", token=Token(claims={"aud": None}), shows="FR-013"),
    _row(
        "forms that nobody knows", "plain", "403 audience-unrecognised", token=_for("my-api", "*", ""), shows="FR-017"
    ),
    _row(
        "the bare form where it is not accepted", "plain", "403 audience-unrecognised", token=_for("gateway:my-gateway")
    ),
    _row("the bare form where it is accepted", "bare", "200", token=_for("gateway:my-gateway")),
    _row(
        "a match behind 150 others",
        "plain",
        "200",
        token=_for(*(f"gateway:g{number}/api:*" for number in range(150)), "gateway:my-gateway/api:*"),
        shows="edge-6",
    ),
    _row(
        "over 10,000 entries",
        "plain",
        "403 audience-too-many",
        token=_for(*["gateway:my-gateway/api:*"] * 10_001),
        shows="edge-6",
    ),
    _row(
        "a resource above the request", "resource", "200", "/a", token=_for(PUBLIC_URL + "/my-gateway/prod/resource/")
    ),
    _row(
        "a resource in another case, with its port",
        "resource",
        "200",
        token=_for("HTTPS://BKAPI.example.com:443/my-gateway/prod/resource"),
    ),
    _row(
        "a resource above the route",
        "resource",
        "403 audience-resource-mismatch",
        token=_for(PUBLIC_URL + "/my-gateway", PUBLIC_URL + "/my-gateway/prod/resourc"),
    ),
    _row(
        "a resource of another origin",
        "resource",
        "403 audience-resource-mismatch",
        token=_for("https://bkapi.example.com.evil.example/my-gateway/prod/resource"),
    ),
    _row(
        "a resource where the route reads none",
        "plain",
        "403 audience-unrecognised",
        token=_for(PUBLIC_URL + "/my-gateway/prod/plain"),
    ),
)

_MCP: Final = (
    _row(
        "the server in the path",
        "servers",
        "200",
        "/my-server/sse",
        token=_for("mcp_server:my-server"),
        shows="US3-1 FR-014 FR-015 SC-005",
    ),
    _row("the server's path alone", "servers", "200", "/my-server", token=_for("mcp_server:my-server"), shows="SC-005"),
    _row("the short spelling", "servers", "200", "/my-server/", token=_for("mcp:my-server")),
    _row("a name with a space in it", "servers", "200", "/my%20server/mcp", token=_for("mcp_server:my server")),
    _row(
        "another server",
        "servers",
        "403 audience-mcp-mismatch",
        "/server-b/sse",
        token=_for("mcp_server:server-a"),
        shows="US3-3 FR-015 FR-017 SC-005 SC-007",
    ),
    _row(
        "a server's name a second time, further right",
        "servers",
        "403 audience-mcp-mismatch",
        "/server-a/prod/api/v2/mcp-servers/server-b",
        token=_for("mcp_server:server-b"),
        shows="SC-005",
    ),
    _row(
        "an MCP path that does not begin at the first byte",
        "deeper",
        "403 audience-mcp-no-path",
        "/prod/api/v2/mcp-servers/server-b/x",
        token=_for("mcp_server:server-b"),
        shows="edge-5 SC-005",
    ),
    _row("a star is no name", "servers", "403 audience-mcp-mismatch", "/server-b/x", token=_for("mcp_server:*")),
    _row(
        "an MCP audience on another gateway",
        "elsewhere",
        "403 audience-mcp-wrong-gateway",
        "/my-server/x",
        token=_for("mcp_server:my-server"),
        shows="US3-2 FR-015 FR-017 SC-005",
    ),
    _row(
        "an MCP audience and no MCP path",
        "beside",
        "403 audience-mcp-no-path",
        token=_for("mcp_server:my-server"),
        shows="edge-5 FR-017",
    ),
    _row(
        "a gateway audience and no MCP path",
        "beside",
        "200",
        token=_for("mcp_server:my-server", "gateway:bk-apigateway/api:stages"),
        shows="edge-4 edge-5",
    ),
    _row(
        "both kinds, the server matches",
        "servers",
        "200",
        "/my-server/x",
        token=_for("gateway:other/api:*", "mcp_server:my-server"),
        shows="edge-4",
    ),
    _row(
        "both kinds, the gateway matches",
        "servers",
        "200",
        "/my-server/x",
        token=_for("mcp_server:other", "gateway:bk-apigateway/api:*"),
        shows="edge-4 FR-016",
    ),
    _row(
        "both kinds on another gateway",
        "plain",
        "200",
        token=_for("mcp_server:my-server", "gateway:my-gateway/api:my-api"),
        shows="edge-4",
    ),
    _row(
        "both kinds, neither matches",
        "servers",
        "403 audience-mcp-mismatch",
        "/my-server/x",
        token=_for("mcp_server:other", "gateway:other/api:*"),
        shows="edge-4",
    ),
    _row(
        "a gateway audience where only servers count",
        "servers-only",
        "403 audience-unrecognised",
        token=_for("gateway:bk-apigateway/api:*"),
    ),
    _row("a server where only servers count", "servers-only", "200", token=_for("mcp_server:narrow")),
    _row(
        "another server where only servers count",
        "servers-only",
        "403 audience-mcp-mismatch",
        token=_for("mcp_server:wide", "gateway:bk-apigateway/api:*"),
    ),
    _row(
        "a resource where of the two kinds only servers count",
        "servers-only",
        "200",
        token=_for(PUBLIC_URL + "/prod/api/v2/mcp-servers/narrow"),
    ),
    _row(
        "the server in the path where only gateways count",
        "gateways-only",
        "403 audience-unrecognised",
        token=_for("mcp_server:wide"),
    ),
    _row("a gateway where only gateways count", "gateways-only", "200", token=_for("gateway:bk-apigateway/api:*")),
    _row(
        "an MCP route by its resource",
        "step-up",
        "200",
        "/mcp",
        token=Token(audience=(PUBLIC_URL + "/prod/api/v2/mcp-servers/step-up",), scopes=("tools.call",)),
    ),
    _row(
        "an MCP route by the resource above every server",
        "step-up",
        "403 audience-resource-mismatch",
        token=Token(audience=(PUBLIC_URL + "/prod/api/v2/mcp-servers",), scopes=("tools.call",)),
    ),
    _row(
        "an MCP route below its server by the server's resource",
        "endpoint",
        "200",
        token=_for(PUBLIC_URL + "/prod/api/v2/mcp-servers/my"),
    ),
    _row(
        "an MCP route below its server by the resource of another",
        "endpoint",
        "403 audience-resource-mismatch",
        token=_for(PUBLIC_URL + "/prod/api/v2/mcp-servers/m", PUBLIC_URL + "/prod/api/v2/mcp-servers/my/sse"),
    ),
    _row("an MCP route without credentials", "step-up", "401 credentials-missing", headers=()),
    _row("an MCP route without its scope", "step-up", "403 scope-missing", token=_for("mcp_server:step-up")),
    _row("an MCP route with a wrong audience", "step-up", "403 audience-mcp-mismatch", token=_for("mcp_server:other")),
)

ROWS: Final = _DETECTION + _VERIFICATION + _AUDIENCE + _MCP
