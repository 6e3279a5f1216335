"""A reader of challenges, written from RFC 9110 alone (§5.6.2, §5.6.4, §11.3, §11.6.1): it shares no code with ours.

challenge  = auth-scheme 1*SP #auth-param
auth-param = token BWS "=" BWS ( token / quoted-string )
"""

from __future__ import annotations

import string
from typing import Final

_TCHAR: Final = frozenset("!#$%&'*+-.^_`|~" + string.digits + string.ascii_letters)
_QDTEXT: Final = frozenset("\t !" + "".join(map(chr, range(0x23, 0x5C))) + "".join(map(chr, range(0x5D, 0x7F))))
_QUOTABLE: Final = frozenset("\t " + "".join(map(chr, range(0x21, 0x7F))))


class GrammarError(ValueError):
    """The text is no challenge."""


def parse_challenge(text: str) -> tuple[str, dict[str, str]]:
    """The scheme, and the parameters unescaped; a name twice is refused (§11.2)."""
    reader = _Reader(text)
    scheme = reader.token()
    if reader.spaces() == 0:
        raise GrammarError("no space behind the scheme")
    parameters: dict[str, str] = {}
    while True:
        name = reader.token().lower()
        reader.expect("=")
        value = reader.quoted() if reader.peek() == '"' else reader.token()
        if name in parameters:
            raise GrammarError("a parameter twice")
        parameters[name] = value
        if reader.peek() == "":
            return scheme, parameters
        reader.expect(",")
        reader.spaces()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def expect(self, wanted: str) -> None:
        if self.peek() != wanted:
            raise GrammarError(f"{wanted!r} is missing at {self._at}")
        self._at += 1

    def spaces(self) -> int:
        return len(self._while(frozenset(" ")))

    def token(self) -> str:
        token = self._while(_TCHAR)
        if not token:
            raise GrammarError(f"a token is missing at {self._at}")
        return token

    def quoted(self) -> str:
        self.expect('"')
        value = ""
        while (character := self.peek()) != '"':
            if character == "\\":
                self._at += 1
                character = self.peek()
                allowed = _QUOTABLE
            else:
                allowed = _QDTEXT
            if character not in allowed:
                raise GrammarError(f"not in a quoted-string: {character!r}")
            self._at += 1
            value += character
        self.expect('"')
        return value

    def _while(self, allowed: frozenset[str]) -> str:
        start = self._at
        while self.peek() in allowed:
            self._at += 1
        return self._text[start : self._at]
