"""A question is resumed with its own facts."""

from __future__ import annotations

import pytest
from tests.samples import GRANT, NOW

from ostiary.oauth.credentials import RawToken
from ostiary.oauth.introspection import INACTIVE, Active, Cause, Unavailable
from ostiary.plugins.questions import Introspect, UnexpectedFactError

QUESTION = Introspect(authority="corp", token=RawToken("t"))


@pytest.mark.parametrize("fact", [Active(grant=GRANT, as_of=NOW), INACTIVE, Unavailable(cause=Cause.TIMEOUT)])
def test_a_question_yields_itself_and_returns_the_fact(fact: object) -> None:
    """architecture.md, the keystone."""
    asking = QUESTION.ask()
    assert next(asking) is QUESTION
    with pytest.raises(StopIteration) as end:
        asking.send(fact)  # type: ignore[arg-type]  # drawn
    assert end.value.value is fact


@pytest.mark.parametrize("fact", [None, True, "active", GRANT])
def test_another_questions_fact_is_a_broken_invariant(fact: object) -> None:
    """architecture.md: 503 `plugin-failed`, never a guess."""
    asking = QUESTION.ask()
    next(asking)
    with pytest.raises(UnexpectedFactError):
        asking.send(fact)  # type: ignore[arg-type]  # what a broken driver would send
