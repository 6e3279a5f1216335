"""A decision record as JSON: one line, at most 32 KiB, what is at its default left out.

It travels so from the doors to the writer, and lies so in the decision log.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NoReturn

from ostiary.decision.facts import Door
from ostiary.decision.reasons import Reason
from ostiary.decision.routes import Disclosure
from ostiary.decision.verdict import VerdictLabel
from ostiary.diagnostics.record import DecisionRecord, RecordSource, visible
from ostiary.diagnostics.redaction import redact
from ostiary.plugins.drivers import Step, StepOutcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ostiary.oauth.json import JsonValue

MAX_RECORD_BYTES: Final = 32 * 1024
MAX_ENTRIES: Final = 100
MAX_PATH: Final = 1024  # characters

_DEFAULTS: Final = {
    "source": RecordSource.JUDGE,
    "reason": None,
    "disclosure": None,
    "route": None,
    "gateway": None,
    "resource": None,
    "peer": "",
    "authority": None,
    "client_id": None,
    "subject": None,
    "token_digest": None,
    "token_type": None,
    "active": None,
    "exp": None,
    "scopes": (),
    "claims": (),
    "audience": None,
    "cache": None,
    "authority_seconds": None,
    "total_seconds": 0.0,
}
_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class RecordFault(ValueError):  # noqa: N818 - a fault of the sender
    """The bytes are no record; the text quotes nothing of them."""


def compose(record: DecisionRecord, mask: Callable[[str], str] | None = None) -> tuple[dict[str, JsonValue], bytes]:
    """A record's members in a fixed order, and the same as redacted JSON in UTF-8.

    Every text becomes `visible`, every list has at most 100 entries. What is still too long loses its steps' notes,
    then entries of its lists, audience first.

    Args:
        record: as it was made.
        mask: what is said instead of the subject.
    """
    found = _members(record, mask)
    data = redact(_encode(found)).encode()
    for cut in _CUTS:
        if len(data) <= MAX_RECORD_BYTES:
            break
        cut(found)
        data = redact(_encode(found)).encode()
    return found, data


def to_json(record: DecisionRecord) -> bytes:
    """The record in UTF-8, at most 32 KiB, on one line; the subject as it is."""
    return compose(record)[1]


def from_json(data: bytes) -> DecisionRecord:
    """Read what `to_json` wrote.

    Raises:
        RecordFault: it is something else.
    """
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise RecordFault("not JSON") from None
    if not isinstance(found, dict):
        raise RecordFault("not an object")
    read = _Members(found)
    try:
        return DecisionRecord(
            reference=read.text("reference"),
            time=read.number("time"),
            door=Door(read.text("door")),
            method=read.text("method"),
            path=read.text("path"),
            verdict=VerdictLabel(read.text("verdict")),
            status=int(read.number("status")),
            source=RecordSource(read.text("source", RecordSource.JUDGE)),
            reason=None if (reason := read.text_or_none("reason")) is None else Reason(reason),
            disclosure=None if (shown := read.text_or_none("disclosure")) is None else Disclosure(shown),
            route=read.text_or_none("route"),
            gateway=read.text_or_none("gateway"),
            resource=read.text_or_none("resource"),
            peer=read.text("peer", ""),
            authority=read.text_or_none("authority"),
            client_id=read.text_or_none("client_id"),
            subject=read.text_or_none("subject"),
            token_digest=read.text_or_none("token_digest"),
            token_type=read.text_or_none("token_type"),
            active=read.truth_or_none("active"),
            exp=read.number_or_none("exp"),
            scopes=read.texts("scopes") or (),
            claims=read.texts("claims") or (),
            audience=read.texts("audience"),
            audience_total=int(read.number("audience_total", 0)),
            cache=read.text_or_none("cache"),
            authority_seconds=read.number_or_none("authority_seconds"),
            total_seconds=read.number("total_seconds", 0.0),
            steps=tuple([_step(each) for each in read.objects("steps")]),
        )
    except RecordFault:
        raise
    except (ValueError, OverflowError):
        raise RecordFault("a word that no record has") from None


class _Members:
    """The members of a JSON object, each asked for by the type that it must have."""

    __slots__ = ("_found",)

    def __init__(self, found: Mapping[str, object]) -> None:
        self._found = found

    def text(self, name: str, default: str | None = None) -> str:
        value = self._found.get(name, default)
        return value if isinstance(value, str) else _refuse(name)

    def text_or_none(self, name: str) -> str | None:
        return self.text(name) if name in self._found else None

    def number(self, name: str, default: float | None = None) -> float:
        value = self._found.get(name, default)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else _refuse(name)

    def number_or_none(self, name: str) -> float | None:
        return self.number(name) if name in self._found else None

    def truth_or_none(self, name: str) -> bool | None:
        value = self._found.get(name)
        return value if isinstance(value, bool | None) else _refuse(name)

    def texts(self, name: str) -> tuple[str, ...] | None:
        if name not in self._found:
            return None
        value = self._found[name]
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return tuple(value)
        return _refuse(name)

    def objects(self, name: str) -> list[_Members]:
        value = self._found.get(name, [])
        if isinstance(value, list) and all(isinstance(each, dict) for each in value):
            return [_Members(each) for each in value]
        return _refuse(name)


def _refuse(name: str) -> NoReturn:
    raise RecordFault(f"{name} is missing or of another type")


def _members(record: DecisionRecord, mask: Callable[[str], str] | None) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {
        "reference": visible(record.reference),
        "time": record.time,
        "door": record.door,
        "verdict": record.verdict,
        "status": record.status,
        "method": visible(record.method),
        "path": visible(record.path, MAX_PATH),
    }
    for name, default in _DEFAULTS.items():
        value = getattr(record, name)
        if value == default:
            continue
        if type(value) is str:
            found[name] = visible(value)
        elif type(value) is tuple:
            found[name] = [visible(each) for each in value[:MAX_ENTRIES]]
            if name == "audience":
                found["audience_total"] = record.audience_total or len(value)
        else:
            found[name] = value
    if record.subject is not None and mask is not None:
        found["subject"] = mask(record.subject)
    if record.steps:
        found["steps"] = [_step_members(step) for step in record.steps[:MAX_ENTRIES]]
    return found


def _step_members(step: Step) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {
        "plugin": visible(step.plugin),
        "outcome": step.outcome,
        "seconds": step.seconds,
    }
    if step.note:
        found["note"] = visible(step.note)
    return found


def _step(read: _Members) -> Step:
    return Step(read.text("plugin"), StepOutcome(read.text("outcome")), read.number("seconds"), read.text("note", ""))


def _cut_notes(found: dict[str, JsonValue]) -> None:
    steps = found.get("steps")
    for step in steps if isinstance(steps, list) else ():
        if isinstance(step, dict):
            step.pop("note", None)


def _keep(name: str, entries: int) -> Callable[[dict[str, JsonValue]], None]:
    def cut(found: dict[str, JsonValue]) -> None:
        entries_now = found.get(name)
        if isinstance(entries_now, list):
            found[name] = entries_now[:entries]

    return cut


# Behind the last there are at most twenty texts of 256 characters and the path, 4 bytes each.
_CUTS: Final = (
    _cut_notes,
    _keep("audience", 25),
    _keep("audience", 0),
    _keep("scopes", 2),
    _keep("claims", 2),
    _keep("steps", 4),
)
