"""Cross-origin requests (Fetch, CORS protocol): a route's policy, for Envoy's filter.

The filter answers the preflight of a listed origin itself, and adds its headers to every other answer to a listed
origin, refusals included. Cookies are never asked for: who calls is told by the token alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostiary.decision.routes import USUAL_METHODS
from ostiary.gateway.render.filters import CORS
from ostiary.gateway.render.replies import header
from ostiary.gateway.render.tree import typed

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from ostiary.decision.routes import Cors
    from ostiary.gateway.render.tree import Node, Tree

_MAX_AGE_SECONDS: Final = 600
# What is in an answer a page may read: the challenge, the reference, an upstream's own. Two are named for browsers that
# do not know the wildcard.
_EXPOSED: Final = "*, www-authenticate, x-request-id"
# One voice: two would be two policies, and the upstream's might be the wider one.
_UPSTREAMS_OWN: Final = tuple(
    "access-control-" + name
    for name in ("allow-origin", "allow-credentials", "allow-methods", "allow-headers", "expose-headers", "max-age")
)


def cors_policy(cors: Cors, methods: AbstractSet[str]) -> dict[str, Tree]:
    """The filter's configuration on a route and on its preflight."""
    return {
        CORS: typed(
            "envoy.extensions.filters.http.cors.v3.CorsPolicy",
            allow_origin_string_match=[{"exact": origin} for origin in cors.origins],
            allow_methods=", ".join(method for method in USUAL_METHODS if method in methods),
            allow_headers=", ".join(cors.headers),
            expose_headers=_EXPOSED,
            max_age=str(_MAX_AGE_SECONDS),
        )
    }


def cors_answers() -> dict[str, Node]:
    """What a route does to an upstream's answers: a cache must not show one origin what was said to another."""
    return {
        "response_headers_to_remove": _UPSTREAMS_OWN,
        "response_headers_to_add": [header("vary", "Origin", "APPEND_IF_EXISTS_OR_ADD")],
    }
