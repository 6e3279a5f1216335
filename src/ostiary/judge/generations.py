"""What a supervisor and its decision workers say to each other about generations of the configuration.

JSON lines over an inherited socket pair, one message a line. The supervisor says `load n`, the worker answers
`loaded n` or `refused n` with its errors; then `forget n`, `recall REFERENCE`, `drain`. A worker that hears nothing
more (the other end is closed) ends: it never outlives its supervisor.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Final


class MessageFault(ValueError):  # noqa: N818 - a fault of the other end
    """A line that is none of the messages below; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Supervisor: load generation `number` from the copy at `path`; relative paths stay relative to `origin`."""

    number: int
    path: str
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget:
    """Supervisor: nobody asks by generation `number` any more."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """Supervisor: finish what is being judged, and end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Worker: generation `number` can be asked. The first one is said when the sockets are bound."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Worker: generation `number` cannot be loaded; the old ones stay. `errors` is text for the log."""

    number: int
    errors: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """Supervisor: Envoy answered `reference` itself, after your decision; record that, if you still have it."""

    reference: str


Message = Load | Forget | Drain | Recall | Loaded | Refused

_VERBS: Final[dict[str, type[Message]]] = {
    "load": Load,
    "forget": Forget,
    "drain": Drain,
    "recall": Recall,
    "loaded": Loaded,
    "refused": Refused,
}
_MAX_DIGITS: Final = 18  # `int` raises beyond 4,300
_NAMES: Final = {kind: verb for verb, kind in _VERBS.items()}


def to_line(message: Message) -> bytes:
    """One line, newline included."""
    return json.dumps({"verb": _NAMES[type(message)]} | asdict(message), separators=(",", ":")).encode() + b"\n"


def parse_line(line: bytes) -> Message:
    """Read one line.

    Raises:
        MessageFault: not one of the messages, or a member is missing, unknown or of the wrong type.
    """
    try:
        members = json.loads(line)
        kind = _VERBS[members.pop("verb")]
        message = kind(**members)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise MessageFault("not a message of this protocol") from None
    wanted = {"number": int, "path": str, "origin": str, "errors": str, "reference": str}
    if any(type(value) is not wanted[name] for name, value in asdict(message).items()):
        raise MessageFault("a member of the wrong type")
    return message


def route_key(generation: int, route: str) -> str:
    """The name by which Envoy knows a route, and by which it asks: `{generation}:{route}`."""
    return f"{generation}:{route}"


def parse_route_key(key: str) -> tuple[int, str] | None:
    """Generation and route of a key; None when it has another form. Total: no key makes it raise."""
    number, colon, route = key.partition(":")
    is_number = len(number) <= _MAX_DIGITS and number.isascii() and number.isdecimal()
    return (int(number), route) if is_number and colon and route else None
