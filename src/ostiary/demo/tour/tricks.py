"""The rows of what must never get through."""

from __future__ import annotations

from typing import Final

from ostiary.demo.tour.rows import BEARER, NO_CREDENTIALS_UPSTREAM, ORDERS, READER, visit
from ostiary.demo.visit import Chapter

TRICKS: Final = Chapter(
    title="What must never get through",
    question="One path, one router, no borrowed identity.",
    visits=(
        visit(
            "A public page, and nothing vouched for",
            "GET /shop/prod/status",
            "200",
            headers=(("X-Bkapi-User", "alice"),),
            unjudged="unsafe_anonymous: true",
            facts={"upstream": "stock", "upstream header x-bkapi-user": None},
        ),
        visit(
            "From the public page to the orders",
            "GET /shop/prod/status/../orders",
            "401 credentials-missing: no valid authentication header found",
            facts={"decided path": "/shop/prod/orders", "upstream": None},
            shows="US1-3 SC-004",
        ),
        visit(
            "The same, escaped",
            "GET /shop/prod/status/%2e%2e/orders",
            "401 credentials-missing: no valid authentication header found",
            facts={"decided path": "/shop/prod/orders", "upstream": None},
        ),
        visit(
            "The same, with a parameter's semicolon",
            "GET /shop/prod/status/..;/orders",
            "401 credentials-missing: no valid authentication header found",
            facts={"decided path": "/shop/prod/orders", "upstream": None},
        ),
        visit(
            "An escaped slash",
            "GET /shop/prod%2forders",
            "400 edge-path",
            token=READER,
            facts={"body code_name": "INVALID_ARGS", "upstream": None},
        ),
        visit(
            "Many slashes: judged and sent as one",
            "GET //shop///prod//orders",
            "200",
            token=READER,
            facts={"decided path": "/shop/prod/orders", "upstream path": "/shop/prod/orders"},
        ),
        visit(
            "An identity that the client made up",
            ORDERS,
            "200",
            token=READER,
            headers=(
                *BEARER,
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
                **NO_CREDENTIALS_UPSTREAM,
            },
        ),
        visit(
            "The same with underscores",
            ORDERS,
            "400 edge-malformed",
            token=READER,
            headers=(*BEARER, ("X_Bkapi_User", "root")),
            facts={"body code_name": "INVALID_ARGS", "upstream": None},
        ),
        visit(
            "A path that nobody published",
            "GET /shop/prod/payroll",
            "404 route-unmatched",
            token=READER,
            facts={"body code_name": "API_NOT_FOUND", "header www-authenticate": None},
        ),
        visit(
            "A method that nobody published",
            "DELETE /shop/prod/refunds",
            "404 route-unmatched",
            token=READER,
            facts={"body code_name": "API_NOT_FOUND"},
        ),
    ),
)
