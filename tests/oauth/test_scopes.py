"""Scopes by RFC 6749 §3.3."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.oauth.scopes import is_scope_token, parse_scope

SCOPE_TOKEN = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"\\')


@pytest.mark.parametrize("code", range(0x100))
def test_a_scope_is_visible_ascii_without_quote_and_backslash(code: int) -> None:
    """RFC 6749 §3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E )."""
    assert is_scope_token(chr(code)) == (chr(code) in SCOPE_TOKEN)


@pytest.mark.parametrize("text", ["", "a\n", "a b", "é", "a\ud800"])
def test_no_other_text_is_a_scope(text: str) -> None:
    """RFC 6749 §3.3."""
    assert not is_scope_token(text)


@given(st.lists(st.text(SCOPE_TOKEN, min_size=1), unique=True))
def test_scopes_are_read_in_their_order(tokens: list[str]) -> None:
    """RFC 6749 §3.3: separated by one space; more than one is tolerated."""
    assert parse_scope(" ".join(tokens)) == tuple(tokens)
    assert parse_scope("  ".join(tokens) + " ") == tuple(tokens)


def test_a_scope_twice_is_one() -> None:
    """RFC 6749 §3.3: it is a set."""
    assert parse_scope("b a b") == ("b", "a")
    assert parse_scope("") == ()


@pytest.mark.parametrize("text", ["a\tb", "a\nb", 'a "b"', "a \\", "a é", "a\xa0b"])
def test_a_forbidden_character_anywhere_refuses_the_whole(text: str) -> None:
    """Ours: half of a scope is another scope."""
    assert parse_scope(text) is None
