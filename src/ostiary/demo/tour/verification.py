"""The rows of user story 2: is the token good?"""

from __future__ import annotations

from typing import Final

from ostiary.demo.tour.rows import (
    ALICE,
    CHALLENGE,
    INVALID_TOKEN,
    NO_CREDENTIALS_UPSTREAM,
    ORDERS,
    ORDERS_API,
    READER,
    token_for,
    visit,
)
from ostiary.demo.visit import Chapter, Fate, Incident, Token

VERIFICATION: Final = Chapter(
    title="US2  Verification",
    question="Is the token good? Yes, no, or: could not tell.",
    visits=(
        visit(
            "The same token again: remembered",
            ORDERS,
            "200",
            token=READER,
            facts={"cache": "hit", "asked": "0"},
            shows="US2-1 FR-009",
        ),
        visit(
            "A user's token",
            "GET /shop/prod/profile",
            "200",
            token=ALICE,
            facts={"upstream": "orders", "cache": "miss", **NO_CREDENTIALS_UPSTREAM},
            shows="US2-2 FR-010",
        ),
        visit(
            "A machine's token, where a user is demanded",
            "GET /shop/prod/profile",
            "403 user-required: token names no user",
            token=token_for("gateway:shop/api:profile"),
            shows="US2-2 FR-010 SC-007",
        ),
        visit(
            "What cannot be a token",
            ORDERS,
            "401 token-format: invalid token format",
            headers=(("Authorization", "Bearer {not a token}"),),
            facts={
                "header www-authenticate": f'{CHALLENGE}, error="invalid_token",'
                f' error_description="invalid token format"',
                "asked": "0",
            },
            shows="edge-2 US2-4 SC-007",
        ),
        visit(
            "A token that nobody issued",
            ORDERS,
            "401 token-inactive: invalid token",
            token=Token(fate=Fate.UNKNOWN),
            facts={"header www-authenticate": INVALID_TOKEN, "asked": "1"},
            shows="US2-4 SC-007",
            quoted="www-authenticate",
        ),
        visit(
            "A revoked token",
            ORDERS,
            "401 token-inactive: invalid token",
            token=Token(audience=(ORDERS_API,), fate=Fate.REVOKED),
            facts={"header www-authenticate": INVALID_TOKEN},
            shows="US2-4",
        ),
        visit(
            "An expired token",
            ORDERS,
            "401 token-inactive: invalid token",
            token=Token(audience=(ORDERS_API,), lifetime_seconds=-60),
            facts={"header www-authenticate": INVALID_TOKEN},
            shows="US2-4",
        ),
        visit(
            "Expired, and the server calls it active",
            ORDERS,
            "401 token-expired: token expired",
            token=Token(audience=(ORDERS_API,), claimed_seconds=-60),
            shows="US2-4 SC-007",
        ),
        visit(
            "A new token, and nobody to ask",
            ORDERS,
            "503 authority-unavailable: authorization server unavailable",
            token=token_for(ORDERS_API, fresh="while it is down"),
            before=Incident.STOPS,
            facts={"header retry-after": "1", "header www-authenticate": None, "verdict": "unavailable", "asked": "0"},
            shows="edge-3 SC-007",
            quoted="retry-after",
        ),
        visit(
            "A remembered token, all the same",
            ORDERS,
            "200",
            token=READER,
            facts={"cache": "hit"},
            shows="FR-009",
        ),
        visit(
            "Somebody to ask again",
            ORDERS,
            "200",
            token=token_for(ORDERS_API, fresh="while it is down"),
            before=Incident.RETURNS,
            patience_seconds=10.0,
            facts={"upstream": "orders"},
            shows="edge-3",
        ),
    ),
)
