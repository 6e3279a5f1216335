"""What a supervisor and its workers say to each other, and the key by which Envoy asks."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.judge.generations import (
    Drain,
    Forget,
    Load,
    Loaded,
    Message,
    MessageFault,
    Recall,
    Refused,
    parse_line,
    parse_route_key,
    route_key,
    to_line,
)

TEXTS = st.text()
NUMBERS = st.integers(min_value=0)
MESSAGES: st.SearchStrategy[Message] = st.one_of(
    st.builds(Load, number=NUMBERS, path=TEXTS, origin=TEXTS),
    st.builds(Forget, number=NUMBERS),
    st.builds(Drain),
    st.builds(Recall, reference=st.text()),
    st.builds(Loaded, number=NUMBERS),
    st.builds(Refused, number=NUMBERS, errors=TEXTS),
)


@given(MESSAGES)
def test_a_message_is_one_line_and_is_read_as_it_was_meant(message: Message) -> None:
    """Architecture, reload: JSON lines; errors of several lines are one message."""
    line = to_line(message)
    assert (line.count(b"\n"), line[-1:]) == (1, b"\n")
    assert parse_line(line) == message


def test_the_words_are_those_of_the_architecture() -> None:
    """Architecture, reload: `load n` → `loaded n` or `refused n` with its errors; `forget n`, `drain`."""
    words = [
        json.loads(to_line(each))
        for each in (
            Load(number=2, path="/var/2.yaml", origin="/etc/o.yaml"),
            Loaded(number=2),
            Refused(number=2, errors="why"),
            Forget(number=1),
            Drain(),
            Recall(reference="d45a6a55-2f0e-4e0e-9c6e-0d2a4f1f7c55"),
        )
    ]
    assert words == [
        {"verb": "load", "number": 2, "path": "/var/2.yaml", "origin": "/etc/o.yaml"},
        {"verb": "loaded", "number": 2},
        {"verb": "refused", "number": 2, "errors": "why"},
        {"verb": "forget", "number": 1},
        {"verb": "drain"},
        {"verb": "recall", "reference": "d45a6a55-2f0e-4e0e-9c6e-0d2a4f1f7c55"},
    ]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"\xff\n",
        b"drain\n",
        b"[]\n",
        b"null\n",
        b'"drain"\n',
        b"{}\n",
        b'{"verb":"purge"}\n',
        b'{"verb":["drain"]}\n',
        b'{"verb":"drain","now":true}\n',
        b'{"verb":"forget"}\n',
        b'{"verb":"forget","number":"1"}\n',
        b'{"verb":"forget","number":1.0}\n',
        b'{"verb":"forget","number":true}\n',
        b'{"verb":"forget","number":null}\n',
        b'{"verb":"load","number":1,"path":"/a"}\n',
        b'{"verb":"load","number":1,"path":"/a","origin":7}\n',
        b'{"verb":"refused","number":1,"errors":["why"]}\n',
        b'{"verb":"drain"}{"verb":"drain"}\n',
    ],
)
def test_what_is_no_message_is_a_fault_that_repeats_nothing_of_it(line: bytes) -> None:
    """Ours: a broken invariant of the other end; it is left, never guessed at."""
    with pytest.raises(MessageFault, match=r"^(not a message of this protocol|a member of the wrong type)$"):
        parse_line(line)


@given(st.binary())
def test_whatever_comes_is_a_message_or_a_fault(line: bytes) -> None:
    """Ours: no other exception."""
    with suppress(MessageFault):
        parse_line(line)


@given(st.integers(0, 10**18 - 1), st.text(min_size=1))
def test_a_key_is_read_as_it_was_made(number: int, route: str) -> None:
    """Architecture, one router: `{generation}:{route}`."""
    assert parse_route_key(route_key(number, route)) == (number, route)


@pytest.mark.parametrize(
    "key",
    [
        "",
        ":",
        "1",
        "1:",
        ":api",
        "-1:api",
        "+1:api",
        " 1:api",
        "1.0:api",
        "x:api",
        "\u00b2:a",
        "\u0661:a",
        "9" * 19 + ":a",
        "9" * 5000 + ":a",
    ],
)
def test_what_is_no_key_names_nothing(key: str) -> None:
    """Ours: an unknown generation is 503, a guessed one would be another policy."""
    assert parse_route_key(key) is None
