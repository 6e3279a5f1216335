"""`bk-oauth2-verify`: the token is introspected, and what time says of the answer (spec 002 FR-005, 006, 008..010)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from ostiary.decision.reasons import Reason
from ostiary.decision.verdict import Deny
from ostiary.oauth.introspection import Active, Cause, ClaimFault, Inactive, Unavailable
from ostiary.plugins.exchange import BkApp, BkUser
from ostiary.plugins.questions import Introspect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.oauth.credentials import Credentials
    from ostiary.plugins.exchange import Exchange
    from ostiary.plugins.plugin import Asking

_FAULTS: Final[Mapping[ClaimFault | None, Reason]] = {
    None: Reason.TOKEN_INACTIVE,
    ClaimFault.CLAIMS: Reason.TOKEN_CLAIMS,
    ClaimFault.ISSUER: Reason.TOKEN_ISSUER,
    ClaimFault.TYPE: Reason.TOKEN_TYPE,
    ClaimFault.BOUND: Reason.TOKEN_BOUND,
    ClaimFault.NO_EXPIRY: Reason.TOKEN_NO_EXPIRY,
}


class OAuth2Verify:
    """Asks the route's authority. Three answers: yes, no, could not tell. Not checked here: audience and scope."""

    name: Final = "bk-oauth2-verify"
    priority: Final = 18732  # before bk-auth-verify, 18730 (FR-005)

    def run(self, exchange: Exchange, credentials: Credentials) -> Asking:
        """Verify the bearer token and set what it vouches for."""
        token = credentials.bearer
        authority = exchange.route.policy.authority
        if token is None or authority is None:
            return Deny(Reason.POLICY_EMPTY, note="nothing to verify, or nobody to ask")
        if not token.is_b64token:  # nobody is asked about what cannot be a token [edge case 2]
            return Deny(Reason.TOKEN_FORMAT)
        fact = yield from Introspect(authority, token).ask()
        match fact:
            case Active():
                return _judge_times(fact, exchange) or _vouch(fact, exchange)
            case Inactive():
                return Deny(_FAULTS[fact.fault], note=_claim_note(fact))
            case Unavailable():
                overloaded = fact.cause is Cause.OVERLOADED
                reason = Reason.AUTHORITY_OVERLOADED if overloaded else Reason.AUTHORITY_UNAVAILABLE
                return Deny(reason, note=": ".join(filter(None, (fact.cause, fact.note))))
            case _:
                assert_never(fact)


def _judge_times(fact: Active, exchange: Exchange) -> Deny | None:
    """RFC 7662 §2.2 `exp` and `nbf`, again on every use: an answer may be remembered longer than the token lives."""
    leeway = exchange.route.policy.leeway_seconds
    grant = fact.grant
    if grant.expires_at is not None and grant.expires_at + leeway <= fact.as_of:
        return Deny(Reason.TOKEN_EXPIRED)
    if grant.not_before is not None and grant.not_before - leeway > fact.as_of:
        return Deny(Reason.TOKEN_NOT_YET_VALID)
    return None


def _vouch(fact: Active, exchange: Exchange) -> Exchange:
    """FR-010's context variables. A name that is absent is empty and not verified."""
    grant = fact.grant
    app_code = grant.app_code or ""
    username = grant.username or ""
    return exchange._replace(
        bk_app=BkApp(app_code, bool(app_code), grant.issuer),
        bk_user=BkUser(username, bool(username), grant.issuer),
        bk_app_code=app_code,
        audience=grant.audience,
        auth_params_location="header",
        grant=grant,
    )


def _claim_note(fact: Inactive) -> str:
    return "the answer has: " + ", ".join(fact.claims) if fact.fault is not None else ""
