"""What a client sends to the endpoints: a form, and who it says it is. Read strictly; what cannot be read is None."""

from __future__ import annotations

from base64 import b64decode
from typing import Final
from urllib.parse import parse_qsl, unquote_plus, urlsplit

Form = dict[str, list[str]]

MAX_BODY_BYTES: Final = 64 * 1024
_REPEATABLE: Final = frozenset({"audience", "resource"})  # RFC 8707 §2, and `audience` like it


def parse_form(media_type: str, body: bytes) -> Form | None:
    """Read `application/x-www-form-urlencoded` in UTF-8 (RFC 6749 appendix B).

    Parameters without a value count as absent, a repeated one makes the request malformed (§3.2).

    Args:
        media_type: the `Content-Type` as sent.
        body: as sent.
    """
    if media_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        return None
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body), errors="strict")
    except ValueError:  # not ASCII, not UTF-8 behind the percent signs, a pair without `=`
        return None
    form: Form = {}
    for name, value in pairs:
        if value:
            form.setdefault(name, []).append(value)
    repeated = any(len(values) > 1 for name, values in form.items() if name not in _REPEATABLE)
    return None if repeated else form


def parse_basic(authorization: str) -> tuple[str, str] | None:
    """Client id and secret of `client_secret_basic` (RFC 6749 §2.3.1): each form-encoded, joined, then Base64."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, colon, secret = b64decode(encoded.strip(), validate=True).decode("ascii").partition(":")
        pair = (unquote_plus(client_id, errors="strict"), unquote_plus(secret, errors="strict"))
    except ValueError:  # not Base64, not ASCII, not UTF-8 behind the percent signs
        return None
    return pair if colon else None


def is_resource(text: str) -> bool:
    """RFC 8707 §2: an absolute URI without a fragment."""
    try:
        return bool(urlsplit(text).scheme) and "#" not in text
    except ValueError:
        return False
