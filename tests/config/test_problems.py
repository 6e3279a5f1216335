"""How problems are told."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.config import ConfigurationError, KeyPath, Position, Problem
from ostiary.config.problems import dotted, sentence, tell_unknown


def problem(line: int, column: int, what: str = "`a` is missing", failure_class: str | None = None) -> Problem:
    where = Position(file="o.yaml", line=line, column=column)
    return Problem(where=where, key="a", what=what, hint="Add it.", failure_class=failure_class)


def test_an_error_tells_every_problem_in_the_order_of_the_file() -> None:
    """Configuration contract: every error says what, where (file:line:column) and a hint."""
    nowhere = Problem(where=None, key="", what="the file o.yaml cannot be read", hint="Name another.")
    error = ConfigurationError([problem(10, 1), problem(9, 20), problem(9, 3, failure_class="config.x"), nowhere])
    assert str(error).splitlines() == [
        "the file o.yaml cannot be read",
        "  hint: Name another.",
        "o.yaml:9:3: `a` is missing [config.x]",
        "  hint: Add it.",
        "o.yaml:9:20: `a` is missing",
        "  hint: Add it.",
        "o.yaml:10:1: `a` is missing",
        "  hint: Add it.",
    ]
    assert error.problems[0] == nowhere


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("gateway",), "gateway"),
        (("routes", 0, "match", "path"), "routes[0].match.path"),
        (("apps", "a.b", "x-y"), 'apps."a.b".x-y'),
        (("apps", "a\x1b[31m\n"), "apps.?"),
        (("k" * 65,), "?"),
        (("client_secret:hunter2",), "?"),
        (("client_secret hunter2",), "?"),
        (("",), "?"),
    ],
)
def test_a_path_is_written_with_dots_and_brackets(path: KeyPath, text: str) -> None:
    """Ours: no key that a person chose can be taken for another path, move the cursor or be a secret with its key."""
    assert dotted(path) == text


@given(st.lists(st.integers(0, 99) | st.text(max_size=60)).map(tuple))
def test_a_written_path_is_one_printable_line(path: KeyPath) -> None:
    """Ours."""
    assert dotted(path).isprintable()
    assert dotted(path).isascii()


NAMES = st.text("ab.-_", min_size=1, max_size=4)


@given(NAMES, NAMES)
def test_two_names_are_written_alike_only_if_they_are_equal(one: str, other: str) -> None:
    """Ours."""
    assert (dotted(("a", one)) == dotted(("a", other))) == (one == other)
    assert json.dumps(one) in {dotted((one,)), f'"{dotted((one,))}"'}


@pytest.mark.parametrize(
    ("key", "named"),
    [
        ("colour", True),
        ("app-code", True),
        ("client_secret", True),
        ("client_secret:hunter", False),
        ("client_secret=hunter", False),
        ("client_secret hunter", False),
        ("hunter2", False),
        ("h" * 33, False),
        ("_", False),
        ("schlüssel", False),
    ],
)
def test_an_unknown_key_is_named_only_where_it_looks_like_one(key: str, named: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """Configuration contract: messages name the key, never the value; with the blank forgotten both are one word."""
    path, what = tell_unknown(("gateway", key))
    assert (path == ("gateway", key)) is named
    assert what == ("is not a known key" if named else "has a key that is not known")


def test_a_sentence_begins_with_the_key() -> None:
    """Ours."""
    assert sentence(("a", 0), "is missing") == "`a[0]` is missing"
    assert sentence((), "is empty") == "the file is empty"
