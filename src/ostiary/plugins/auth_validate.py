"""`bk-auth-validate`: whom the route demands, against whom either path found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostiary.decision.reasons import Reason
from ostiary.decision.verdict import Deny

if TYPE_CHECKING:
    from ostiary.plugins.exchange import Exchange
    from ostiary.plugins.plugin import Outcome


class AuthValidate:
    """Demands a verified app, a verified user, or both. Not checked here: what they may do."""

    name: Final = "bk-auth-validate"
    priority: Final = 17680

    def run(self, exchange: Exchange) -> Outcome:
        """Deny where somebody is missing."""
        policy = exchange.route.policy
        if policy.app_required and not (exchange.bk_app is not None and exchange.bk_app.verified):
            return Deny(Reason.APP_REQUIRED)
        if policy.user_required and not (exchange.bk_user is not None and exchange.bk_user.verified):
            return Deny(Reason.USER_REQUIRED)
        return exchange
