"""Headers that clients must not send, that upstreams must not see, that answers must not show.

The expressions are those of `decision.headers`. Envoy hands names over in lower case. A removal by an expression goes
through all headers of a request, so there is one for all of them: its size costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostiary.gateway.render.replies import header
from ostiary.gateway.render.tree import literal, typed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sized

    from ostiary.gateway.render.tree import Node, Tree

MANAGED: Final = (
    r"x[^a-z0-9]+bkapi[^a-z0-9]+(jwt|app|user|request|error).*",
    r"x[^a-z0-9]+request[^a-z0-9]+id",
    # X-Bkapi-Authorization misspelt, in either gap; the right spelling is a credential.
    r"x([^a-z0-9-]|-[^a-z0-9])[^a-z0-9]*bkapi[^a-z0-9]+authorization",
    r"x-bkapi([^a-z0-9-]|-[^a-z0-9])[^a-z0-9]*authorization",
)
FORWARDED: Final = (r"x[^a-z0-9]+(ostiary|envoy|forwarded|original|rewrite|real)([^a-z0-9]+.*)?",)
# The same but for X-Forwarded-For in its right spelling, which Envoy reads where it trusts the peer.
FORWARDED_BUT_FOR: Final = (
    r"x[^a-z0-9]+(ostiary|envoy|original|rewrite|real)([^a-z0-9]+.*)?",
    r"x([^a-z0-9-]|-[^a-z0-9])[^a-z0-9]*forwarded([^a-z0-9]+.*)?",
    r"x-forwarded([^a-z0-9-].*)?",
    r"x-forwarded-([^f].*|f([^o].*|o([^r].*|r.+)?)?)?",
)
MANAGED_EXACT: Final = (
    "forwarded",
    "true-client-ip",
    "x-client-ip",
    # CGI makes HTTP_PROXY of it (RFC 3875 §4.1.18).
    "proxy",
    # Another method behind the decision than before it.
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
)
_TRAILERS: Final = r"x[^a-z0-9]+(bkapi|ostiary|envoy|forwarded|original|rewrite|real|request)([^a-z0-9]+.*)?"

PEER: Final = "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"
# Filter state is the only place that neither client nor upstream can write to.
REFERENCE_STATE: Final = "ostiary.reference"


def early_header_mutation(trusted_proxies: Sized) -> Tree:
    """Removed before even the route matcher looks; before the peer is made out, too."""
    patterns = (*MANAGED_EXACT, *MANAGED, *(FORWARDED_BUT_FOR if trusted_proxies else FORWARDED))
    return {
        "name": "ostiary.clear",
        "typed_config": typed(
            "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
            mutations=[_remove_matching("|".join(patterns))],
        ),
    }


def edge() -> Tree:
    """First in, last out: what the decision service may trust, and what every answer, Envoy's own too, must say."""
    return _mutation(
        request_mutations=[_write("x-ostiary-route", "%ROUTE_NAME%"), _write("x-ostiary-peer", PEER)],
        request_trailers_mutations=[
            _remove_matching(_TRAILERS),
            *(_remove(name) for name in ("authorization", *MANAGED_EXACT)),
        ],
        response_trailers_mutations=[_remove("x-bkapi-jwt")],
        response_mutations=[
            _remove("server"),
            _remove("x-powered-by"),
            _remove("x-bkapi-jwt"),
            _remove_prefixed("x-envoy-"),
            _remove_prefixed("x-ostiary-"),
            _remove("x-request-id"),
            # Empty where the request was refused before a filter ran: then the second one counts.
            _add("x-request-id", f"%FILTER_STATE({REFERENCE_STATE}:PLAIN)%"),
            _add("x-request-id", "%UNIQUE_ID%"),
            # Not %UNIQUE_ID% again, which would be another id.
            _write("x-bkapi-request-id", "%RESPONSE_HEADER(X-REQUEST-ID)%"),
        ],
    )


def strip(scheme: str, credentials: Iterable[str]) -> Tree:
    """After the decision, before the upstream: who asked, by our word; no credentials, nothing we told each other."""
    return _mutation(
        request_mutations=[
            _write("x-forwarded-for", PEER),
            _write("x-forwarded-proto", literal(scheme)),
            _remove_prefixed("x-ostiary-"),
            _remove_prefixed("x-envoy-"),
            *(_remove(name) for name in credentials),
        ]
    )


def _mutation(**mutations: Node) -> Tree:
    return typed("envoy.extensions.filters.http.header_mutation.v3.HeaderMutation", mutations=mutations)


def _write(name: str, value: str) -> Tree:
    return {"append": header(name, value)}


def _add(name: str, value: str) -> Tree:
    return {"append": header(name, value, "ADD_IF_ABSENT")}


def _remove(name: str) -> Tree:
    return {"remove": name}


def _remove_prefixed(prefix: str) -> Tree:
    return {"remove_on_match": {"key_matcher": {"prefix": prefix}}}


def _remove_matching(pattern: str) -> Tree:
    return {"remove_on_match": {"key_matcher": {"safe_regex": {"regex": pattern}}}}
