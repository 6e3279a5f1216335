"""The one reading of a host."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.decision.hosts import HOST_PATTERN, Host, parse_host


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("A.example", Host("a.example", None)),
        ("a:80", Host("a", 80)),
        ("a.:080", Host("a", 80)),
        ("a_b.example-1", Host("a_b.example-1", None)),
        ("127.0.0.1:65535", Host("127.0.0.1", 65535)),
        ("[::1]:0", Host("[::1]", 0)),
        ("[FE80::1]", Host("[fe80::1]", None)),
    ],
)
def test_a_host_is_compared_in_lower_case_and_without_its_last_dot(text: str, read: Host) -> None:
    """RFC 9110 §4.2.3; RFC 3986 §3.2.2."""
    assert parse_host(text) == read
    assert parse_host(str(read)) == read


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "a..", "a..b", ".a", "a:", "a:x", "a:+1", "a:٣", "a:123456", "a:1:2", "a/b", "u@a", "a,b", "a b"),
        *("a\n", "ä.example", "a%2e", "[::1", "::1", "[::1]x", "[]"),
    ],
)
def test_another_form_is_no_host(text: str) -> None:
    """attacks.md, path confusion: what two readers could read differently is not read at all."""
    assert parse_host(text) is None


@given(st.text("aA0._-:[]@,/ \n٣", max_size=12))
def test_envoy_reads_what_we_read(text: str) -> None:
    """Ours: it has dropped the last dot before its guard looks."""
    without_dot = re.sub(r"\.(?=(:[^:\]]*)?\Z)", "", text)
    assert (re.fullmatch(HOST_PATTERN, without_dot) is None) == (parse_host(text) is None)
