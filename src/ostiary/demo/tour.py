"""The tour as data: what is asked, with which credentials, and what it must come to.

Every user story and edge case of spec 002 has at least one visit; a test holds it to that. The routes are those of
`demo.configuration`.
"""

from __future__ import annotations

from typing import Final

from ostiary.demo.visit import Chapter, Fate, Headers, Incident, Token, Visit

_ORDERS: Final = "GET /shop/prod/orders"
_MCP: Final = "POST /prod/api/v2/mcp-servers/calc/mcp"
_BEARER: Final[Headers] = (("Authorization", "Bearer {token}"),)
_LEGACY: Final[Headers] = (("X-Bkapi-Authorization", '{"bk_app_code": "reader", "bk_app_secret": "made-up"}'),)
_INITIALIZE: Final = (
    b'{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18",'
    b' "capabilities": {}, "clientInfo": {"name": "ostiary-demo", "version": "1"}}}'
)
_JSON_RPC: Final[Headers] = (
    ("Content-Type", "application/json"),
    ("Accept", "application/json, text/event-stream"),
)

_METADATA: Final = "{origin}/.well-known/oauth-protected-resource"
_CHALLENGE: Final = f'Bearer resource_metadata="{_METADATA}?resource=%2Fshop%2Fprod%2Forders"'
_INVALID_TOKEN: Final = f'{_CHALLENGE}, error="invalid_token", error_description="invalid token"'
_WHOLE_CHAIN: Final = (
    "bk-oauth2-protected-resource bk-oauth2-verify bk-auth-validate"
    " bk-oauth2-audience-validate bk-oauth2-scope-validate"
)
_DETECTION_ALONE: Final = "bk-oauth2-protected-resource"
_NO_CREDENTIALS_UPSTREAM: Final = {
    "upstream header authorization": None,
    "upstream header x-bkapi-authorization": None,
}


def _visit(
    title: str,
    request: str,
    expected: str,
    *,
    token: Token | None = None,
    headers: Headers | None = None,
    body: bytes = b"",
    facts: dict[str, str | None] | None = None,
    shows: str = "",
    before: Incident | None = None,
    patience_seconds: float = 0.0,
    unjudged: str = "",
    quoted: str | None = None,
) -> Visit:
    """A row. `request` is `METHOD TARGET`; `expected` is `STATUS`, `STATUS REASON` or `STATUS REASON: WHAT IT SAYS`."""
    method, _, target = request.partition(" ")
    status, _, rest = expected.partition(" ")
    reason, _, says = rest.partition(": ")
    wanted: dict[str, str | None] = {"status": status}
    if not unjudged:
        wanted |= {"reason": reason or None, "says": says or None}
    return Visit(
        title=title,
        method=method,
        target=target,
        headers=headers if headers is not None else _BEARER if token is not None else (),
        body=body,
        token=token,
        expected=wanted | (facts or {}),
        shows=tuple(shows.split()),
        before=before,
        patience_seconds=patience_seconds,
        unjudged=unjudged,
        quoted=quoted,
    )


def _for(*audience: str, fresh: str = "") -> Token:
    return Token(audience=audience, fresh=fresh)


_ORDERS_API: Final = "gateway:shop/api:orders"
_READER: Final = _for(_ORDERS_API)
_CALC: Final = _for("mcp_server:calc")
_ALICE: Final = Token(subject="alice", audience=("gateway:shop/api:*",))

_DETECTION: Final = Chapter(
    title="US1  Detection",
    question="Which way a request takes.",
    visits=(
        _visit(
            "No credentials",
            _ORDERS,
            "401 credentials-missing: no valid authentication header found",
            facts={"header www-authenticate": _CHALLENGE, "steps": _DETECTION_ALONE, "upstream": None},
            shows="US1-3 FR-004 SC-004 SC-007",
            quoted="www-authenticate",
        ),
        _visit(
            "The challenge escapes the whole path",
            "GET /shop/prod/orders/a%20b/~c?d=e",
            "401 credentials-missing: no valid authentication header found",
            facts={
                "header www-authenticate": f"Bearer resource_metadata="
                f'"{_METADATA}?resource=%2Fshop%2Fprod%2Forders%2Fa%2520b%2F~c"'
            },
            shows="US1-3 FR-004 SC-004",
        ),
        _visit(
            "Another scheme",
            _ORDERS,
            "401 credentials-missing: no valid authentication header found",
            headers=(("Authorization", "Basic cmVhZGVyOm1hZGUtdXA="),),
            facts={"header www-authenticate": _CHALLENGE},
            shows="US1-3 SC-004",
        ),
        _visit(
            "A bearer token",
            _ORDERS,
            "200",
            token=_READER,
            facts={"upstream": "orders", "steps": _WHOLE_CHAIN, "cache": "miss", "asked": "1"},
            shows="US1-2 US2-1 US2-5 FR-001 FR-003 FR-005 FR-007 FR-008 FR-011 SC-002",
        ),
        _visit(
            "Legacy credentials, where nobody judges them",
            _ORDERS,
            "400 legacy-not-accepted: legacy credentials are not accepted here",
            headers=_LEGACY,
            facts={"header www-authenticate": None, "steps": _DETECTION_ALONE, "asked": "0"},
            shows="US1-1 US2-3 FR-002 FR-006 FR-012 SC-001",
        ),
        _visit(
            "Legacy and bearer: legacy wins",
            _ORDERS,
            "400 legacy-not-accepted: legacy credentials are not accepted here",
            token=_READER,
            headers=_LEGACY + _BEARER,
            facts={"steps": _DETECTION_ALONE, "asked": "0"},
            shows="edge-1 US1-1 FR-002 SC-001",
        ),
        _visit(
            "Two credentials in one request",
            _ORDERS,
            "400 credentials-malformed: malformed credentials",
            token=_READER,
            headers=(*_BEARER, ("Authorization", "Basic cmVhZGVyOm1hZGUtdXA=")),
            facts={"steps": _DETECTION_ALONE, "asked": "0"},
        ),
    ),
)

_VERIFICATION: Final = Chapter(
    title="US2  Verification",
    question="Is the token good? Yes, no, or: could not tell.",
    visits=(
        _visit(
            "The same token again: remembered",
            _ORDERS,
            "200",
            token=_READER,
            facts={"cache": "hit", "asked": "0"},
            shows="US2-1 FR-009",
        ),
        _visit(
            "A user's token",
            "GET /shop/prod/profile",
            "200",
            token=_ALICE,
            facts={"upstream": "orders", "cache": "miss", **_NO_CREDENTIALS_UPSTREAM},
            shows="US2-2 FR-010",
        ),
        _visit(
            "A machine's token, where a user is demanded",
            "GET /shop/prod/profile",
            "403 user-required: token names no user",
            token=_for("gateway:shop/api:profile"),
            shows="US2-2 FR-010 SC-007",
        ),
        _visit(
            "What cannot be a token",
            _ORDERS,
            "401 token-format: invalid token format",
            headers=(("Authorization", "Bearer {not a token}"),),
            facts={
                "header www-authenticate": f'{_CHALLENGE}, error="invalid_token",'
                f' error_description="invalid token format"',
                "asked": "0",
            },
            shows="edge-2 US2-4 SC-007",
        ),
        _visit(
            "A token that nobody issued",
            _ORDERS,
            "401 token-inactive: invalid token",
            token=Token(fate=Fate.UNKNOWN),
            facts={"header www-authenticate": _INVALID_TOKEN, "asked": "1"},
            shows="US2-4 SC-007",
            quoted="www-authenticate",
        ),
        _visit(
            "A revoked token",
            _ORDERS,
            "401 token-inactive: invalid token",
            token=Token(audience=(_ORDERS_API,), fate=Fate.REVOKED),
            facts={"header www-authenticate": _INVALID_TOKEN},
            shows="US2-4",
        ),
        _visit(
            "An expired token",
            _ORDERS,
            "401 token-inactive: invalid token",
            token=Token(audience=(_ORDERS_API,), lifetime_seconds=-60),
            facts={"header www-authenticate": _INVALID_TOKEN},
            shows="US2-4",
        ),
        _visit(
            "Expired, and the server calls it active",
            _ORDERS,
            "401 token-expired: token expired",
            token=Token(audience=(_ORDERS_API,), claimed_seconds=-60),
            shows="US2-4 SC-007",
        ),
        _visit(
            "A new token, and nobody to ask",
            _ORDERS,
            "503 authority-unavailable: authorization server unavailable",
            token=_for(_ORDERS_API, fresh="while it is down"),
            before=Incident.STOPS,
            facts={"header retry-after": "1", "header www-authenticate": None, "verdict": "unavailable", "asked": "0"},
            shows="edge-3 SC-007",
            quoted="retry-after",
        ),
        _visit(
            "A remembered token, all the same",
            _ORDERS,
            "200",
            token=_READER,
            facts={"cache": "hit"},
            shows="FR-009",
        ),
        _visit(
            "Somebody to ask again",
            _ORDERS,
            "200",
            token=_for(_ORDERS_API, fresh="while it is down"),
            before=Incident.RETURNS,
            patience_seconds=10.0,
            facts={"upstream": "orders"},
            shows="edge-3",
        ),
    ),
)

_MCP_SERVERS: Final = Chapter(
    title="US3  Audience: MCP servers",
    question="Is the token for this server?",
    visits=(
        _visit(
            "No token: a client learns the scopes too",
            _MCP,
            "401 credentials-missing: no valid authentication header found",
            headers=_JSON_RPC,
            body=_INITIALIZE,
            facts={
                "header www-authenticate": f"Bearer resource_metadata="
                f'"{_METADATA}?resource=%2Fprod%2Fapi%2Fv2%2Fmcp-servers%2Fcalc%2Fmcp", scope="tools.call"'
            },
            shows="US1-3 SC-004",
            quoted="www-authenticate",
        ),
        _visit(
            "mcp_server:calc says hello",
            _MCP,
            "200",
            token=Token(audience=("mcp_server:calc",), scopes=("tools.call",)),
            headers=_BEARER + _JSON_RPC,
            body=_INITIALIZE,
            facts={"body result.serverInfo.name": "ostiary-demo", "body id": "1"},
            shows="US3-1 FR-014 FR-015 SC-005",
        ),
        _visit(
            "The server's URL as audience (RFC 8707)",
            _MCP,
            "200",
            token=Token(
                audience=("{origin}/prod/api/v2/mcp-servers/calc",),
                scopes=("tools.call",),
            ),
            headers=_BEARER + _JSON_RPC,
            body=_INITIALIZE,
            facts={"body result.serverInfo.name": "ostiary-demo"},
        ),
        _visit(
            "mcp_server:diary at calc",
            _MCP,
            "403 audience-mcp-mismatch: mcp_server not in audience",
            token=Token(audience=("mcp_server:diary",), scopes=("tools.call",)),
            headers=_BEARER + _JSON_RPC,
            body=_INITIALIZE,
            facts={"body result.serverInfo.name": None},
            shows="US3-3 FR-015 FR-017 SC-005 SC-007",
        ),
        _visit(
            "mcp_server:calc at another gateway",
            "GET /warehouse/prod/stock",
            "403 audience-mcp-wrong-gateway: mcp_server audience is valid only for gateway bk-apigateway",
            token=_CALC,
            shows="US3-2 FR-015 FR-017 SC-005",
        ),
        _visit(
            "mcp_server:calc where no server is",
            "GET /prod/api/v2/stages",
            "403 audience-mcp-no-path: mcp_server not in audience",
            token=_CALC,
            shows="edge-5 FR-015 FR-017 SC-005",
        ),
        _visit(
            "The pattern further right decides nothing",
            "GET /prod/api/v2/stages/prod/api/v2/mcp-servers/calc/",
            "403 audience-mcp-no-path: mcp_server not in audience",
            token=_CALC,
            shows="edge-5 FR-015",
        ),
        _visit(
            "There too, an audience for the API counts",
            "GET /prod/api/v2/stages",
            "200",
            token=_for("mcp_server:calc", "gateway:bk-apigateway/api:stages"),
            facts={"upstream": "stock"},
            shows="edge-5 edge-4 FR-016",
        ),
        _visit(
            "Legacy credentials never fit an MCP server",
            _MCP,
            "400 legacy-not-accepted: legacy credentials are not accepted here",
            headers=_LEGACY + _JSON_RPC,
            body=_INITIALIZE,
            facts={"header www-authenticate": None},
            shows="US1-1 SC-001",
        ),
    ),
)

_GATEWAY_APIS: Final = Chapter(
    title="US4  Audience: gateways and APIs",
    question="Is the token for this API?",
    visits=(
        _visit(
            "gateway:shop/api:orders",
            _ORDERS,
            "200",
            token=_READER,
            facts={"upstream": "orders"},
            shows="US4-1 FR-014 FR-016 SC-006",
        ),
        _visit(
            "gateway:shop:api:orders, as some issue it",
            _ORDERS,
            "200",
            token=_for("gateway:shop:api:orders"),
            shows="US4-1 FR-016",
        ),
        _visit(
            "gateway:shop/api:*",
            _ORDERS,
            "200",
            token=_for("gateway:shop/api:*"),
            shows="US4-2 FR-014 FR-016 SC-006",
        ),
        _visit(
            "gateway:shop/api:orders at another API",
            "GET /shop/prod/refunds",
            "403 audience-gateway-mismatch: gateway/api not authorized",
            token=_READER,
            shows="US4-3 FR-016 FR-017 SC-006 SC-007",
        ),
        _visit(
            "gateway:warehouse/api:* at gateway shop",
            _ORDERS,
            "403 audience-gateway-mismatch: gateway/api not authorized",
            token=_for("gateway:warehouse/api:*"),
            shows="US4-3 FR-016 FR-017 SC-006",
        ),
        _visit(
            "Both kinds: one match is enough",
            _ORDERS,
            "200",
            token=_for("mcp_server:calc", _ORDERS_API),
            facts={"upstream": "orders"},
            shows="edge-4 FR-016",
        ),
        _visit(
            "No audience",
            _ORDERS,
            "403 audience-empty: empty audience",
            token=_for(),
            shows="US4-4 FR-013 SC-007",
        ),
        _visit(
            "An audience that nobody here reads",
            _ORDERS,
            "403 audience-unrecognised: audience mismatch",
            token=_for("https://elsewhere.example/orders", "orders"),
            facts={"notes": "2 of an unknown form"},
            shows="FR-014 FR-017",
        ),
        _visit(
            "150 entries: all judged, and a warning",
            _ORDERS,
            "200",
            token=_for(*[f"gateway:shop/api:orders-{number}" for number in range(149)], _ORDERS_API),
            facts={"notes": "warning: 150 audience entries"},
            shows="edge-6",
        ),
        _visit(
            "A scope is missing: all are named",
            "GET /shop/prod/refunds",
            "403 scope-missing: insufficient scope",
            token=Token(audience=("gateway:shop/api:refunds",), scopes=("refunds.read",)),
            facts={
                "header www-authenticate": f"Bearer resource_metadata="
                f'"{_METADATA}?resource=%2Fshop%2Fprod%2Frefunds", error="insufficient_scope",'
                f' error_description="insufficient scope", scope="refunds.read refunds.write"'
            },
            shows="SC-007",
            quoted="www-authenticate",
        ),
        _visit(
            "With both scopes",
            "GET /shop/prod/refunds",
            "200",
            token=Token(audience=("gateway:shop/api:refunds",), scopes=("refunds.read", "refunds.write")),
            facts={"upstream": "orders"},
        ),
    ),
)

_TRICKS: Final = Chapter(
    title="What must never get through",
    question="One path, one router, no borrowed identity.",
    visits=(
        _visit(
            "A public page, and nothing vouched for",
            "GET /shop/prod/status",
            "200",
            headers=(("X-Bkapi-User", "alice"),),
            unjudged="unsafe_anonymous: true",
            facts={"upstream": "stock", "upstream header x-bkapi-user": None},
        ),
        _visit(
            "From the public page to the orders",
            "GET /shop/prod/status/../orders",
            "401 credentials-missing: no valid authentication header found",
            facts={"decided path": "/shop/prod/orders", "upstream": None},
            shows="US1-3 SC-004",
        ),
        _visit(
            "The same, escaped",
            "GET /shop/prod/status/%2e%2e/orders",
            "401 credentials-missing: no valid authentication header found",
            facts={"decided path": "/shop/prod/orders", "upstream": None},
        ),
        _visit(
            "The same, with a parameter's semicolon",
            "GET /shop/prod/status/..;/orders",
            "401 credentials-missing: no valid authentication header found",
            facts={"decided path": "/shop/prod/orders", "upstream": None},
        ),
        _visit(
            "An escaped slash",
            "GET /shop/prod%2forders",
            "400 edge-path",
            token=_READER,
            facts={"body code_name": "INVALID_ARGS", "upstream": None},
        ),
        _visit(
            "Many slashes: judged and sent as one",
            "GET //shop///prod//orders",
            "200",
            token=_READER,
            facts={"decided path": "/shop/prod/orders", "upstream path": "/shop/prod/orders"},
        ),
        _visit(
            "An identity that the client made up",
            _ORDERS,
            "200",
            token=_READER,
            headers=(
                *_BEARER,
                ("X-Bkapi-Jwt", "forged"),
                ("X-BKAPI-App", '{"app_code": "admin"}'),
                ("x-bkapi-user", "root"),
                ("X-Bkapi.User", "root"),
                ("X-Forwarded-For", "203.0.113.7"),
                ("X-Ostiary-Verdict", "allow"),
                ("Cookie", "theme=dark"),
            ),
            facts={
                "upstream header x-bkapi-jwt": "",
                "upstream header x-bkapi-app": "",
                "upstream header x-bkapi-user": "",
                "upstream header x-bkapi.user": None,
                "upstream header x-forwarded-for": "127.0.0.1",
                "upstream header x-ostiary-verdict": None,
                "upstream header cookie": "theme=dark",
                **_NO_CREDENTIALS_UPSTREAM,
            },
        ),
        _visit(
            "The same with underscores",
            _ORDERS,
            "400 edge-malformed",
            token=_READER,
            headers=(*_BEARER, ("X_Bkapi_User", "root")),
            facts={"body code_name": "INVALID_ARGS", "upstream": None},
        ),
        _visit(
            "A path that nobody published",
            "GET /shop/prod/payroll",
            "404 route-unmatched",
            token=_READER,
            facts={"body code_name": "API_NOT_FOUND", "header www-authenticate": None},
        ),
        _visit(
            "A method that nobody published",
            "DELETE /shop/prod/refunds",
            "404 route-unmatched",
            token=_READER,
            facts={"body code_name": "API_NOT_FOUND"},
        ),
    ),
)

_DISCOVERY: Final = Chapter(
    title="Where to get a token",
    question="Protected resource metadata (RFC 9728), for everybody.",
    visits=(
        _visit(
            "Where the challenge points",
            "GET /.well-known/oauth-protected-resource?resource=%2Fshop%2Fprod%2Frefunds",
            "200",
            unjudged="a public document",
            facts={
                "body resource": "{origin}/shop/prod/refunds",
                "body authorization_servers": "{issuer}",
                "body bearer_methods_supported": "header",
                "body scopes_supported": "refunds.read refunds.write",
            },
            shows="US1-3 FR-004",
        ),
        _visit(
            "Where RFC 9728 §3.1 has it",
            "GET /.well-known/oauth-protected-resource/prod/api/v2/mcp-servers/calc/mcp",
            "200",
            unjudged="a public document",
            facts={
                "body resource": "{origin}/prod/api/v2/mcp-servers/calc/mcp",
                "body authorization_servers": "{issuer}",
                "body resource_name": "Calculator",
            },
        ),
        _visit(
            "Of what is no resource",
            "GET /.well-known/oauth-protected-resource/shop/prod/payroll",
            "404",
            unjudged="a public document",
            facts={"body resource": None},
        ),
    ),
)

TOUR: Final = (_DETECTION, _VERIFICATION, _MCP_SERVERS, _GATEWAY_APIS, _TRICKS, _DISCOVERY)
