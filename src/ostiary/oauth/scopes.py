"""Scope (RFC 6749 §3.3): a list of case-sensitive strings, separated by one space, order without meaning."""

from __future__ import annotations

import re
from typing import Final

# scope-token = 1*( %x21 / %x23-5B / %x5D-7E )
_SCOPE_TOKEN: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")


def is_scope_token(text: str) -> bool:
    """Whether one scope may stand in a token request, in an introspection answer and in a challenge."""
    return _SCOPE_TOKEN.fullmatch(text) is not None


def parse_scope(text: str) -> tuple[str, ...] | None:
    """The scopes in their order, without repetition; None when a character is not allowed. `""` has no scopes."""
    tokens = tuple(dict.fromkeys(token for token in text.split(" ") if token))
    return tokens if all(map(is_scope_token, tokens)) else None
