"""The YAML 1.2 core schema (YAML 1.2.2 §10.3.2) as one table: what a plain scalar means.

Whatever no row matches is text, so `on`, `yes`, `12:30`, `1_000`, `0b101` and dates are text.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

Scalar = None | bool | int | float | str

_INT64_BITS = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfRange:
    """A whole number that does not fit into 64 bits: no setting needs one, and some readers would round it."""


@dataclass(frozen=True, slots=True)
class _Row:
    pattern: re.Pattern[str]
    value: Callable[[str], Scalar | OutOfRange]


def _whole(radix: int, prefix: int) -> Callable[[str], int | OutOfRange]:
    def value(text: str) -> int | OutOfRange:
        digits = text[prefix:]
        # Threat: converting decimal digits takes quadratic time, so the length is looked at first.
        if len(digits.lstrip("+-0")) > _INT64_BITS:
            return OutOfRange()
        number = int(digits, radix)
        return number if -(2**_INT64_BITS) <= number < 2**_INT64_BITS else OutOfRange()

    return value


CORE_SCHEMA = (
    _Row(re.compile(r"null|Null|NULL|~|"), lambda _: None),
    _Row(re.compile(r"true|True|TRUE"), lambda _: True),
    _Row(re.compile(r"false|False|FALSE"), lambda _: False),
    _Row(re.compile(r"[-+]?[0-9]+"), _whole(10, 0)),
    _Row(re.compile(r"0o[0-7]+"), _whole(8, 2)),
    _Row(re.compile(r"0x[0-9a-fA-F]+"), _whole(16, 2)),
    _Row(re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), float),
    _Row(re.compile(r"\+?\.(inf|Inf|INF)"), lambda _: math.inf),
    _Row(re.compile(r"-\.(inf|Inf|INF)"), lambda _: -math.inf),
    _Row(re.compile(r"\.(nan|NaN|NAN)"), lambda _: math.nan),
)


def plain_value(text: str) -> Scalar | OutOfRange:
    """The value of a plain (unquoted) scalar."""
    for row in CORE_SCHEMA:
        if row.pattern.fullmatch(text):
            return row.value(text)
    return text
