"""Access lines and their reasons, without an Envoy."""

from __future__ import annotations

import json

import pytest

from ostiary.decision.reasons import Reason
from ostiary.gateway import EdgeLine, is_recorded, parse_edge_line, reason_of

MEMBERS = {
    "time": "2026-11-03T10:00:00.000Z",
    "reference": "d45a6a55-0000-4000-8000-000000000000",
    "status": 404,
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
        ("direct_response", 404, "1:billing.other-methods", Reason.ROUTE_UNMATCHED),
        ("direct_response", 404, "guard.method", Reason.ROUTE_UNMATCHED),
        ("cluster_not_found", 404, "1:billing.preflight", Reason.ROUTE_UNMATCHED),
        ("absolute_path_rejected", 404, None, Reason.ROUTE_UNMATCHED),
        ("path_normalization_failed", 400, None, Reason.EDGE_PATH),
        ("direct_response", 400, "guard.path", Reason.EDGE_PATH),
        ("direct_response", 400, "guard.host", Reason.EDGE_MALFORMED),
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
