"""The second belt: whatever looks like a credential is taken out of a line before it is written.

The first is that nothing of the kind is ever handed to a record or a logger. Only characters that credentials are made
of are replaced, never a quote or a backslash, so JSON stays JSON.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import MutableMapping

REDACTED: Final = "[redacted]"

# RFC 6750 §2.1 b64token and RFC 9110 §11.2 token68; `%` for what was escaped in a path.
_CREDENTIAL: Final = r"[A-Za-z0-9\-._~+/%=]+"
_SCHEMES: Final = ("bearer", "basic", "dpop")
# What we say of schemes ourselves, and a challenge (`Bearer realm="…"`).
_NO_CREDENTIAL: Final = r"(?!(?:tokens?|credentials?|authentication)(?![A-Za-z0-9\-._~+/%=]))(?![a-z_]+=\\?\")"
_SECRETS: Final = ("access_token", "refresh_token", "id_token", "bk_token", "bk_ticket", "password", "secret")
_SECRET: Final = "(?:" + "|".join(_SECRETS) + ")"
# To the end of a word, a parameter or a string; not what is redacted already, and not what follows an empty string.
_VALUE: Final = r"(?!\[redacted\]|:)[^\s\"'\\&,;}\])]+"


@dataclass(frozen=True, slots=True)
class _Shape:
    """One shape of a credential. Only a text with one of the words, in lower case, is searched: searching is dear."""

    words: tuple[str, ...]
    pattern: re.Pattern[str]


_SHAPES: Final = (
    # A member of an object or of its `repr`; a parameter of a form. First: what follows a scheme may hold one.
    _Shape(_SECRETS, re.compile(rf"({_SECRET}\\*[\"']\s*:\s*b?\\*[\"']){_VALUE}", re.IGNORECASE)),
    _Shape(_SECRETS, re.compile(rf"({_SECRET}\s*(?:=|:|%3d)\s*(?>b?(?:\\*[\"'])?)){_VALUE}", re.IGNORECASE)),
    # A scheme and what follows it; the gap may have been escaped, once or twice.
    _Shape(
        tuple([scheme + gap for scheme in _SCHEMES for gap in (" ", "\t", "%", "\\")]),
        re.compile(
            r"\b((?:" + "|".join(_SCHEMES) + r")(?: |\t|%20|%09|\\{1,2}t)+)" + _NO_CREDENTIAL + _CREDENTIAL,
            re.IGNORECASE,
        ),
    ),
    # RFC 7519: a JWT begins with an object, `{"`, in base64url.
    _Shape(("eyj",), re.compile(r"()\beyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)*")),
    # RFC 3986 §3.2.1: user information.
    _Shape(("://",), re.compile(r"(://)[^/\s\"'@\\]+(?=@)")),
    # RFC 7468, whole or cut off; in JSON a line end is an escape.
    _Shape(("private key-",), re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----)(?:[A-Za-z0-9+/=\s]|\\[nr])+")),
)
_SCALARS: Final = frozenset({str, int, float, bool, type(None)})
_SECRET_KEYS: Final = frozenset(
    {
        "authorization",
        "proxy_authorization",
        "x_bkapi_authorization",
        "cookie",
        "set_cookie",
        "token",
        "private_key",
        "client_secret",
        "app_secret",
        "bk_app_secret",
        *_SECRETS,
    }
)


def redact(text: str) -> str:
    """The text without what looks like a credential."""
    lower = text.lower()
    for shape in _SHAPES:
        if any(word in lower for word in shape.words):
            text = shape.pattern.sub(rf"\1{REDACTED}", text)
    return text


def redact_event(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """For structlog, before rendering: members with a credential's name lose their value, whatever it is."""
    return {name: _redact_member(name, value) for name, value in event.items()}


def redact_line(_logger: object, _method: str, line: Any) -> str:
    """For structlog, after rendering: the line, which a renderer before it made of the event."""
    return redact(str(line))


class RedactingFilter(logging.Filter):
    """For `logging`, on a handler: the message is put together and redacted before anything formats it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, its message and its traceback redacted text."""
        text = record.getMessage()
        if record.exc_info:
            text = f"{text}\n{_PLAIN.formatException(record.exc_info)}"
        record.msg, record.args, record.exc_info, record.exc_text = redact(text), None, None, None
        return True


_PLAIN: Final = logging.Formatter()


def _redact_member(name: object, value: Any) -> Any:
    if type(name) is str and _names_secret(name):
        return REDACTED
    return value if type(value) in _SCALARS else _redact_value(value)


@lru_cache(maxsize=1024)
def _names_secret(name: str) -> bool:
    return name.lower().replace("-", "_") in _SECRET_KEYS


def _redact_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _redact_member(name, inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [inner if type(inner) in _SCALARS else _redact_value(inner) for inner in value]
    return value
