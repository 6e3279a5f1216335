"""The rows of user story 4: is the token for this API of a gateway?"""

from __future__ import annotations

from typing import Final

from ostiary.demo.tour.rows import METADATA, ORDERS, ORDERS_API, READER, token_for, visit
from ostiary.demo.visit import Chapter, Token

GATEWAY_APIS: Final = Chapter(
    title="US4  Audience: gateways and APIs",
    question="Is the token for this API?",
    visits=(
        visit(
            "gateway:shop/api:orders",
            ORDERS,
            "200",
            token=READER,
            facts={"upstream": "orders"},
            shows="US4-1 FR-014 FR-016 SC-006",
        ),
        visit(
            "gateway:shop:api:orders, as some issue it",
            ORDERS,
            "200",
            token=token_for("gateway:shop:api:orders"),
            shows="US4-1 FR-016",
        ),
        visit(
            "gateway:shop/api:*",
            ORDERS,
            "200",
            token=token_for("gateway:shop/api:*"),
            shows="US4-2 FR-014 FR-016 SC-006",
        ),
        visit(
            "gateway:shop/api:orders at another API",
            "GET /shop/prod/refunds",
            "403 audience-gateway-mismatch: gateway/api not authorized",
            token=READER,
            shows="US4-3 FR-016 FR-017 SC-006 SC-007",
        ),
        visit(
            "gateway:warehouse/api:* at gateway shop",
            ORDERS,
            "403 audience-gateway-mismatch: gateway/api not authorized",
            token=token_for("gateway:warehouse/api:*"),
            shows="US4-3 FR-016 FR-017 SC-006",
        ),
        visit(
            "Both kinds: one match is enough",
            ORDERS,
            "200",
            token=token_for("mcp_server:calc", ORDERS_API),
            facts={"upstream": "orders"},
            shows="edge-4 FR-016",
        ),
        visit(
            "No audience",
            ORDERS,
            "403 audience-empty: empty audience",
            token=token_for(),
            shows="US4-4 FR-013 SC-007",
        ),
        visit(
            "An audience that nobody here reads",
            ORDERS,
            "403 audience-unrecognised: audience mismatch",
            token=token_for("https://elsewhere.example/orders", "orders"),
            facts={"notes": "2 of an unknown form"},
            shows="FR-014 FR-017",
        ),
        visit(
            "150 entries: all judged, and a warning",
            ORDERS,
            "200",
            token=token_for(*[f"gateway:shop/api:orders-{number}" for number in range(149)], ORDERS_API),
            facts={"notes": "warning: 150 audience entries"},
            shows="edge-6",
        ),
        visit(
            "A scope is missing: all are named",
            "GET /shop/prod/refunds",
            "403 scope-missing: insufficient scope",
            token=Token(audience=("gateway:shop/api:refunds",), scopes=("refunds.read",)),
            facts={
                "header www-authenticate": f"Bearer resource_metadata="
                f'"{METADATA}?resource=%2Fshop%2Fprod%2Frefunds", error="insufficient_scope",'
                f' error_description="insufficient scope", scope="refunds.read refunds.write"'
            },
            shows="SC-007",
            quoted="www-authenticate",
        ),
        visit(
            "With both scopes",
            "GET /shop/prod/refunds",
            "200",
            token=Token(audience=("gateway:shop/api:refunds",), scopes=("refunds.read", "refunds.write")),
            facts={"upstream": "orders"},
        ),
    ),
)
