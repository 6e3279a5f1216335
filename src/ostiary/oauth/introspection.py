"""Token introspection (RFC 7662): what is sent, and what an answer means. What time does to it is judged elsewhere.

An answer is read against the configuration of the authority that gave it (`Expected`), and becomes one of three
things: a `Grant`, an `Inactive`, or an `Unavailable`. Not checked here: `exp` and `nbf` against a clock, audience,
scope.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple

from ostiary.oauth.json import JsonFault, JsonValue, parse_object
from ostiary.oauth.scopes import parse_scope

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_ANSWER_BYTES: Final = 1024 * 1024
MAX_NAMES: Final = 100


class ClaimFault(StrEnum):
    """Why an answer that says `active` does not count."""

    CLAIMS = "claims"  # a claim of the wrong type, `active` among them
    ISSUER = "issuer"
    TYPE = "type"  # a refresh token, an id token
    BOUND = "bound"  # RFC 9449 §7.2, RFC 8705 §3: `cnf` demands a proof that nobody checks yet
    NO_EXPIRY = "no-expiry"


class Cause(StrEnum):
    """Why an authority could not be asked. For operators; a client sees 503 for each of them."""

    REFUSED = "refused"
    TIMEOUT = "timeout"
    TLS = "tls"
    BROKEN = "broken"  # the connection or the protocol broke in the middle of the answer
    STATUS = "status"
    REDIRECT = "redirect"
    CREDENTIALS = "credentials"  # 401 or 403: it does not know *us*
    RATE_LIMITED = "rate-limited"
    NOT_JSON = "not-json"
    TOO_LARGE = "too-large"
    SIGNED = "signed"  # RFC 9701, not built
    DISCOVERY = "discovery"
    DEVELOPMENT = "development"
    OVERLOADED = "overloaded"
    BREAKER_OPEN = "breaker-open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What an active introspection vouches for.

    Attributes:
        issuer: of the authority that was asked, from our configuration; client and subject mean nothing without it.
        client_id: the client the token was issued to.
        subject: `sub`, None for a token without a resource owner.
        app_code: BlueKing's name of the client, by the authority's table of claims.
        username: BlueKing's name of the subject; None for a machine, which names itself (RFC 9068 §2.2: `sub` equals
            `client_id`), by either name that it has, whoever else another claim names.
        audience: entries in their order; None where `aud` is absent or null.
        expires_at, not_before: seconds since the epoch.
        claims: names of the answer's members, sorted, the first 100; never a value.
    """

    issuer: str
    client_id: str | None = None
    subject: str | None = None
    app_code: str | None = None
    username: str | None = None
    scopes: tuple[str, ...] = ()
    audience: tuple[str, ...] | None = None
    expires_at: float | None = None
    not_before: float | None = None
    token_type: str | None = None
    claims: tuple[str, ...] = ()


class Active(NamedTuple):
    """The authority vouches for the token.

    Attributes:
        as_of: the wall clock when this was said or, of a remembered answer, used: what `exp` is compared with.
    """

    grant: Grant
    as_of: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Inactive:
    """The authority does not vouch for the token, or (`fault`) not in terms that its configuration accepts.

    Attributes:
        active: the boolean that it said; None: it said none.
        claims: as in `Grant`.
    """

    active: bool | None = None
    fault: ClaimFault | None = None
    claims: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unavailable:
    """Nobody could tell. Never remembered, never read as a bad token.

    Attributes:
        note: one line for operators; no token, no secret, no word of the authority.
    """

    cause: Cause
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the configuration of an authority demands of its answers, and how it names things.

    Attributes:
        app_code, username: claim names in the order of preference.
    """

    issuer: str
    require_exp: bool = True
    app_code: tuple[str, ...] = ("client_id",)
    username: tuple[str, ...] = ("sub",)


INACTIVE: Final = Inactive()


def read_answer(*, status: int, media_type: str, body: bytes, expected: Expected) -> Grant | Inactive | Unavailable:
    """Read an RFC 7662 answer.

    Args:
        status: of the HTTP response.
        media_type: its `Content-Type` without parameters, lower case, or "".
        body: at most `MAX_ANSWER_BYTES`.
        expected: the authority's configuration.
    """
    read = read_object(status=status, media_type=media_type, body=body)
    return read_claims(read, expected) if isinstance(read, dict) else read


def read_object(*, status: int, media_type: str, body: bytes) -> dict[str, JsonValue] | Inactive | Unavailable:
    """The JSON object of a 200, or what another answer means."""
    if status == HTTPStatus.BAD_REQUEST and _says_unsupported_type(body):
        return INACTIVE
    if status != HTTPStatus.OK:
        return Unavailable(cause=_CAUSES.get(status, _cause_of_class(status)), note=f"status {status}")
    if media_type == "application/token-introspection+jwt":
        return Unavailable(cause=Cause.SIGNED)
    if len(body) > MAX_ANSWER_BYTES:
        return Unavailable(cause=Cause.TOO_LARGE)
    try:
        return parse_object(body)
    except JsonFault as fault:
        return Unavailable(cause=Cause.NOT_JSON, note=str(fault))


def read_claims(answer: Mapping[str, JsonValue], expected: Expected) -> Grant | Inactive:
    """Judge the members of an answer, all but the times."""
    names = tuple(sorted(answer)[:MAX_NAMES])
    active = answer.get("active")
    if active is False:
        return Inactive(active=False, claims=names)
    if active is not True:  # "true", 1 and null are not the boolean true
        return Inactive(fault=ClaimFault.CLAIMS, claims=names)
    fault = _fault(answer, expected)
    if fault is not None:
        return Inactive(active=True, fault=fault, claims=names)
    client_id = _text(answer, ("client_id",))
    subject = _text(answer, ("sub",))
    app_code = _text(answer, expected.app_code)
    username = _text(answer, expected.username)
    machine = {client_id, app_code} - {None}
    return Grant(
        issuer=expected.issuer,
        client_id=client_id,
        subject=subject,
        app_code=app_code,
        username=None if machine & {subject, username} else username,
        scopes=parse_scope(_text(answer, ("scope",)) or "") or (),
        audience=_audience(answer.get("aud")),
        expires_at=_seconds(answer.get("exp")),
        not_before=_seconds(answer.get("nbf")),
        token_type=_text(answer, ("token_type",)),
        claims=names,
    )


def read_verification(
    answer: Mapping[str, JsonValue],
    expected: Expected,
) -> Grant | Inactive:
    """Read spec 002's `{"data": {"bk_app_code", "bk_username", "audience"}}`.

    It has no `active`: `data` stands for it. `"result": false`, an `error` or no `data` is a token that the authority
    does not know. There is no `exp` on that wire unless the authority adds one.
    """
    names = tuple(sorted(answer)[:MAX_NAMES])
    data = answer.get("data")
    if data is None or answer.get("result") is False or answer.get("error") is not None:
        return Inactive(active=False, claims=names)
    if not isinstance(data, dict):
        return Inactive(fault=ClaimFault.CLAIMS, claims=names)
    return read_claims({"active": True, "aud": data.get("audience")} | data, expected)


_CAUSES: Final = {401: Cause.CREDENTIALS, 403: Cause.CREDENTIALS, 429: Cause.RATE_LIMITED}
_TEXTS: Final = ("client_id", "sub", "bk_app_code", "bk_username", "scope")
_BEARER_TYPES: Final = frozenset({"bearer", "access_token"})
_ACCESS_USES: Final = frozenset({"access_token", "access"})


def _cause_of_class(status: int) -> Cause:
    """RFC 9110 §15.4: 3xx sends us elsewhere, and we do not go."""
    return Cause.REDIRECT if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST else Cause.STATUS


def _says_unsupported_type(body: bytes) -> bool:
    try:
        return parse_object(body[: MAX_ANSWER_BYTES + 1]).get("error") == "unsupported_token_type"
    except JsonFault:
        return False


def _is_typed(answer: Mapping[str, JsonValue]) -> bool:
    scope = answer.get("scope")
    return (
        all(isinstance(answer.get(name), str | None) for name in _TEXTS)
        and all(_is_number(answer[name]) for name in ("exp", "nbf", "iat") if name in answer)
        and _is_audience(answer.get("aud"))
        and not (isinstance(scope, str) and parse_scope(scope) is None)
    )


def _fault(answer: Mapping[str, JsonValue], expected: Expected) -> ClaimFault | None:
    if not _is_typed(answer):
        return ClaimFault.CLAIMS
    if "cnf" in answer:
        return ClaimFault.BOUND
    if "iss" in answer and answer["iss"] != expected.issuer:
        return ClaimFault.ISSUER
    if not _is_one_of(answer, "token_type", _BEARER_TYPES) or not _is_one_of(answer, "token_use", _ACCESS_USES):
        return ClaimFault.TYPE
    if any(not isinstance(answer.get(name), str | None) for name in expected.app_code + expected.username):
        return ClaimFault.CLAIMS
    return ClaimFault.NO_EXPIRY if expected.require_exp and "exp" not in answer else None


def _is_one_of(answer: Mapping[str, JsonValue], name: str, allowed: frozenset[str]) -> bool:
    if name not in answer:
        return True
    value = answer[name]
    return isinstance(value, str) and value.lower() in allowed


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_audience(value: JsonValue) -> bool:
    return isinstance(value, str | None) or (isinstance(value, list) and all(isinstance(entry, str) for entry in value))


def _audience(value: JsonValue) -> tuple[str, ...] | None:
    if isinstance(value, list):
        return tuple(entry for entry in value if isinstance(entry, str))
    return (value,) if isinstance(value, str) else None


def _seconds(value: JsonValue) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _text(answer: Mapping[str, JsonValue], names: tuple[str, ...]) -> str | None:
    """The first that is there and not empty."""
    for name in names:
        value = answer.get(name)
        if isinstance(value, str) and value:
            return value
    return None
