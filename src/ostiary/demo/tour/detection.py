"""The rows of user story 1: which way a request takes."""

from __future__ import annotations

from typing import Final

from ostiary.demo.tour.rows import (
    BEARER,
    CHALLENGE,
    DETECTION_ALONE,
    LEGACY,
    METADATA,
    ORDERS,
    READER,
    WHOLE_CHAIN,
    visit,
)
from ostiary.demo.visit import Chapter

DETECTION: Final = Chapter(
    title="US1  Detection",
    question="Which way a request takes.",
    visits=(
        visit(
            "No credentials",
            ORDERS,
            "401 credentials-missing: no valid authentication header found",
            facts={"header www-authenticate": CHALLENGE, "steps": DETECTION_ALONE, "upstream": None},
            shows="US1-3 FR-004 SC-004 SC-007",
            quoted="www-authenticate",
        ),
        visit(
            "The challenge escapes the whole path",
            "GET /shop/prod/orders/a%20b/~c?d=e",
            "401 credentials-missing: no valid authentication header found",
            facts={
                "header www-authenticate": f"Bearer resource_metadata="
                f'"{METADATA}?resource=%2Fshop%2Fprod%2Forders%2Fa%2520b%2F~c"'
            },
            shows="US1-3 FR-004 SC-004",
        ),
        visit(
            "Another scheme",
            ORDERS,
            "401 credentials-missing: no valid authentication header found",
            headers=(("Authorization", "Basic cmVhZGVyOm1hZGUtdXA="),),
            facts={"header www-authenticate": CHALLENGE},
            shows="US1-3 SC-004",
        ),
        visit(
            "A bearer token",
            ORDERS,
            "200",
            token=READER,
            facts={"upstream": "orders", "steps": WHOLE_CHAIN, "cache": "miss", "asked": "1"},
            shows="US1-2 US2-1 US2-5 FR-001 FR-003 FR-005 FR-007 FR-008 FR-011 SC-002",
        ),
        visit(
            "Legacy credentials, where nobody judges them",
            ORDERS,
            "400 legacy-not-accepted: legacy credentials are not accepted here",
            headers=LEGACY,
            facts={"header www-authenticate": None, "steps": DETECTION_ALONE, "asked": "0"},
            shows="US1-1 US2-3 FR-002 FR-006 FR-012 SC-001",
        ),
        visit(
            "Legacy and bearer: legacy wins",
            ORDERS,
            "400 legacy-not-accepted: legacy credentials are not accepted here",
            token=READER,
            headers=LEGACY + BEARER,
            facts={"steps": DETECTION_ALONE, "asked": "0"},
            shows="edge-1 US1-1 FR-002 SC-001",
        ),
        visit(
            "Two credentials in one request",
            ORDERS,
            "400 credentials-malformed: malformed credentials",
            token=READER,
            headers=(*BEARER, ("Authorization", "Basic cmVhZGVyOm1hZGUtdXA=")),
            facts={"steps": DETECTION_ALONE, "asked": "0"},
        ),
    ),
)
