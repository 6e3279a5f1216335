"""How problems are told."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.config import ConfigurationError, KeyPath, Position, Problem
from ostiary.config.problems import dotted, sentence


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
        (("a\x1b[31m\n",), '"a\\u001b[31m\\n"'),
        (("k" * 65,), '"' + "k" * 64 + '\\u2026"'),
    ],
)
def test_a_path_is_written_with_dots_and_brackets(path: KeyPath, text: str) -> None:
    """Ours: no key that a person chose can be taken for another path or move the cursor."""
    assert dotted(path) == text


@given(st.lists(st.integers(0, 99) | st.text(max_size=60)).map(tuple))
def test_a_written_path_is_one_printable_line(path: KeyPath) -> None:
    """Ours."""
    assert dotted(path).isprintable()
    assert dotted(path).isascii()


@given(st.text(max_size=60), st.text(max_size=60))
def test_two_keys_are_written_alike_only_if_they_are_equal(one: str, other: str) -> None:
    """Ours."""
    assert (dotted(("a", one)) == dotted(("a", other))) == (one == other)
    assert json.dumps(one) in {dotted((one,)), f'"{dotted((one,))}"'}


def test_a_sentence_begins_with_the_key() -> None:
    """Ours."""
    assert sentence(("a", 0), "is missing") == "`a[0]` is missing"
    assert sentence((), "is empty") == "the file is empty"
