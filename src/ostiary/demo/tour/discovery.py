"""The rows of where to get a token: protected resource metadata (RFC 9728)."""

from __future__ import annotations

from typing import Final

from ostiary.demo.tour.rows import visit
from ostiary.demo.visit import Chapter

DISCOVERY: Final = Chapter(
    title="Where to get a token",
    question="Protected resource metadata (RFC 9728), for everybody.",
    visits=(
        visit(
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
        visit(
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
        visit(
            "Of what is no resource",
            "GET /.well-known/oauth-protected-resource/shop/prod/payroll",
            "404",
            unjudged="a public document",
            facts={"body resource": None},
        ),
    ),
)
