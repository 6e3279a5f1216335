"""What a request comes to: `Allow` or `Deny`. *Could not tell* is a `Deny` whose reason has status 503."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from ostiary.decision.reasons import CONSEQUENCES, Reason

if TYPE_CHECKING:
    from collections.abc import Mapping


class VerdictLabel(StrEnum):
    """How a verdict is shown: in records, metrics, the API and `decide`."""

    ALLOW = "allow"
    DENY = "deny"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Allow:
    """Goes on. Whom the request is from is told by the exchange."""

    @property
    def label(self) -> VerdictLabel:
        """Always `allow`."""
        return VerdictLabel.ALLOW


@dataclass(frozen=True, slots=True)
class Deny:
    """Ends here.

    Attributes:
        reason: from the closed list.
        scopes: all scopes the resource needs, where scopes are the cause.
        note: one line for operators, never shown to a client; no token, no secret.
        retry_after_seconds: for a 503; a day's at most.
    """

    reason: Reason
    scopes: tuple[str, ...] = ()
    note: str = ""
    retry_after_seconds: int = 1

    @property
    def label(self) -> VerdictLabel:
        """`unavailable` where nobody could tell, else `deny`."""
        return _LABELS[self.reason]


Verdict = Allow | Deny

ALLOW: Final = Allow()

_LABELS: Final[Mapping[Reason, VerdictLabel]] = {
    reason: VerdictLabel.UNAVAILABLE if row.status == HTTPStatus.SERVICE_UNAVAILABLE else VerdictLabel.DENY
    for reason, row in CONSEQUENCES.items()
}
