"""The rows of user story 3: is the token for this MCP server?"""

from __future__ import annotations

from typing import Final

from ostiary.demo.tour.rows import BEARER, CALC, INITIALIZE, JSON_RPC, LEGACY, MCP, METADATA, token_for, visit
from ostiary.demo.visit import Chapter, Token

MCP_SERVERS: Final = Chapter(
    title="US3  Audience: MCP servers",
    question="Is the token for this server?",
    visits=(
        visit(
            "No token: a client learns the scopes too",
            MCP,
            "401 credentials-missing: no valid authentication header found",
            headers=JSON_RPC,
            body=INITIALIZE,
            facts={
                "header www-authenticate": f"Bearer resource_metadata="
                f'"{METADATA}?resource=%2Fprod%2Fapi%2Fv2%2Fmcp-servers%2Fcalc%2Fmcp", scope="tools.call"'
            },
            shows="US1-3 SC-004",
            quoted="www-authenticate",
        ),
        visit(
            "mcp_server:calc says hello",
            MCP,
            "200",
            token=Token(audience=("mcp_server:calc",), scopes=("tools.call",)),
            headers=BEARER + JSON_RPC,
            body=INITIALIZE,
            facts={"body result.serverInfo.name": "ostiary-demo", "body id": "1"},
            shows="US3-1 FR-014 FR-015 SC-005",
        ),
        visit(
            "The server's URL as audience (RFC 8707)",
            MCP,
            "200",
            token=Token(
                audience=("{origin}/prod/api/v2/mcp-servers/calc",),
                scopes=("tools.call",),
            ),
            headers=BEARER + JSON_RPC,
            body=INITIALIZE,
            facts={"body result.serverInfo.name": "ostiary-demo"},
        ),
        visit(
            "mcp_server:diary at calc",
            MCP,
            "403 audience-mcp-mismatch: mcp_server not in audience",
            token=Token(audience=("mcp_server:diary",), scopes=("tools.call",)),
            headers=BEARER + JSON_RPC,
            body=INITIALIZE,
            facts={"body result.serverInfo.name": None},
            shows="US3-3 FR-015 FR-017 SC-005 SC-007",
        ),
        visit(
            "mcp_server:calc at another gateway",
            "GET /warehouse/prod/stock",
            "403 audience-mcp-wrong-gateway: mcp_server audience is valid only for gateway bk-apigateway",
            token=CALC,
            shows="US3-2 FR-015 FR-017 SC-005",
        ),
        visit(
            "mcp_server:calc where no server is",
            "GET /prod/api/v2/stages",
            "403 audience-mcp-no-path: mcp_server not in audience",
            token=CALC,
            shows="edge-5 FR-015 FR-017 SC-005",
        ),
        visit(
            "The pattern further right decides nothing",
            "GET /prod/api/v2/stages/prod/api/v2/mcp-servers/calc/",
            "403 audience-mcp-no-path: mcp_server not in audience",
            token=CALC,
            shows="edge-5 FR-015",
        ),
        visit(
            "There too, an audience for the API counts",
            "GET /prod/api/v2/stages",
            "200",
            token=token_for("mcp_server:calc", "gateway:bk-apigateway/api:stages"),
            facts={"upstream": "stock"},
            shows="edge-5 edge-4 FR-016",
        ),
        visit(
            "Legacy credentials never fit an MCP server",
            MCP,
            "400 legacy-not-accepted: legacy credentials are not accepted here",
            headers=LEGACY + JSON_RPC,
            body=INITIALIZE,
            facts={"header www-authenticate": None},
            shows="US1-1 SC-001",
        ),
    ),
)
