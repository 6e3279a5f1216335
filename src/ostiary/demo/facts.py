"""What can be said of a visit afterwards, as names and texts: a table that expectations are compared with.

status                  of the answer
says                    the reason that the client may read, from the error's message
header NAME             of the answer
body MEMBER.MEMBER      a leaf of the answer's JSON
upstream                the API that answered; absent: none was reached
upstream path           the path that reached it
upstream header NAME    a header that reached it
asked                   how many questions the authorization server got
verdict, reason, cache  of the decision record
decided path            the path that was judged
steps, notes            the plugins that ran, what they noted
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ostiary.plugins.drivers import StepOutcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ostiary.demo.asking import Answer
    from ostiary.diagnostics.record import DecisionRecord

_REASON_SHOWN: Final = re.compile(r'.*\[reason="([^"]*)"\]')


@dataclass(frozen=True, slots=True, kw_only=True)
class Unexpected:
    """A fact that is not what it should be; None: absent."""

    name: str
    expected: str | None
    found: str | None

    def __str__(self) -> str:
        return f"{self.name}: expected {_quoted(self.expected)}, found {_quoted(self.found)}"


def facts_of(answer: Answer, record: DecisionRecord | None, asked: int) -> dict[str, str]:
    """All that is known of one visit."""
    return dict([*_of_answer(answer), *(() if record is None else _of_record(record)), ("asked", str(asked))])


def compare(expected: Mapping[str, str | None], facts: Mapping[str, str]) -> tuple[Unexpected, ...]:
    """Every expectation that is not met."""
    return tuple(
        Unexpected(name=name, expected=wanted, found=facts.get(name))
        for name, wanted in expected.items()
        if facts.get(name) != wanted
    )


def _of_answer(answer: Answer) -> Iterator[tuple[str, str]]:
    yield "status", str(answer.status)
    yield from ((f"header {name}", value) for name, value in answer.headers.items())
    document = answer.document()
    if isinstance(document, dict) and "upstream" in document:
        yield from _of_echo(document)
        return
    leaves = dict(_leaves(document))
    yield from ((f"body {path}", value) for path, value in leaves.items())
    shown = _REASON_SHOWN.fullmatch(leaves.get("message", ""))
    if shown is not None:
        yield "says", shown[1]


def _of_echo(echo: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    yield "upstream", str(echo["upstream"])
    yield "upstream path", str(echo.get("path"))
    pairs = echo.get("headers")
    for name, value in pairs if isinstance(pairs, list) else ():
        yield f"upstream header {name}", str(value)


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _leaves(member, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        yield path, " ".join([str(each) for each in value])
    elif value is not None:
        yield path, str(value)


def _of_record(record: DecisionRecord) -> Iterator[tuple[str, str]]:
    yield "verdict", record.verdict
    yield "decided path", record.path
    if record.reason is not None:
        yield "reason", record.reason
    if record.cache is not None:
        yield "cache", record.cache
    ran = [step for step in record.steps if step.outcome is not StepOutcome.SKIPPED]
    yield "steps", " ".join([step.plugin for step in ran])
    yield "notes", "; ".join([step.note for step in ran if step.note])


def _quoted(text: str | None) -> str:
    return "nothing" if text is None else repr(text)
