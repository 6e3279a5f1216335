"""A decision in words: everything that is known, nothing that a terminal obeys."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hypothesis import given
from tests.diagnostics.records import allowed, made, records

from ostiary.decision.reasons import CONSEQUENCES, Reason
from ostiary.diagnostics.explanation import explain
from ostiary.plugins.drivers import Step, StepOutcome

if TYPE_CHECKING:
    from ostiary.diagnostics.record import DecisionRecord

REFUSED = made(
    reference="6f1b3c1e-6b0f-4a45-9a35-1f4a1d9c2e11",
    path="/billing/17",
    route="billing",
    reason=Reason.AUDIENCE_GATEWAY_MISMATCH,
    authority="corp",
    authority_seconds=0.0021,
    cache="miss",
    active=True,
    client_id="reader",
    exp=1_800_000_300.0,
    audience=tuple([f"gateway:other/api:{number}" for number in range(102)]),
    total_seconds=0.0034,
    steps=(
        Step("bk-oauth2-verify", StepOutcome.PASSED, 0.0022, "asked"),
        Step("bk-oauth2-audience-validate", StepOutcome.DENIED, 0.00001, "no entry for my-gateway"),
    ),
)


def test_a_refusal_is_explained_from_answer_to_last_step() -> None:
    """`operator.md`: operators get the reason; `configuration.md`: route, plugin by plugin, reason, timings, cache."""
    text = explain(REFUSED).to_text()

    assert text.startswith("deny 403 audience-gateway-mismatch\n")
    for said in (
        CONSEQUENCES[Reason.AUDIENCE_GATEWAY_MISMATCH].meaning,
        "6f1b3c1e-6b0f-4a45-9a35-1f4a1d9c2e11",
        "GET /billing/17",
        "corp, 2.10 ms",
        "2027-01-15 08:05:00.000+00:00",
        "gateway:other/api:99, and 2 more",
        "passed       bk-oauth2-verify                2.20 ms  asked",
        "denied       bk-oauth2-audience-validate     0.01 ms  no entry for my-gateway",
    ):
        assert said in text


def test_an_allow_has_no_meaning_to_explain() -> None:
    """Ours."""
    explanation = explain(allowed())

    assert explanation.answer == "allow 200"
    assert "meaning" not in explanation.members


@given(records)
def test_whatever_a_record_holds_its_explanation_is_printable(record: DecisionRecord) -> None:
    """`attacks.md`: escape sequences in anything echoed."""
    explanation = explain(record)

    assert explanation.to_text().replace("\n", "").isprintable()
    assert json.dumps(explanation.members).isascii()
