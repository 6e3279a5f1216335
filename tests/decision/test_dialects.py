"""BlueKing's error body, which deployed clients parse."""

from __future__ import annotations

import json
from http import HTTPStatus

import pytest
from tests.samples import REFERENCE, ROUTE

from ostiary.decision.dialects import bkapi, bkapi_error
from ostiary.decision.reasons import CONSEQUENCES, Reason
from ostiary.decision.refusal import Refusal, refuse
from ostiary.decision.verdict import Deny


@pytest.mark.parametrize(
    ("status", "code", "name", "message"),
    [
        (400, 1640001, "INVALID_ARGS", "Parameters error"),
        (401, 1640100, "UNAUTHORIZED", "Unauthorized"),
        (403, 1640301, "APP_NO_PERMISSION", "App has no permission to the resource"),
        (404, 1640401, "API_NOT_FOUND", "API not found"),
        (413, 1641301, "BODY_SIZE_LIMIT_EXCEED", "Request body size too large."),
        (429, 1642901, "RATE_LIMIT_RESTRICTION", "API rate limit exceeded"),
        (500, 1650001, "INTERNAL_SERVER_ERROR", "Internal Server Error"),
        (502, 1650200, "BAD_GATEWAY", "Bad Gateway"),
        (503, 1650300, "SERVICE_UNAVAILABLE", "Service Unavailable"),
        (504, 1650401, "REQUEST_BACKEND_TIMEOUT", "Request backend service timeout"),
        (405, 1640500, "METHOD_NOT_ALLOWED", "Method Not Allowed"),
        (408, 1640800, "REQUEST_TIMEOUT", "Request Timeout"),
        (426, 1642600, "UPGRADE_REQUIRED", "Upgrade Required"),
        (431, 1643100, "REQUEST_HEADER_FIELDS_TOO_LARGE", "Request Header Fields Too Large"),
        (501, 1650100, "NOT_IMPLEMENTED", "Not Implemented"),
        (203, 1620300, "NON_AUTHORITATIVE_INFORMATION", "Non-Authoritative Information"),
    ],
)
def test_a_status_has_its_row(status: int, code: int, name: str, message: str) -> None:
    """gateway.md, error body."""
    row = bkapi_error(status)
    assert (row.code, row.name, row.message) == (code, name, message)


@pytest.mark.parametrize("status", HTTPStatus)
def test_every_status_of_http_has_a_row_that_a_header_can_hold(status: HTTPStatus) -> None:
    """gateway.md, error body: other S."""
    row = bkapi_error(status)
    assert 1_610_000 <= row.code < 1_660_000
    assert row.message.isascii()
    assert row.message.isprintable()


@pytest.mark.requirement("FR-017", "SC-007", "US4-4")
def test_a_refusal_is_written_to_the_letter() -> None:
    """gateway.md, error body; 002 FR-017: the reason behind the message."""
    answer = bkapi(refuse(Deny(Reason.AUDIENCE_EMPTY), route=ROUTE, path="/billing"), REFERENCE)
    challenge = (
        'Bearer resource_metadata="https://bkapi.example.com/.well-known/oauth-protected-resource?resource=%2Fbilling"'
        ', error="insufficient_scope", error_description="empty audience"'
    )
    assert answer.status == 403
    assert answer.headers == (
        ("content-type", "application/json; charset=utf-8"),
        ("x-bkapi-error-code", "1640301"),
        ("x-bkapi-error-message", 'App has no permission to the resource [reason="empty audience"]'),
        ("cache-control", "no-store"),
        ("www-authenticate", challenge),
        ("x-request-id", REFERENCE),
        ("x-bkapi-request-id", REFERENCE),
    )
    assert json.loads(answer.body) == {
        "code": 1640301,
        "code_name": "APP_NO_PERMISSION",
        "message": 'App has no permission to the resource [reason="empty audience"]',
        "result": False,
        "data": None,
    }


@pytest.mark.requirement("SC-007")
@pytest.mark.parametrize("reason", [reason for reason in Reason if CONSEQUENCES[reason].status is not None])
def test_header_and_body_say_the_same_and_no_name_stands_twice(reason: Reason) -> None:
    """gateway.md: `X-Bkapi-Error-Message` equals the body's `message`."""
    answer = bkapi(refuse(Deny(reason), route=ROUTE, path="/billing"), REFERENCE)
    headers = dict(answer.headers)
    body = json.loads(answer.body)
    assert len(headers) == len(answer.headers)
    assert headers["x-bkapi-error-message"] == body["message"]
    assert headers["x-bkapi-error-code"] == str(body["code"])
    assert headers["x-request-id"] == headers["x-bkapi-request-id"] == REFERENCE
    assert headers["cache-control"] == "no-store"
    assert body["message"].endswith(f'[reason="{CONSEQUENCES[reason].text}"]')
    assert answer.body.isascii()


def test_without_a_text_the_message_is_the_base_message() -> None:
    """gateway.md, disclosure `generic`."""
    refusal = Refusal(status=401, headers=(), reason=Reason.TOKEN_INACTIVE, text=None)
    assert json.loads(bkapi(refusal, REFERENCE).body)["message"] == "Unauthorized"
