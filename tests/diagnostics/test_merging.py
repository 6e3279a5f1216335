"""One request, two records: what becomes of them does not depend on which came first."""

from __future__ import annotations

from hypothesis import assume, given
from tests.diagnostics.records import allowed, made, records

from ostiary.decision.facts import Door
from ostiary.decision.reasons import Reason
from ostiary.decision.verdict import VerdictLabel
from ostiary.diagnostics.merging import edge_record, merge
from ostiary.diagnostics.record import DecisionRecord, RecordSource
from ostiary.plugins.drivers import Step, StepOutcome

HEAD = (Step("bk-oauth2-verify", StepOutcome.PASSED, 0.1),)
BODY = (Step("mcp-body", StepOutcome.DENIED, 0.2),)


def test_what_envoy_says_of_a_refusal_of_the_judge_adds_nothing() -> None:
    """`operator.md`: no line for an `ext_authz_denied` whose reference the judge recorded."""
    judged = made(reason=Reason.TOKEN_INACTIVE, status=401, steps=HEAD)
    edge = edge_record(reference=judged.reference, time=judged.time, status=401, reason=Reason.EDGE_DECISION)

    assert merge(judged, edge) == judged
    assert merge(edge, judged) == judged


def test_where_envoy_could_not_pass_a_refusal_on_the_record_says_what_the_client_got() -> None:
    """operator.md, `explain`: an answer that came too late, or that Envoy could not read, is not what was sent."""
    judged = made(reason=Reason.SCOPE_MISSING, status=403, steps=HEAD)
    edge = edge_record(reference=judged.reference, time=judged.time, status=503, reason=Reason.EDGE_DECISION)

    one = merge(judged, edge)

    assert one == merge(edge, judged)
    assert (one.verdict, one.status, one.reason) == (VerdictLabel.UNAVAILABLE, 503, Reason.EDGE_DECISION)
    assert one.steps == HEAD


def test_a_refusal_of_envoy_behind_an_allow_keeps_the_steps() -> None:
    """`operator.md`: where the judge had allowed, the two become one record, steps kept."""
    judged = allowed(steps=HEAD, client_id="reader", total_seconds=0.01)
    edge = edge_record(
        reference=judged.reference,
        time=judged.time - 1,
        status=503,
        reason=Reason.EDGE_UPSTREAM,
        duration_seconds=0.5,
    )

    one = merge(judged, edge)

    assert one == merge(edge, judged)
    assert (one.verdict, one.status, one.reason) == (VerdictLabel.UNAVAILABLE, 503, Reason.EDGE_UPSTREAM)
    assert (one.steps, one.client_id, one.total_seconds) == (HEAD, "reader", 0.5)
    assert one.source is RecordSource.EDGE


def test_head_and_body_of_one_request_become_one_record() -> None:
    """`operator.md`: an MCP POST is asked twice: one record with both lists of steps."""
    head = allowed(steps=HEAD, client_id="reader", cache="miss", authority_seconds=0.3, total_seconds=0.4)
    body = made(
        reference=head.reference,
        time=head.time + 0.5,
        steps=BODY,
        reason=Reason.PLUGIN_FAILED,
        cache="hit",
        total_seconds=0.1,
    )

    one = merge(body, head)

    assert one == merge(head, body)
    assert (one.verdict, one.reason, one.time) == (VerdictLabel.DENY, Reason.PLUGIN_FAILED, head.time)
    assert one.steps == HEAD + BODY
    assert (one.client_id, one.cache, one.authority_seconds, one.total_seconds) == ("reader", "miss", 0.3, 0.5)


def test_an_edge_record_says_unavailable_for_503_and_deny_for_all_else() -> None:
    """`operator.md`: verdict by status."""
    labels = [
        edge_record(reference="r", time=1, status=status, reason=Reason.EDGE_OTHER).verdict
        for status in (400, 404, 413, 502, 503, 504)
    ]

    assert labels == [VerdictLabel.DENY] * 4 + [VerdictLabel.UNAVAILABLE] + [VerdictLabel.DENY]
    assert edge_record(reference="r", time=1, status=400, reason=Reason.EDGE_PATH).door is Door.GATEWAY


@given(records, records)
def test_the_order_of_arrival_changes_nothing(one: DecisionRecord, other: DecisionRecord) -> None:
    """Ours: datagrams of two processes arrive in any order."""
    assume(one.time != other.time)

    assert merge(one, other) == merge(other, one)
