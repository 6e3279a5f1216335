"""Durations and sizes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.config import (
    Duration,
    LiftableDuration,
    LiftableSize,
    Section,
    Settings,
    Size,
    duration_text,
    size_text,
    within,
)
from ostiary.config.quantities import DURATION_PATTERN, SIZE_PATTERN, parse_duration, parse_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostiary.config import Configuration, Problem

    Loading = Callable[..., Configuration]
    Refusing = Callable[..., tuple[Problem, ...]]


class Limits(Settings):
    timeout: Duration = 1.0
    size: Size = 1
    lifted: LiftableDuration | None = None
    body: LiftableSize | None = None
    bounded: Annotated[Duration, within("1ms", "60s")] = 1.0
    large: Annotated[Size, within("1KiB")] = 1024


LIMITS = Section(name="limits", model=Limits)


@pytest.mark.parametrize(
    ("text", "seconds"), [("200ms", 0.2), ("0s", 0.0), ("300s", 300.0), ("5m", 300.0), ("1h", 3600.0), ("7d", 604800.0)]
)
def test_a_duration_is_seconds(text: str, seconds: float) -> None:
    """Configuration contract: durations are `300s`, `5m`, `200ms`."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"), [("0B", 0), ("512B", 512), ("64KiB", 65536), ("1MiB", 1 << 20), ("2GiB", 1 << 31)]
)
def test_a_size_is_bytes(text: str, size: int) -> None:
    """Configuration contract: sizes are `64KiB`."""
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "value",
    ["", "5", "s", "5 s", "5S", "-5s", "1.5s", "5sec", "1h30m", "5s\n", "\u0665s", "1234567890s", 5, 5.0, None, True],
)
def test_anything_else_is_no_duration(value: object) -> None:
    """Ours: a number without a unit is guessed wrong sooner or later."""
    assert parse_duration(value) is None


@pytest.mark.parametrize("value", ["", "64", "64K", "64KB", "64kib", "64 KiB", "-1B", "1.5KiB", 64, None])
def test_anything_else_is_no_size(value: object) -> None:
    """Ours: KB is 1000 to one reader and 1024 to another."""
    assert parse_size(value) is None


@given(st.integers(0, 10**9 - 1))
def test_writing_and_reading_a_duration_agree(milliseconds: int) -> None:
    """Ours: `ostiary schema` shows defaults as the file writes them."""
    text = duration_text(milliseconds / 1000)
    assert parse_duration(text) == milliseconds / 1000
    assert re.search(DURATION_PATTERN, text)


@given(st.integers(0, 10**9 - 1))
def test_writing_and_reading_a_size_agree(size: int) -> None:
    """Ours: `ostiary schema` shows defaults as the file writes them."""
    text = size_text(size)
    assert parse_size(text) == size
    assert re.search(SIZE_PATTERN, text)


def test_quantities_come_out_of_the_file_as_numbers(loaded: Loading) -> None:
    """Configuration contract."""
    file = loaded("limits: {timeout: 200ms, size: 64KiB, lifted: none, body: null, bounded: 60s, large: 1KiB}", LIMITS)
    assert file.require(LIMITS) == Limits(timeout=0.2, size=65536, lifted="none", body=None, bounded=60.0, large=1024)


def test_a_refused_quantity_says_how_to_write_it(problems: Refusing) -> None:
    """Configuration contract: what and a hint."""
    found = problems("limits: {timeout: 5, size: 64, lifted: 5, body: x, bounded: 61s, large: 1B}", LIMITS)
    assert [problem.what for problem in found] == [
        "`limits.timeout` must be a duration such as `300s`",
        "`limits.size` must be a size such as `64KiB`",
        "`limits.lifted` must be a duration such as `300s` or `none`",
        "`limits.body` must be a size such as `64KiB` or `none`",
        "`limits.bounded` must be from `1ms` to `60s`",
        "`limits.large` must be at least `1KiB`",
    ]
    assert found[0].hint == "A whole number with its unit: ms, s, m, h or d."


@pytest.mark.parametrize("text", ["0s", "0ms", "0d", "3651d", "999999999d"])
def test_a_limit_is_lifted_by_its_word_alone(problems: Refusing, text: str) -> None:
    """Configuration contract: `none` lifts it; a zero would have done so silently, and Envoy takes no such ages."""
    (problem,) = problems(f"limits: {{lifted: {text}}}", LIMITS)
    assert problem.what == "`limits.lifted` must be from `1ms` to `3650d` or `none`"


def test_a_bound_that_is_no_quantity_is_a_mistake_of_the_model() -> None:
    """Ours."""
    with pytest.raises(ValueError, match="neither a duration nor a size"):
        within("60")
