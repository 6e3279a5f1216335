"""The operator's guide names everything that an operator can meet: each log event, metric and reason."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest
from tests.docs.markdown import ROOT, split
from tests.docs.metrics_page import TYPES

from ostiary.decision.reasons import Reason
from ostiary.oauth.introspection import Cause

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROSE: Final = split(ROOT / "docs" / "guides" / "operate.md")[0]
# What only the demo and the tests run.
_ELSEWHERE: Final = ("demo", "devserver")
_EVENT: Final = re.compile(
    r"""_log\.(?:info|warning|error)\(\s*"(?P<own>[^"]+)"     # a logger
    | self\._log\(\s*(?:"\w+"|said),\s*"(?P<said>[^"]+)"      # the gateway's `Log`
    | \{"event":\s"(?P<line>[^"]+)"                           # a line that is composed
    | \bwrite\("(?P<record>[^"]+)",\s\*\*found                # a decision record
    """,
    re.VERBOSE,
)


def _events() -> Iterator[str]:
    source = ROOT / "src" / "ostiary"
    for file in source.rglob("*.py"):
        if file.relative_to(source).parts[0] not in _ELSEWHERE:
            for found in _EVENT.finditer(file.read_text(encoding="utf-8")):
                yield next(filter(None, found.groups()))


EVENTS: Final = tuple(sorted(set(_events())))


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_of_the_log_is_explained(event: str) -> None:
    """Issue 8: the guide says what to do about each."""
    pattern = "[A-Z]+".join(map(re.escape, event.split("%s")))
    assert re.search(rf"`{pattern}`", _PROSE) is not None


def test_events_are_found_in_each_of_their_forms() -> None:
    """Ours: the search is itself tested."""
    assert {"serving", "envoy ended", "envoy", "decision", "log lines were lost: nobody read them in time"} < {*EVENTS}
    assert any("%s" in event for event in EVENTS)


def test_every_metric_reason_and_cause_is_there() -> None:
    """Issue 8: every metric with what to alert on, every refusal with what to do."""
    metrics = [row.name for rows in TYPES.values() for row in rows]
    assert [name for name in (*metrics, *Reason, *Cause) if f"`{name}`" not in _PROSE] == []
