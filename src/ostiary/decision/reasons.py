"""Why a request was refused: one closed list, with what each reason does to the answer.

A reason is for operators, tests and metrics; what a client reads is decided by `refusal` and the route's disclosure.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from ostiary.oauth.challenge import BearerError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Reason(StrEnum):
    """A stable slug. Never renamed: dashboards and runbooks hold them."""

    CREDENTIALS_MISSING = "credentials-missing"
    CREDENTIALS_MALFORMED = "credentials-malformed"
    CREDENTIALS_CONFLICT = "credentials-conflict"
    LEGACY_NOT_ACCEPTED = "legacy-not-accepted"
    ROUTE_UNMATCHED = "route-unmatched"
    TARGET_NOT_CANONICAL = "target-not-canonical"
    POLICY_EMPTY = "policy-empty"
    TOKEN_FORMAT = "token-format"  # noqa: S105 - a name
    TOKEN_INACTIVE = "token-inactive"  # noqa: S105 - a name
    TOKEN_CLAIMS = "token-claims"  # noqa: S105 - a name
    TOKEN_ISSUER = "token-issuer"  # noqa: S105 - a name
    TOKEN_TYPE = "token-type"  # noqa: S105 - a name
    TOKEN_BOUND = "token-bound"  # noqa: S105 - a name
    TOKEN_EXPIRED = "token-expired"  # noqa: S105 - a name
    TOKEN_NOT_YET_VALID = "token-not-yet-valid"  # noqa: S105 - a name
    TOKEN_NO_EXPIRY = "token-no-expiry"  # noqa: S105 - a name
    APP_REQUIRED = "app-required"
    USER_REQUIRED = "user-required"
    SCOPE_MISSING = "scope-missing"
    AUDIENCE_EMPTY = "audience-empty"
    AUDIENCE_TOO_MANY = "audience-too-many"
    AUDIENCE_UNRECOGNISED = "audience-unrecognised"
    AUDIENCE_MCP_MISMATCH = "audience-mcp-mismatch"
    AUDIENCE_GATEWAY_MISMATCH = "audience-gateway-mismatch"
    AUDIENCE_RESOURCE_MISMATCH = "audience-resource-mismatch"
    AUDIENCE_MCP_WRONG_GATEWAY = "audience-mcp-wrong-gateway"
    AUDIENCE_MCP_NO_PATH = "audience-mcp-no-path"
    AUTHORITY_UNAVAILABLE = "authority-unavailable"
    AUTHORITY_OVERLOADED = "authority-overloaded"
    GENERATION_UNKNOWN = "generation-unknown"
    PLUGIN_FAILED = "plugin-failed"
    JUDGE_FAILED = "judge-failed"
    EDGE_PATH = "edge-path"
    EDGE_MALFORMED = "edge-malformed"
    EDGE_HEADERS = "edge-headers"
    EDGE_BODY_TOO_LARGE = "edge-body-too-large"
    EDGE_TIMEOUT = "edge-timeout"
    EDGE_UPSTREAM = "edge-upstream"
    EDGE_DECISION = "edge-decision"
    EDGE_GATE = "edge-gate"
    EDGE_OTHER = "edge-other"


@dataclass(frozen=True, slots=True)
class Consequence:
    r"""What a reason does.

    Attributes:
        status: None: as the edge sent it; such a reason is recorded, never composed into an answer here.
        text: what a client may read under disclosure `reason`; fixed, without `"` and `\` (RFC 6750 §3).
        challenge: whether the answer carries a `WWW-Authenticate` challenge.
        error: its RFC 6750 §3.1 code, if any.
        meaning: one sentence for operators.
    """

    status: int | None
    text: str
    meaning: str
    challenge: bool = False
    error: BearerError | None = None


def _request(status: int, text: str, meaning: str) -> Consequence:
    return Consequence(status, text, meaning)


def _challenged(status: int, text: str, meaning: str, error: BearerError | None) -> Consequence:
    return Consequence(status, text, meaning, challenge=True, error=error)


def _token(text: str, meaning: str) -> Consequence:
    return _challenged(401, text, meaning, BearerError.INVALID_TOKEN)


def _forbidden(text: str, meaning: str) -> Consequence:
    return _challenged(403, text, meaning, BearerError.INSUFFICIENT_SCOPE)


def _unknown(text: str, meaning: str) -> Consequence:
    return Consequence(503, text, meaning)


def _edge(meaning: str) -> Consequence:
    return Consequence(None, "", meaning)


CONSEQUENCES: Final[Mapping[Reason, Consequence]] = MappingProxyType(
    {
        Reason.CREDENTIALS_MISSING: _challenged(
            401, "no valid authentication header found", "No bearer token and no legacy header was sent.", None
        ),
        Reason.CREDENTIALS_MALFORMED: _challenged(
            400,
            "malformed credentials",
            "The credential headers can be read in more than one way: two of a kind, or Bearer beside another.",
            BearerError.INVALID_REQUEST,
        ),
        Reason.CREDENTIALS_CONFLICT: _challenged(
            400,
            "two kinds of credentials",
            "A bearer token and a legacy header were sent together, and `both_present: refuse` is set.",
            BearerError.INVALID_REQUEST,
        ),
        Reason.LEGACY_NOT_ACCEPTED: _request(
            400,
            "legacy credentials are not accepted here",
            "X-Bkapi-Authorization was sent to a route that wants a token.",
        ),
        Reason.ROUTE_UNMATCHED: _request(404, "API not found", "No route matches host, path and method."),
        Reason.TARGET_NOT_CANONICAL: _request(
            400, "target is not canonical", "The application behind this door might route the target differently."
        ),
        Reason.POLICY_EMPTY: Consequence(403, "no policy allows this", "Nothing in the chain vouched for the request."),
        Reason.TOKEN_FORMAT: _token(
            "invalid token format", "The token is no RFC 6750 b64token or is over 8 KiB; nobody was asked."
        ),
        Reason.TOKEN_INACTIVE: _token(
            "invalid token", "The authority says it is not active: unknown, expired or revoked."
        ),
        Reason.TOKEN_CLAIMS: _token("invalid token", "A claim in the authority's answer has the wrong type."),
        Reason.TOKEN_ISSUER: _token("invalid token", "The answer's `iss` is not the configured issuer."),
        Reason.TOKEN_TYPE: _token(
            "invalid token", "The answer speaks of another kind of token, a refresh token perhaps."
        ),
        Reason.TOKEN_BOUND: _token(
            "invalid token", "The token is bound to a key (`cnf`), and the binding cannot be checked here."
        ),
        Reason.TOKEN_EXPIRED: _token(
            "token expired", "Its `exp` has passed; look at the clocks if it should not have."
        ),
        Reason.TOKEN_NOT_YET_VALID: _token("token not yet valid", "Its `nbf` lies ahead; look at the clocks."),
        Reason.TOKEN_NO_EXPIRY: _token(
            "token has no expiry", "The answer has no `exp`; `require_exp: false` would accept it."
        ),
        Reason.APP_REQUIRED: _forbidden("token names no app", "The route wants a verified app."),
        Reason.USER_REQUIRED: _forbidden(
            "token names no user", "The route wants a verified user; a machine's token has none."
        ),
        Reason.SCOPE_MISSING: _forbidden("insufficient scope", "The token lacks a scope that the route names."),
        Reason.AUDIENCE_EMPTY: _forbidden("empty audience", "The token has no audience."),
        Reason.AUDIENCE_TOO_MANY: _forbidden("audience mismatch", "Over 10,000 audience entries; none was judged."),
        Reason.AUDIENCE_UNRECOGNISED: _forbidden(
            "audience mismatch", "No audience entry has a form that this route reads."
        ),
        Reason.AUDIENCE_MCP_MISMATCH: _forbidden(
            "mcp_server not in audience", "The token is for another MCP server than the one in the path."
        ),
        Reason.AUDIENCE_GATEWAY_MISMATCH: _forbidden(
            "gateway/api not authorized", "The token is for another gateway or API."
        ),
        Reason.AUDIENCE_RESOURCE_MISMATCH: _forbidden(
            "audience mismatch", "The token is for another resource (RFC 8707) than the one asked for."
        ),
        Reason.AUDIENCE_MCP_WRONG_GATEWAY: _forbidden(
            "mcp_server audience is valid only for gateway bk-apigateway", "An MCP audience on another gateway."
        ),
        Reason.AUDIENCE_MCP_NO_PATH: _forbidden(
            "mcp_server not in audience", "An MCP audience, and no MCP server's path."
        ),
        Reason.AUTHORITY_UNAVAILABLE: _unknown(
            "authorization server unavailable",
            "The authority could not be asked or gave no answer; see the step's note.",
        ),
        Reason.AUTHORITY_OVERLOADED: _unknown(
            "authorization server unavailable", "Too many questions to the authority wait already."
        ),
        Reason.GENERATION_UNKNOWN: _unknown(
            "service unavailable", "Envoy named a generation that this worker has not, or a route that it lacks."
        ),
        Reason.PLUGIN_FAILED: _unknown("service unavailable", "A plugin raised, or asked what it may not ask."),
        Reason.JUDGE_FAILED: _unknown("service unavailable", "The judge itself failed; its log has the cause."),
        Reason.EDGE_PATH: _edge("Envoy refused the path: an escaped slash, a `%` that is no escape, a control byte."),
        Reason.EDGE_MALFORMED: _edge(
            "Envoy refused the request: smuggling, a bad Host, an underscore in a name, a handshake that is no GET."
        ),
        Reason.EDGE_HEADERS: _edge("The header fields are too many or too large."),
        Reason.EDGE_BODY_TOO_LARGE: _edge("The body is larger than the route allows."),
        Reason.EDGE_TIMEOUT: _edge("Client or upstream took too long."),
        Reason.EDGE_UPSTREAM: _edge("The upstream is away or answered what is not HTTP."),
        Reason.EDGE_DECISION: _edge(
            "Envoy got no verdict from the decision workers; or, with 4xx, it got one whose record was lost."
        ),
        Reason.EDGE_GATE: _edge("A request reached the gate without a verdict: an alarm, a filter is missing."),
        Reason.EDGE_OTHER: _edge("Another answer of Envoy's own."),
    }
)
