"""Records that the tests of this room begin with, any or made; every field can be given."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from hypothesis import strategies as st

from ostiary.decision.facts import Door
from ostiary.decision.reasons import Reason
from ostiary.decision.routes import Disclosure
from ostiary.decision.verdict import VerdictLabel
from ostiary.diagnostics.record import DecisionRecord, RecordSource
from ostiary.plugins.drivers import Step, StepOutcome


def made(**known: Any) -> DecisionRecord:
    """A refusal with as little as there may be, under a reference of its own."""
    facts: dict[str, Any] = {
        "reference": str(uuid4()),
        "time": 1_800_000_000.25,
        "door": Door.GATEWAY,
        "method": "GET",
        "path": "/a",
        "verdict": VerdictLabel.DENY,
        "status": 403,
    }
    return DecisionRecord(**(facts | known))


def allowed(**known: Any) -> DecisionRecord:
    """An allow."""
    return made(**({"verdict": VerdictLabel.ALLOW, "status": 200} | known))


seconds = st.floats(min_value=0, max_value=4e9)
wild = st.text(st.characters(), max_size=60)
maybe = st.none() | wild
records = st.builds(
    DecisionRecord,
    reference=wild,
    time=seconds,
    door=st.sampled_from(Door),
    method=wild,
    path=wild,
    verdict=st.sampled_from(VerdictLabel),
    status=st.integers(100, 599),
    source=st.sampled_from(RecordSource),
    reason=st.none() | st.sampled_from(Reason),
    disclosure=st.none() | st.sampled_from(Disclosure),
    route=maybe,
    gateway=maybe,
    resource=maybe,
    peer=wild,
    authority=maybe,
    client_id=maybe,
    subject=maybe,
    token_digest=maybe,
    token_type=maybe,
    active=st.none() | st.booleans(),
    exp=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    scopes=st.lists(wild, max_size=5).map(tuple),
    claims=st.lists(wild, max_size=5).map(tuple),
    audience=st.none() | st.lists(wild, max_size=5).map(tuple),
    cache=maybe,
    authority_seconds=st.none() | seconds,
    total_seconds=seconds,
    steps=st.lists(st.builds(Step, wild, st.sampled_from(StepOutcome), seconds, wild), max_size=5).map(tuple),
)
