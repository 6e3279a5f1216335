"""`bk-oauth2-protected-resource`: which path a request takes (spec 002 FR-001..004)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from ostiary.decision.reasons import Reason
from ostiary.decision.routes import BothPresent
from ostiary.decision.verdict import Deny
from ostiary.oauth.credentials import Presented

if TYPE_CHECKING:
    from ostiary.plugins.exchange import Exchange
    from ostiary.plugins.plugin import Outcome


class ProtectedResource:
    """Reads what was presented, never a value. Legacy credentials win over a bearer token [edge case 1]."""

    name: Final = "bk-oauth2-protected-resource"
    priority: Final = 18740  # before bk-access-token-source, 18735 (FR-001)

    def run(self, exchange: Exchange) -> Outcome:
        """Set `is_bk_oauth2`, or end the request."""
        match exchange.presented:
            case Presented.BEARER:
                return exchange._replace(is_bk_oauth2=True)
            case Presented.LEGACY:
                return _legacy(exchange)
            case Presented.BOTH:
                if exchange.route.policy.both_present is BothPresent.REFUSE:
                    return Deny(Reason.CREDENTIALS_CONFLICT)
                return _legacy(exchange)
            case Presented.NONE:
                return Deny(Reason.CREDENTIALS_MISSING)
            case Presented.MALFORMED:
                return Deny(Reason.CREDENTIALS_MALFORMED)
            case _:
                assert_never(exchange.presented)


def _legacy(exchange: Exchange) -> Outcome:
    """The chain of the route decides whether anyone behind would judge legacy credentials; if not, it ends here."""
    if not exchange.route.policy.legacy_accepted:
        return Deny(Reason.LEGACY_NOT_ACCEPTED, note="is_bk_oauth2 = False")
    return exchange._replace(is_bk_oauth2=False)
