"""JSON as a peer may have meant it and as nobody can misread it (RFC 8259, RFC 7493 I-JSON).

The standard parser lets the last of two equal member names win and knows `NaN`; both have let two readers of
one text see two values. Here such a text is no JSON.
"""

from __future__ import annotations

import json
from typing import NoReturn

type_checks_only = None

MAX_DEPTH = 32

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]


class JsonFault(ValueError):
    """The bytes are not one JSON object that can be read in one way; `str()` says why and quotes nothing of it."""


def parse_object(data: bytes) -> dict[str, JsonValue]:
    """Parse one JSON object in UTF-8 without a byte-order mark.

    Raises:
        JsonFault: not UTF-8, not JSON, not an object, a member name twice, `NaN` or `Infinity`, a number beyond
            a double, nesting deeper than 32.
    """
    _refuse_depth(data)
    try:
        value: JsonValue = json.loads(
            data.decode("utf-8"),
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
    return value
