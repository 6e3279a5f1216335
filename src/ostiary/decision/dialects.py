"""How a refusal is written. `bkapi` is the BlueKing gateway's error body, which deployed clients parse."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.decision.refusal import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Bytes for the wire. Header names are in lower case; `content-length` is the server's."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Dialect(Protocol):
    """Writes a refusal; pure."""

    def __call__(self, refusal: Refusal, reference: str) -> Answer:
        """The answer that a client gets; `reference` is the request id an operator can look up."""
        ...


@dataclass(frozen=True, slots=True)
class BkapiError:
    """A row of BlueKing's table of errors."""

    code: int
    name: str
    message: str


_ERRORS: Final[Mapping[int, BkapiError]] = {
    400: BkapiError(1640001, "INVALID_ARGS", "Parameters error"),
    401: BkapiError(1640100, "UNAUTHORIZED", "Unauthorized"),
    403: BkapiError(1640301, "APP_NO_PERMISSION", "App has no permission to the resource"),
    404: BkapiError(1640401, "API_NOT_FOUND", "API not found"),
    413: BkapiError(1641301, "BODY_SIZE_LIMIT_EXCEED", "Request body size too large."),
    429: BkapiError(1642901, "RATE_LIMIT_RESTRICTION", "API rate limit exceeded"),
    500: BkapiError(1650001, "INTERNAL_SERVER_ERROR", "Internal Server Error"),
    502: BkapiError(1650200, "BAD_GATEWAY", "Bad Gateway"),
    503: BkapiError(1650300, "SERVICE_UNAVAILABLE", "Service Unavailable"),
    504: BkapiError(1650401, "REQUEST_BACKEND_TIMEOUT", "Request backend service timeout"),
}

CONTENT_TYPE: Final = "application/json; charset=utf-8"


def bkapi_error(status: int) -> BkapiError:
    """The row of a status; one that BlueKing does not name is derived from its HTTP phrase."""
    row = _ERRORS.get(status)
    if row is not None:
        return row
    phrase = HTTPStatus(status).phrase
    name = phrase.upper().replace(" ", "_").replace("-", "_")
    return BkapiError(1600000 + 100 * status, name, phrase)


def bkapi_body(error: BkapiError, message: str) -> bytes:
    """The body; `message` is the row's, perhaps with a reason behind it."""
    members = {"code": error.code, "code_name": error.name, "message": message, "result": False, "data": None}
    return json.dumps(members, ensure_ascii=True, separators=(",", ":")).encode("ascii")


def bkapi_headers(error: BkapiError, message: str) -> tuple[tuple[str, str], ...]:
    """The headers that repeat the body for clients that read only headers."""
    return (
        ("x-bkapi-error-code", str(error.code)),
        ("x-bkapi-error-message", message),
        ("cache-control", "no-store"),
    )


def bkapi(refusal: Refusal, reference: str) -> Answer:
    """Write a refusal as the gateway does: the same fields in body and headers, the reference twice."""
    error = bkapi_error(refusal.status)
    message = error.message if refusal.text is None else error.message + ' [reason="' + refusal.text + '"]'
    return Answer(
        status=refusal.status,
        headers=(
            ("content-type", CONTENT_TYPE),
            *bkapi_headers(error, message),
            *refusal.headers,
            ("x-request-id", reference),
            ("x-bkapi-request-id", reference),
        ),
        body=bkapi_body(error, message),
    )
