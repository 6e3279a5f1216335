"""How a verdict is shown."""

from __future__ import annotations

import pytest

from ostiary.decision.reasons import CONSEQUENCES, Reason
from ostiary.decision.verdict import ALLOW, Deny, VerdictLabel


def test_an_allow_is_shown_as_allow() -> None:
    """Vocabulary."""
    assert ALLOW.label is VerdictLabel.ALLOW


@pytest.mark.requirement("edge-3")
@pytest.mark.parametrize("reason", Reason)
def test_a_denial_with_status_503_is_shown_as_unavailable(reason: Reason) -> None:
    """Vocabulary: nobody could tell."""
    unavailable = CONSEQUENCES[reason].status == 503
    assert Deny(reason).label is (VerdictLabel.UNAVAILABLE if unavailable else VerdictLabel.DENY)
