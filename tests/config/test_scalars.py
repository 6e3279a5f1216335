"""What a plain scalar means: YAML 1.2.2 §10.3.2."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.config.scalars import OutOfRange, Scalar, plain_value

INT64 = st.integers(-(2**63), 2**63 - 1)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(text, None) for text in ("", "~", "null", "Null", "NULL")],
        *[(text, True) for text in ("true", "True", "TRUE")],
        *[(text, False) for text in ("false", "False", "FALSE")],
        ("0", 0),
        ("-0", 0),
        ("+12", 12),
        ("010", 10),
        ("0o14", 12),
        ("0xDeadBeef", 0xDEADBEEF),
        ("0x0000000000000000000000000000000000000000000000000000000000000000001", 1),
        ("1.", 1.0),
        (".5", 0.5),
        ("-1.5e-3", -0.0015),
        ("1e3", 1000.0),
        (".inf", math.inf),
        ("+.Inf", math.inf),
        ("-.INF", -math.inf),
    ],
)
def test_the_core_schema_is_read_as_it_is_written(text: str, value: Scalar) -> None:
    """YAML 1.2.2 §10.3.2."""
    found = plain_value(text)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize("text", [".nan", ".NaN", ".NAN"])
def test_not_a_number_is_read(text: str) -> None:
    """YAML 1.2.2 §10.3.2."""
    found = plain_value(text)
    assert isinstance(found, float)
    assert math.isnan(found)


@pytest.mark.parametrize(
    "text",
    [
        "on",
        "off",
        "yes",
        "no",
        "y",
        "n",
        "On",
        "OFF",
        "tRue",
        "nUll",
        "12:30",
        "1_000",
        "0b101",
        "2026-11-05",
        "2026-11-05T10:00:00Z",
        "0o8",
        "0xg",
        "-0x1",
        "+0o7",
        "1e",
        "e3",
        ".",
        "-",
        "+",
        ".Nan",
        "+.nan",
        ".infinity",
        "1.2.3",
        "٣",
        "1٣",
        "=",
        "<<",
        "0O14",
        "0X1F",
        "--1",
    ],
)
def test_what_older_yaml_took_for_something_else_is_text(text: str) -> None:
    """The contract: `on`, `off`, `yes`, `12:30` are strings."""
    assert plain_value(text) == text


@given(INT64)
def test_every_64_bit_number_is_itself(number: int) -> None:
    """Ours."""
    assert plain_value(str(number)) == number
    assert plain_value(f"{number:+d}") == number
    if number >= 0:
        assert plain_value(f"0x{number:x}") == number
        assert plain_value(f"0o{number:o}") == number


@given(st.integers(min_value=2**63) | st.integers(max_value=-(2**63) - 1))
def test_a_larger_number_is_out_of_range(number: int) -> None:
    """Ours: some reader of the same file would round it."""
    assert plain_value(str(number)) == OutOfRange()


def test_a_million_digits_are_not_converted() -> None:
    """Ours: Python refuses them with an exception of its own, and converting takes quadratic time."""
    assert plain_value("9" * 1_000_000) == OutOfRange()
    assert plain_value("0x" + "f" * 1_000_000) == OutOfRange()


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_with_a_fraction_is_itself(number: float) -> None:
    """Ours."""
    assert plain_value(repr(number)) == number


@given(st.text())
def test_no_text_raises(text: str) -> None:
    """Ours."""
    found = plain_value(text)
    assert found == text or not isinstance(found, str)
