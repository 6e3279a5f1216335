"""A decision as an operator reads it: the answer, why, who, and the chain step by step."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ostiary.decision.reasons import CONSEQUENCES
from ostiary.diagnostics.record_json import compose, from_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ostiary.diagnostics.record import DecisionRecord
    from ostiary.oauth.json import JsonValue
    from ostiary.plugins.drivers import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What there is to say of a decision; texts are safe to print.

    Attributes:
        answer: such as `deny 403 audience-gateway-mismatch`.
        meaning: of the reason, a sentence; "" for an allow.
        facts: label and value, in the order of reading; what is not known is left out.
        steps: of the chain.
        members: the record, with `meaning`: for `--json`.
    """

    answer: str
    meaning: str
    facts: tuple[tuple[str, str], ...]
    steps: tuple[Step, ...]
    members: dict[str, JsonValue]

    def to_text(self) -> str:
        """Plain lines."""
        return "\n".join(_lines(self)) + "\n"


def explain(record: DecisionRecord, mask: Callable[[str], str] | None = None) -> Explanation:
    """Say what a record says.

    Args:
        record: as it was read, or as the judge made it.
        mask: what is said instead of a subject that nothing has masked.
    """
    members, data = compose(record, mask)
    record = from_json(data)  # the texts of a record that nobody has sent are not safe to print
    meaning = "" if record.reason is None else CONSEQUENCES[record.reason].meaning
    answer = " ".join([str(members[name]) for name in ("verdict", "status", "reason") if name in members])
    return Explanation(
        answer=answer,
        meaning=meaning,
        facts=tuple(_facts(record, members)),
        steps=record.steps,
        members=members | {"meaning": meaning} if meaning else members,
    )


def milliseconds(seconds: float) -> str:
    """A duration as operators read it."""
    return f"{seconds * 1000:.2f} ms"


def _facts(record: DecisionRecord, members: dict[str, JsonValue]) -> Iterator[tuple[str, str]]:
    def texts(*names: str) -> Iterator[tuple[str, str]]:
        for name in names:
            if name in members:
                yield name.replace("_", " "), str(members[name])

    yield from texts("reference")
    yield "time", _moment(record.time)
    yield "request", f"{members['method']} {members['path']}".strip()
    yield from texts("peer", "door", "route", "gateway", "resource", "disclosure")
    if record.authority is not None:
        took = "" if record.authority_seconds is None else f", {milliseconds(record.authority_seconds)}"
        yield "authority", f"{members['authority']}{took}"
    yield from texts("cache", "token_digest", "token_type")
    if record.active is not None:
        yield "active", "yes" if record.active else "no"
    yield from texts("client_id", "subject")
    if record.exp is not None:
        yield "expires", _moment(record.exp)
    yield from _lists(members, record.audience_total)
    yield "total", milliseconds(record.total_seconds)


def _lists(members: dict[str, JsonValue], audience_total: int) -> Iterator[tuple[str, str]]:
    for name in ("scopes", "audience", "claims"):
        entries = members.get(name)
        if isinstance(entries, list):
            hidden = audience_total - len(entries) if name == "audience" else 0
            more = [f"and {hidden} more"] if hidden > 0 else []
            yield name, ", ".join([str(each) for each in entries] + more) or "none"


def _moment(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(sep=" ", timespec="milliseconds")
    except (ValueError, OverflowError, OSError):  # a year that no calendar has: an authority's `exp` may say so
        return f"{seconds:.0f} s"


def _lines(explanation: Explanation) -> Iterator[str]:
    yield explanation.answer
    if explanation.meaning:
        yield f"  {explanation.meaning}"
    yield ""
    width = max([len(label) for label, _ in explanation.facts])
    for label, value in explanation.facts:
        yield f"{label:<{width}}  {value}"
    if explanation.steps:
        yield ""
        width = max([len(step.plugin) for step in explanation.steps])
        for step in explanation.steps:
            yield f"{step.outcome:<11}  {step.plugin:<{width}}  {milliseconds(step.seconds):>10}  {step.note}".rstrip()
