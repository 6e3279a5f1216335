"""The closed list of reasons and what each does."""

from __future__ import annotations

import re
from http import HTTPStatus

import pytest

from ostiary.decision.reasons import CONSEQUENCES, Reason
from ostiary.oauth.challenge import BearerError

PLAIN = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]+")


def test_every_reason_has_its_row_and_every_row_its_reason() -> None:
    """Conventions 6, 10: a reason nobody described would be a refusal nobody can explain."""
    assert set(CONSEQUENCES) == set(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_a_slug_is_lower_case_words_and_its_name_in_code_is_the_same(reason: Reason) -> None:
    """Ours: dashboards and runbooks hold them."""
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", reason.value)
    assert reason.name == reason.value.upper().replace("-", "_")


@pytest.mark.parametrize("reason", Reason)
def test_a_text_can_stand_in_a_challenge_and_a_meaning_is_a_sentence(reason: Reason) -> None:
    """RFC 6750 §3: no DQUOTE, no backslash, visible ASCII and spaces."""
    row = CONSEQUENCES[reason]
    assert row.meaning.endswith(".")
    if row.status is None:
        assert row.text == ""
    else:
        assert PLAIN.fullmatch(row.text)


def _rows() -> list[tuple[str, int | None, str, bool, BearerError | None]]:
    """gateway.md's tables, read by a person: reason, status, text, challenge, error code."""
    token, scope, request = BearerError.INVALID_TOKEN, BearerError.INSUFFICIENT_SCOPE, BearerError.INVALID_REQUEST
    edges = ("path", "malformed", "headers", "body-too-large", "timeout", "upstream", "decision", "gate", "other")
    return [
        ("credentials-missing", 401, "no valid authentication header found", True, None),
        ("credentials-malformed", 400, "malformed credentials", True, request),
        ("credentials-conflict", 400, "two kinds of credentials", True, request),
        ("legacy-not-accepted", 400, "legacy credentials are not accepted here", False, None),
        ("route-unmatched", 404, "API not found", False, None),
        ("target-not-canonical", 400, "target is not canonical", False, None),
        ("policy-empty", 403, "no policy allows this", False, None),
        ("token-format", 401, "invalid token format", True, token),
        ("token-inactive", 401, "invalid token", True, token),
        ("token-claims", 401, "invalid token", True, token),
        ("token-issuer", 401, "invalid token", True, token),
        ("token-type", 401, "invalid token", True, token),
        ("token-bound", 401, "invalid token", True, token),
        ("token-expired", 401, "token expired", True, token),
        ("token-not-yet-valid", 401, "token not yet valid", True, token),
        ("token-no-expiry", 401, "token has no expiry", True, token),
        ("app-required", 403, "token names no app", True, scope),
        ("user-required", 403, "token names no user", True, scope),
        ("scope-missing", 403, "insufficient scope", True, scope),
        ("audience-empty", 403, "empty audience", True, scope),
        ("audience-too-many", 403, "audience mismatch", True, scope),
        ("audience-unrecognised", 403, "audience mismatch", True, scope),
        ("audience-mcp-mismatch", 403, "mcp_server not in audience", True, scope),
        ("audience-gateway-mismatch", 403, "gateway/api not authorized", True, scope),
        ("audience-resource-mismatch", 403, "audience mismatch", True, scope),
        (
            "audience-mcp-wrong-gateway",
            403,
            "mcp_server audience is valid only for gateway bk-apigateway",
            True,
            scope,
        ),
        ("audience-mcp-no-path", 403, "mcp_server not in audience", True, scope),
        ("authority-unavailable", 503, "authorization server unavailable", False, None),
        ("authority-overloaded", 503, "authorization server unavailable", False, None),
        ("generation-unknown", 503, "service unavailable", False, None),
        ("plugin-failed", 503, "service unavailable", False, None),
        ("judge-failed", 503, "service unavailable", False, None),
        *((f"edge-{edge}", None, "", False, None) for edge in edges),
    ]


@pytest.mark.requirement("FR-013", "FR-017", "SC-007", "US4-4", "edge-2", "edge-3")
def test_the_list_is_the_contracts_to_the_letter() -> None:
    """gateway.md, reasons; 002 FR-013, FR-017, SC-007, edge cases 2 and 3."""
    listed = [(reason.value, row.status, row.text, row.challenge, row.error) for reason, row in CONSEQUENCES.items()]
    assert sorted(listed, key=lambda row: row[0]) == sorted(_rows(), key=lambda row: row[0])


@pytest.mark.parametrize("reason", Reason)
def test_an_error_code_goes_with_its_status(reason: Reason) -> None:
    """RFC 6750 §3.1: invalid_request 400, invalid_token 401, insufficient_scope 403, and none without a challenge."""
    row = CONSEQUENCES[reason]
    statuses = {
        BearerError.INVALID_REQUEST: HTTPStatus.BAD_REQUEST,
        BearerError.INVALID_TOKEN: HTTPStatus.UNAUTHORIZED,
        BearerError.INSUFFICIENT_SCOPE: HTTPStatus.FORBIDDEN,
    }
    if row.error is not None:
        assert row.challenge
        assert row.status == statuses[row.error]
    if row.status == HTTPStatus.UNAUTHORIZED:
        assert row.challenge  # RFC 9110 §15.5.2


@pytest.mark.parametrize("reason", [reason for reason in Reason if CONSEQUENCES[reason].status == 503])
def test_could_not_tell_never_challenges(reason: Reason) -> None:
    """Conventions 3: a challenge would tell a client to throw a good token away."""
    assert not CONSEQUENCES[reason].challenge
