"""One request travelling the chain: frozen, typed, enriched by replacement. It never holds a credential.

The values here are named tuples, as are all that every request makes: an eighth of what a frozen dataclass costs.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from ostiary.decision.headers import handed_on

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.decision.facts import Headers, RequestFacts
    from ostiary.decision.routes import Route
    from ostiary.oauth.credentials import Credentials, Presented, TokenDigest
    from ostiary.oauth.introspection import Grant


class BkApp(NamedTuple):
    """The application, in BlueKing's shape (spec 002 FR-010). `issuer` says whose name `app_code` is."""

    app_code: str
    verified: bool
    issuer: str
    valid_error_message: str = ""
    version: int = 1


class BkUser(NamedTuple):
    """The user, in BlueKing's shape (spec 002 FR-010)."""

    username: str
    verified: bool
    issuer: str
    valid_error_message: str = ""
    version: int = 1


class Exchange(NamedTuple):
    """What the plugins know; `with_note` and `_replace` make the next one.

    Attributes:
        method, host, path, peer, reference: of the request, as in `RequestFacts`.
        headers: only those that every door hands on; no credentials, no cookies.
        route: the matched route.
        now: wall clock in seconds when the request arrived.
        presented: which kinds of credentials were there; never a value.
        is_bk_oauth2, bk_app, bk_user, bk_app_code, audience, auth_params_location: spec 002's context variables, by
            the spec's names.
        grant: what the authority vouched for.
        token_digest: of the bearer token, for the record.
        notes: for operators, of the steps so far; each step's own is the last that it added.
    """

    reference: str
    method: str
    host: str
    path: str
    peer: str
    headers: Headers
    route: Route
    now: float
    presented: Presented
    is_bk_oauth2: bool | None = None
    bk_app: BkApp | None = None
    bk_user: BkUser | None = None
    bk_app_code: str | None = None
    audience: tuple[str, ...] | None = None
    auth_params_location: str | None = None
    grant: Grant | None = None
    token_digest: TokenDigest | None = None
    notes: tuple[str, ...] = ()

    def with_note(self, note: str) -> Exchange:
        """The same, and one more line for operators; no token, no secret."""
        return self._replace(notes=(*self.notes, note))


# Not the class itself: docs/adr/values-of-a-request.md says what its keywords cost.
_exchange: Final = partial(Exchange.__new__, Exchange)

# Spec 002's context variables, what each says, and which step sets it; documentation is made from this.
CONTEXT_VARIABLES: Final[Mapping[str, str]] = {
    "is_bk_oauth2": "whether the OAuth 2.0 path judges the request; set by bk-oauth2-protected-resource",
    "bk_app": "the application, with whether it was verified; set by either verification",
    "bk_user": "the user, with whether it was verified; set by either verification",
    "bk_app_code": "the application's code; set by either verification",
    "audience": "the token's audience entries; set by bk-oauth2-verify",
    "auth_params_location": "where the credentials were: `header`",
}


def begin(facts: RequestFacts, credentials: Credentials, route: Route, now: float) -> Exchange:
    """The exchange as the first plugin gets it.

    Args:
        facts: of the request.
        credentials: parsed from its headers; only their kind and the token's digest go in.
        route: the matched route.
        now: wall clock in seconds.
    """
    return _exchange(
        reference=facts.reference,
        method=facts.method,
        host=facts.host,
        path=facts.path,
        peer=facts.peer,
        headers=handed_on(facts.headers),
        route=route,
        now=now,
        presented=credentials.presented,
        token_digest=None if credentials.bearer is None else credentials.bearer.digest(),
    )
