"""The one exit: only here a denial becomes a status, headers and a text (RFC 9110 §15, RFC 6750 §3, RFC 9728 §5.1).

A door copies what it gets; how the content is written is a `Dialect`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from ostiary.decision.reasons import CONSEQUENCES, Reason
from ostiary.decision.routes import Disclosure, MetadataLocation, RouteProtocol
from ostiary.oauth.challenge import BearerError, Challenge, metadata_inserted_url, metadata_query_url
from ostiary.oauth.scopes import is_scope_token

if TYPE_CHECKING:
    from ostiary.decision.routes import Route
    from ostiary.decision.verdict import Deny


# Three times as long when it is escaped, this still fits what clients and proxies read of a header. A longer path is
# challenged with its route's: the resource that it lies in.
MAX_CHALLENGE_PATH: Final = 2048
MAX_RETRY_AFTER_SECONDS: Final = 24 * 60 * 60
MAX_SCOPES: Final = 8192  # characters, with a blank behind each


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What leaves the process, before it is written in a dialect.

    Attributes:
        status: of the answer.
        headers: names in lower case; content headers and references are the dialect's.
        reason: for the record; a dialect does not show it.
        text: what the client may read of the reason; None under disclosure `generic`.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    reason: Reason
    text: str | None


def is_composable(deny: Deny) -> bool:
    """Whether `refuse` can compose it and a record hold it: types bind only who checks them, as a stranger may not.

    A listed reason, none of the edge's; scopes that a challenge can carry, and not too many; a note that is text;
    seconds that are a whole number, a day's at most: `Retry-After` is written from them (RFC 9110 §10.2.3).
    """
    return (
        isinstance(deny.reason, Reason)
        and CONSEQUENCES[deny.reason].status is not None
        and isinstance(deny.scopes, tuple)
        and all(isinstance(scope, str) and is_scope_token(scope) for scope in deny.scopes)
        and sum(len(scope) + 1 for scope in deny.scopes) <= MAX_SCOPES
        and isinstance(deny.note, str)
        and type(deny.retry_after_seconds) is int  # a subclass writes itself as it likes
        and 0 <= deny.retry_after_seconds <= MAX_RETRY_AFTER_SECONDS
    )


def refuse(deny: Deny, *, route: Route | None, path: str) -> Refusal:
    """Compose the refusal of a denied request.

    Args:
        deny: the verdict.
        route: the matched route; None where there is none, which discloses nothing and challenges nobody.
        path: the normalised request path, without query.

    Raises:
        ValueError: it is not composable; a broken invariant.
    """
    row = CONSEQUENCES[deny.reason]
    if row.status is None:
        raise ValueError("an answer of the edge is recorded, not composed")
    shows = route is not None and route.policy.disclosure is Disclosure.REASON
    headers: list[tuple[str, str]] = []
    if row.challenge and route is not None:
        headers.append(("www-authenticate", _challenge(deny, route, path, shows=shows).to_header()))
    if row.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append(("retry-after", str(deny.retry_after_seconds)))
    return Refusal(status=row.status, headers=tuple(headers), reason=deny.reason, text=row.text if shows else None)


def _challenge(deny: Deny, route: Route, path: str, *, shows: bool) -> Challenge:
    row = CONSEQUENCES[deny.reason]
    locate = metadata_query_url if route.metadata_location is MetadataLocation.QUERY else metadata_inserted_url
    resource = path if len(path) <= MAX_CHALLENGE_PATH else route.match.path
    return Challenge(
        resource_metadata=locate(route.publication.challenge_origin, resource),
        error=row.error,
        # RFC 6750 §3.1: who sent no credentials is told nothing more than where to begin.
        error_description=row.text if shows and row.error is not None else None,
        scopes=_scopes(deny, route, row.error),
    )


def _scopes(deny: Deny, route: Route, error: BearerError | None) -> tuple[str, ...]:
    """All scopes, where they are the cause; on MCP routes in every 401 and 403, since clients step up by them."""
    if route.policy.protocol is RouteProtocol.MCP and error is not BearerError.INVALID_REQUEST:
        return route.policy.scopes
    return deny.scopes
