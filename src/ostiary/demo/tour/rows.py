"""What a row of the tour is made of."""

from __future__ import annotations

from typing import Final

from ostiary.demo.visit import Headers, Incident, Token, Visit

ORDERS: Final = "GET /shop/prod/orders"
MCP: Final = "POST /prod/api/v2/mcp-servers/calc/mcp"
BEARER: Final[Headers] = (("Authorization", "Bearer {token}"),)
LEGACY: Final[Headers] = (("X-Bkapi-Authorization", '{"bk_app_code": "reader", "bk_app_secret": "made-up"}'),)
INITIALIZE: Final = (
    b'{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18",'
    b' "capabilities": {}, "clientInfo": {"name": "ostiary-demo", "version": "1"}}}'
)
JSON_RPC: Final[Headers] = (
    ("Content-Type", "application/json"),
    ("Accept", "application/json, text/event-stream"),
)

METADATA: Final = "{origin}/.well-known/oauth-protected-resource"
CHALLENGE: Final = f'Bearer resource_metadata="{METADATA}?resource=%2Fshop%2Fprod%2Forders"'
INVALID_TOKEN: Final = f'{CHALLENGE}, error="invalid_token", error_description="invalid token"'
WHOLE_CHAIN: Final = (
    "bk-oauth2-protected-resource bk-oauth2-verify bk-auth-validate"
    " bk-oauth2-audience-validate bk-oauth2-scope-validate"
)
DETECTION_ALONE: Final = "bk-oauth2-protected-resource"
NO_CREDENTIALS_UPSTREAM: Final = {
    "upstream header authorization": None,
    "upstream header x-bkapi-authorization": None,
}


def visit(
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
        headers=headers if headers is not None else BEARER if token is not None else (),
        body=body,
        token=token,
        expected=wanted | (facts or {}),
        shows=tuple(shows.split()),
        before=before,
        patience_seconds=patience_seconds,
        unjudged=unjudged,
        quoted=quoted,
    )


def token_for(*audience: str, fresh: str = "") -> Token:
    """A token of the demo's machine client for these audiences; with `fresh`, another than an equal one."""
    return Token(audience=audience, fresh=fresh)


ORDERS_API: Final = "gateway:shop/api:orders"
READER: Final = token_for(ORDERS_API)
CALC: Final = token_for("mcp_server:calc")
ALICE: Final = Token(subject="alice", audience=("gateway:shop/api:*",))
