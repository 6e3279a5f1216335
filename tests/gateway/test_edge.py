"""Access lines, their reasons, and the records that are made of them; without an Envoy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.waiting import until

from ostiary.config import load_bytes
from ostiary.decision.facts import Door
from ostiary.decision.reasons import Reason
from ostiary.decision.verdict import VerdictLabel
from ostiary.diagnostics.decision_log import read_decision
from ostiary.diagnostics.metrics import Metrics
from ostiary.diagnostics.outlet import SOCKET_NAME
from ostiary.diagnostics.record import DecisionRecord, RecordSource
from ostiary.diagnostics.settings import DECISION_LOG, decision_log_url
from ostiary.diagnostics.sink import RecordSink
from ostiary.gateway import EdgeLine, is_recorded, parse_edge_line, reason_of
from ostiary.gateway.records import Records

if TYPE_CHECKING:
    from pathlib import Path

MEMBERS = {
    "time": "2026-11-03T10:00:00.000Z",
    "reference": "d45a6a55-0000-4000-8000-000000000000",
    "status": 404,
    "error": None,
    "details": "direct_response",
    "flags": "-",
    "method": "GET",
    "path": "/zzz",
    "route": "nothing",
    "peer": "127.0.0.1",
    "duration_ms": 0,
}


def line(**members: object) -> EdgeLine:
    """A parsed line."""
    parsed = parse_edge_line(json.dumps(MEMBERS | members).encode())
    assert parsed is not None
    return parsed


@pytest.mark.parametrize(
    ("details", "status", "route", "reason"),
    [
        ("direct_response", 404, "nothing", Reason.ROUTE_UNMATCHED),
        ("direct_response", 404, "1:billing:other-methods", Reason.ROUTE_UNMATCHED),
        ("cluster_not_found", 404, "1:billing:preflight", Reason.ROUTE_UNMATCHED),
        ("direct_response", 404, "guard.method", Reason.ROUTE_UNMATCHED),
        ("absolute_path_rejected", 404, None, Reason.ROUTE_UNMATCHED),
        ("path_normalization_failed", 400, None, Reason.EDGE_PATH),
        ("direct_response", 400, "guard.path", Reason.EDGE_PATH),
        ("direct_response", 400, "guard.host", Reason.EDGE_MALFORMED),
        ("direct_response", 400, "guard.forwarded", Reason.EDGE_MALFORMED),
        ("http1.unexpected_underscore", 400, None, Reason.EDGE_MALFORMED),
        ("http1.codec_error", 400, None, Reason.EDGE_MALFORMED),
        ("http1.content_length_and_chunked_not_allowed", 400, None, Reason.EDGE_MALFORMED),
        ("http.invalid_authority", 400, None, Reason.EDGE_MALFORMED),
        ("missing_host_header", 400, None, Reason.EDGE_MALFORMED),
        ("upgrade_failed", 400, "1:billing", Reason.EDGE_MALFORMED),
        ("http1.headers_too_large", 431, None, Reason.EDGE_HEADERS),
        ("http1.too_many_headers", 431, None, Reason.EDGE_HEADERS),
        ("request_payload_too_large", 413, "1:billing", Reason.EDGE_BODY_TOO_LARGE),
        ("request_header_timeout", 408, None, Reason.EDGE_TIMEOUT),
        ("stream_idle_timeout", 504, "1:billing", Reason.EDGE_TIMEOUT),
        ("upstream_reset_before_response_started{connection_termination}", 503, "1:b", Reason.EDGE_UPSTREAM),
        ("upstream_reset_before_response_started{protocol_error}", 502, "1:b", Reason.EDGE_UPSTREAM),
        ("no_healthy_upstream", 503, "1:b", Reason.EDGE_UPSTREAM),
        ("cluster_not_found", 503, "1:b", Reason.EDGE_UPSTREAM),
        ("ext_authz_error", 503, "1:b", Reason.EDGE_DECISION),
        ("ext_authz_denied", 403, "1:b", Reason.EDGE_DECISION),
        ("rbac_access_denied_matched_policy[none]", 503, "1:b", Reason.EDGE_GATE),
        ("low_version", 426, None, Reason.EDGE_OTHER),
        ("http1.invalid_transfer_encoding", 501, None, Reason.EDGE_OTHER),
        ("overload", 503, None, Reason.EDGE_OTHER),
        ("something_new", 418, "1:b", Reason.EDGE_OTHER),
    ],
)
def test_the_details_name_the_reason(details: str, status: int, route: str | None, reason: Reason) -> None:
    """gateway.md, Reasons: Envoy's own, from its code details."""
    assert reason_of(line(details=details, status=status, route=route)) is reason


def test_a_line_is_read_as_envoy_wrote_it() -> None:
    """NOTES, access lines."""
    assert line() == EdgeLine(
        time="2026-11-03T10:00:00.000Z",
        reference="d45a6a55-0000-4000-8000-000000000000",
        status=404,
        details="direct_response",
        flags="-",
        method="GET",
        path="/zzz",
        route="nothing",
        peer="127.0.0.1",
        duration_ms=0,
    )


@pytest.mark.parametrize(
    ("status", "error", "told"),
    [
        (200, "1640401", 404),
        (200, "1640001", 400),
        (200, "1642600", 426),
        (200, None, 200),
        (200, "x", 200),
        (503, "1640100", 503),
        (404, None, 404),
        (200, "0", 200),
        (200, "9999999", 200),
        (200, "9" * 5000, 200),
        (200, "\u0661640401", 200),
    ],
)
def test_a_refusal_of_grpc_counts_as_the_refusal_that_it_is(status: int, error: str | None, told: int) -> None:
    """operator.md, decision record: of every refusal; gRPC carries its own status behind a 200."""
    assert line(status=status, error=error).status == told
    assert line(status=status, error=error, upstream_ms=3).status == status


@pytest.mark.parametrize(
    "text",
    [b"", b"[", b"[]", b"null", b"{}", b'"x"', b"\xff", json.dumps(MEMBERS | {"status": "404"}).encode()]
    + [json.dumps(MEMBERS | {name: 1}).encode() for name in ("reference", "details", "path", "route")],
)
def test_what_is_no_access_line_is_none(text: bytes) -> None:
    """ours: standard output is read whatever comes."""
    assert parse_edge_line(text) is None


@pytest.mark.parametrize(
    ("members", "recorded"),
    [
        ({"status": 404}, True),
        ({"status": 503, "details": "ext_authz_error"}, True),
        ({"status": 401, "details": "ext_authz_denied"}, True),
        ({"status": 200, "details": "direct_response"}, False),
        ({"status": 0, "details": "http2.unexpected_underscore", "reference": None}, False),
        ({"status": 499, "details": "downstream_remote_disconnect"}, False),
    ],
)
def test_a_record_is_made_of_refusals_that_somebody_may_ask_for(members: dict[str, object], *, recorded: bool) -> None:
    """operator.md, decision record: status >= 400, none for `downstream_*` or status 0."""
    assert is_recorded(line(**members)) is recorded


@pytest.mark.anyio
@pytest.mark.parametrize("worker_records", [True, False])
async def test_a_denial_of_the_judge_is_recorded_and_counted_once(tmp_path: Path, *, worker_records: bool) -> None:
    """operator.md, decision record: Envoy writes a line for what the worker has recorded and counted already.

    Where the worker's record never came, Envoy's line is all that there is, and it is kept.
    """
    configuration = load_bytes(b"version: 1\ndata_dir: .\n", [DECISION_LOG], {}, origin=tmp_path / "ostiary.yaml")
    metrics, recalled = Metrics(), list[str]()
    records = Records(configuration, metrics, recalled.append)
    await until((tmp_path / SOCKET_NAME).exists)
    # Not yet too old to be kept, whenever this runs.
    denial = line(status=401, details="ext_authz_denied", route="1:billing", time="2999-11-03T10:00:00.000Z")
    assert denial.reference is not None
    if worker_records:
        judged = DecisionRecord(
            reference=denial.reference,
            time=32_500_000_000.0,
            door=Door.GATEWAY,
            method="GET",
            path="/zzz",
            verdict=VerdictLabel.DENY,
            status=401,
            reason=Reason.TOKEN_INACTIVE,
        )
        worker = RecordSink(data_dir=configuration.data_dir, settings=configuration.require(DECISION_LOG))
        worker.send(judged)
        worker.close()
    records.edge(denial)
    await records.aclose()
    found = read_decision(decision_log_url(configuration), denial.reference)
    assert isinstance(found, DecisionRecord)
    expected = (
        (RecordSource.JUDGE, Reason.TOKEN_INACTIVE) if worker_records else (RecordSource.EDGE, Reason.EDGE_DECISION)
    )
    assert (found.source, found.reason, found.status) == (*expected, 401)
    assert b"ostiary_decisions_total{" not in metrics.exposition()  # the worker counts what it judges
    assert recalled == []


@pytest.mark.anyio
@pytest.mark.parametrize("rendered", ["1:billing", "1:billing:other-methods", "1:billing:preflight"])
async def test_a_record_names_the_route_and_not_what_was_rendered_beside_it(tmp_path: Path, rendered: str) -> None:
    """ours: operators look for the name in their file."""
    configuration = load_bytes(b"version: 1\ndata_dir: .\n", [DECISION_LOG], {}, origin=tmp_path / "ostiary.yaml")
    records = Records(configuration, Metrics(), lambda _: None)
    await until((tmp_path / SOCKET_NAME).exists)
    refused = line(route=rendered, time="2999-11-03T10:00:00.000Z")
    assert refused.reference is not None
    records.edge(refused)
    await records.aclose()
    found = read_decision(decision_log_url(configuration), refused.reference)
    assert isinstance(found, DecisionRecord)
    assert (found.route, found.reason) == ("billing", Reason.ROUTE_UNMATCHED)
