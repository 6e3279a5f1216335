"""`bk-oauth2-scope-validate`: all scopes that the route names (RFC 6750 §3.1 `insufficient_scope`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostiary.decision.reasons import Reason
from ostiary.decision.verdict import Deny

if TYPE_CHECKING:
    from ostiary.plugins.exchange import Exchange
    from ostiary.plugins.plugin import Outcome


class ScopeValidate:
    """All are needed, and the one refusal names all, so that a client steps up once."""

    name: Final = "bk-oauth2-scope-validate"
    priority: Final = 17677

    def run(self, exchange: Exchange) -> Outcome:
        """Deny where a scope is missing."""
        needed = exchange.route.policy.scopes
        granted = exchange.grant.scopes if exchange.grant is not None else ()
        missing = [scope for scope in needed if scope not in granted]
        if missing:
            return Deny(Reason.SCOPE_MISSING, scopes=needed, note="missing: " + " ".join(missing))
        return exchange
