"""One visit after another: the request is sent, the decision behind the answer is read, both are compared."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ostiary.demo.asking import ask
from ostiary.demo.facts import compare, facts_of
from ostiary.demo.visited import Visited
from ostiary.diagnostics.decision_log import Unreadable, read_decision
from ostiary.diagnostics.settings import decision_log_url

if TYPE_CHECKING:
    from ostiary.demo.stage import Stage
    from ostiary.demo.visit import Headers, Visit
    from ostiary.diagnostics.record import DecisionRecord

_AGAIN_SECONDS: Final = 0.1


def walk(visit: Visit, stage: Stage) -> Visited:
    """Make one visit; again, for as long as it has patience, while it does not come to what is expected. Blocks.

    Raises:
        NoAnswer: the gateway gave none.
    """
    if visit.before is not None:
        stage.happen(visit.before)
    placed = _placed(visit, stage)
    until = time.monotonic() + visit.patience_seconds
    while True:
        visited = _make(placed, stage)
        if not visited.unexpected or time.monotonic() >= until:
            return visited
        time.sleep(_AGAIN_SECONDS)


def _make(visit: Visit, stage: Stage) -> Visited:
    asked = stage.authority.introspections
    answer = ask(stage.origin, visit.method, visit.target, _with_token(visit, stage), visit.body)
    record = None if visit.unjudged else _read(answer.reference, stage)
    found = facts_of(answer, record, stage.authority.introspections - asked)
    return Visited(visit=visit, answer=answer, record=record, unexpected=compare(visit.expected, found))


def _read(reference: str, stage: Stage) -> DecisionRecord | None:
    """The very way that `ostiary explain` takes."""
    found = read_decision(decision_log_url(stage.configuration), reference)
    return None if isinstance(found, Unreadable) else found


def _with_token(visit: Visit, stage: Stage) -> Headers:
    token = "" if visit.token is None else stage.mint(visit.token)
    return tuple((name, value.replace("{token}", token)) for name, value in visit.headers)


def _placed(visit: Visit, stage: Stage) -> Visit:
    """The visit with the URLs of this run in what is expected."""
    expected = {
        name: None if wanted is None else wanted.replace("{origin}", stage.origin).replace("{issuer}", stage.issuer)
        for name, wanted in visit.expected.items()
    }
    return replace(visit, expected=expected)
