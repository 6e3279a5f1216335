"""`bk-oauth2-audience-validate`: is the token for what is asked for (spec 002 FR-011..017)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostiary.decision.audience import WARN_ENTRIES, judge_audience
from ostiary.decision.verdict import Deny

if TYPE_CHECKING:
    from ostiary.decision.audience import AudienceJudgement
    from ostiary.plugins.exchange import Exchange
    from ostiary.plugins.plugin import Outcome


class AudienceValidate:
    """Judged on every request, never remembered: one token, two routes, two verdicts."""

    name: Final = "bk-oauth2-audience-validate"
    priority: Final = 17678  # behind bk-auth-validate (FR-011)

    def run(self, exchange: Exchange) -> Outcome:
        """Deny where no entry matches."""
        judgement = judge_audience(exchange.audience, exchange.route, exchange.path)
        note = _note(judgement)
        if judgement.refusal is not None:
            return Deny(judgement.refusal, note=note)
        return exchange.with_note(note) if note else exchange


def _note(judgement: AudienceJudgement) -> str:
    """What an operator should know; over 100 entries is worth a warning [edge case 6]."""
    if judgement.entries <= WARN_ENTRIES and not judgement.unrecognised:
        return ""
    notes = []
    if judgement.entries > WARN_ENTRIES:
        notes.append(f"warning: {judgement.entries} audience entries")
    if judgement.unrecognised:
        notes.append(f"{judgement.unrecognised} of an unknown form")
    return "; ".join(notes)
