"""Durations (`300s`, `5m`, `200ms`) and sizes (`64KiB`): text with a unit in the file, seconds and bytes inside."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ValidationInfo, WithJsonSchema

from ostiary.config.settings import expected

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}

DURATION_PATTERN = r"^[0-9]{1,9}(ms|s|m|h|d)$"
SIZE_PATTERN = r"^[0-9]{1,9}(B|KiB|MiB|GiB)$"

_DURATION = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)")
_SIZE = re.compile(r"([0-9]{1,9})(B|KiB|MiB|GiB)")


def parse_duration(text: object) -> float | None:
    """Seconds, or None for what is no duration. Milliseconds are divided, so that `200ms` is exactly 0.2."""
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    number, unit = int(match[1]), match[2]
    return number / 1000 if unit == "ms" else number * SECONDS[unit]


def parse_size(text: object) -> int | None:
    """Bytes, or None for what is no size."""
    match = _SIZE.fullmatch(text) if isinstance(text, str) else None
    return int(match[1]) * BYTES[match[2]] if match else None


def duration_text(seconds: float) -> str:
    """The shortest way to write it in the file."""
    milliseconds = round(seconds * 1000)
    for unit in ("d", "h", "m", "s"):
        whole = round(SECONDS[unit] * 1000)
        if milliseconds and milliseconds % whole == 0:
            return f"{milliseconds // whole}{unit}"
    return f"{milliseconds}ms" if milliseconds else "0s"


def size_text(size: int) -> str:
    """The shortest way to write it in the file."""
    for unit in ("GiB", "MiB", "KiB"):
        if size and size % BYTES[unit] == 0:
            return f"{size // BYTES[unit]}{unit}"
    return f"{size}B"


def _duration(value: object, info: ValidationInfo) -> float:
    if info.mode == "python" and isinstance(value, int | float):
        return value
    seconds = parse_duration(value)
    if seconds is None:
        raise expected("a duration such as `300s`", "A whole number with its unit: ms, s, m, h or d.")
    return seconds


def _size(value: object, info: ValidationInfo) -> int:
    if info.mode == "python" and isinstance(value, int):
        return value
    size = parse_size(value)
    if size is None:
        raise expected("a size such as `64KiB`", "A whole number with its unit: B, KiB, MiB or GiB.")
    return size


Duration = Annotated[float, BeforeValidator(_duration), WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN})]
"""Seconds. In the file a number without a unit is refused; code that makes a model by hand writes numbers."""

Size = Annotated[int, BeforeValidator(_size), WithJsonSchema({"type": "string", "pattern": SIZE_PATTERN})]
"""Bytes. In the file a number without a unit is refused; code that makes a model by hand writes numbers."""


def within(lowest: str, highest: str | None = None) -> AfterValidator:
    """Demand a duration or size between two bounds, both included: `"1ms", "60s"`, in `Annotated` behind the type.

    Raises:
        ValueError: when a bound is neither a duration nor a size.
    """
    low = _bound(lowest)
    high = None if highest is None else _bound(highest)
    phrase = f"at least `{lowest}`" if highest is None else f"from `{lowest}` to `{highest}`"

    def judge(value: float) -> float:
        if value < low or (high is not None and value > high):
            raise expected(phrase, "Other values make no sense here.")
        return value

    return AfterValidator(judge)


def _bound(text: str) -> float:
    seconds, size = parse_duration(text), parse_size(text)
    if seconds is None and size is None:
        raise ValueError(f"{text!r} is neither a duration nor a size")
    return seconds if seconds is not None else float(size or 0)


LiftableDuration = Annotated[Duration, within("1ms", "3650d")] | Literal["none"]
"""Seconds, or `none`: there is no limit. (Null, where a field allows it, inherits.) Never zero: some read it so."""

LiftableSize = Annotated[Size, within("1B", "1024GiB")] | Literal["none"]
"""Bytes, or `none`: there is no limit. (Null, where a field allows it, inherits.) Never zero: some read it so."""
