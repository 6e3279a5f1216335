"""JSON that can be read in one way only (RFC 8259; RFC 7493, I-JSON).

The standard parser lets the last of two equal member names win, and knows `NaN`: two readers of one text have
seen two values that way. Here such a text is no JSON.
"""

from __future__ import annotations

import json
import math

MAX_DEPTH = 32
MAX_VALUES = 20_000

# A recursive alias that mypy and people can both read; what `json` returns and nothing else.
JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]


class JsonFault(ValueError):  # noqa: N818 - a fault of the peer, not of ours
    """The bytes are not one unambiguous JSON object; the text says why and quotes nothing of it."""


def parse_object(body: bytes) -> dict[str, JsonValue]:
    """Parse one JSON object in UTF-8, without a byte-order mark.

    Raises:
        JsonFault: not UTF-8, not JSON, not an object, a member name twice, `NaN` or `Infinity`, a number beyond a
            double, nesting deeper than 32, half of a surrogate pair (RFC 7493 §2.1), more than 20,000 values: before
            each of them stands a comma or what opens its container, and they are counted in strings too.
    """
    # A mebibyte of members or numbers takes a third of a second, and whoever waits in the same event loop.
    if sum(map(body.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise JsonFault("too many values")
    try:
        text = body.decode("utf-8")
        value: JsonValue = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_whole,
        )
    except UnicodeDecodeError:
        raise JsonFault("not UTF-8") from None
    except JsonFault:
        raise
    except (ValueError, RecursionError):
        raise JsonFault("not JSON") from None
    if not isinstance(value, dict):
        raise JsonFault("not a JSON object")
    _refuse_depth(value)
    if "\\ud" in text or "\\uD" in text:
        _refuse_surrogates(value)
    return value


def _unique(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise JsonFault("a member name twice")
    return members


def _no_constant(_: str) -> JsonValue:
    raise JsonFault("NaN or Infinity")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise JsonFault("a number beyond a double")
    return number


def _whole(text: str) -> int:
    _finite(text)  # also bounds the digits, so that `int` cannot be made to work for minutes
    return int(text)


def _refuse_depth(root: JsonValue) -> None:
    level: list[JsonValue] = [root]
    for _ in range(MAX_DEPTH):
        level = [child for value in level for child in _children(value)]
        if not level:
            return
    if any(isinstance(value, dict | list) for value in level):
        raise JsonFault("nested too deep")


def _refuse_surrogates(root: JsonValue) -> None:
    """An escaped half of a pair makes text that no encoder takes: it would fail far from here, in a header or a log."""
    try:
        json.dumps(root, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise JsonFault("half of a surrogate pair") from None


def _children(value: JsonValue) -> list[JsonValue]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
