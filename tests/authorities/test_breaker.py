"""When an authority is no longer asked, and when it is again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.authorities.breaker import LONGEST_PAUSE_SECONDS, Breaker, BreakerState


def _fail(breaker: Breaker, now: float, times: int = 1) -> None:
    for _ in range(times):
        period = breaker.admit(now)
        assert period is not None
        breaker.settle(period, failed=True, now=now)


def test_five_failures_in_a_row_open_it_for_one_second() -> None:
    """Contract, gateway: breaker."""
    breaker = Breaker()
    _fail(breaker, 0.0, 4)
    assert breaker.admit(0.0) is not None
    _fail(breaker, 0.0)
    assert breaker.state is BreakerState.OPEN
    assert breaker.admit(0.999) is None
    assert breaker.admit(1.0) is not None


def test_failures_that_are_not_in_a_row_do_not_open_it() -> None:
    """Contract, gateway: breaker."""
    breaker = Breaker()
    for _ in range(10):
        _fail(breaker, 0.0, 4)
        period = breaker.admit(0.0)
        assert period is not None
        breaker.settle(period, failed=False, now=0.0)
    assert breaker.state is BreakerState.CLOSED


def test_only_one_probe_is_let_through() -> None:
    """Contract, gateway: one probe."""
    breaker = Breaker()
    _fail(breaker, 0.0, 5)
    assert breaker.admit(1.0) is not None
    assert breaker.state is BreakerState.PROBING
    assert breaker.admit(1.0) is None
    assert breaker.admit(100.0) is None


def test_a_probe_that_succeeds_closes_it() -> None:
    """Ours: the next failures are counted from nothing, and pause for one second again."""
    breaker = Breaker()
    _fail(breaker, 0.0, 5)
    _fail(breaker, 1.0)
    probe = breaker.admit(3.0)
    assert probe is not None
    breaker.settle(probe, failed=False, now=3.0)
    assert breaker.state is BreakerState.CLOSED
    _fail(breaker, 3.0, 5)
    assert breaker.admit(3.9) is None
    assert breaker.admit(4.0) is not None


def test_each_probe_that_fails_doubles_the_pause_up_to_ten_seconds() -> None:
    """Contract, gateway: doubling to 10 s."""
    breaker = Breaker()
    _fail(breaker, 0.0, 5)
    now = 1.0
    for pause in (2.0, 4.0, 8.0, 10.0, 10.0):
        _fail(breaker, now)
        assert breaker.admit(now + pause - 0.001) is None
        now += pause
    assert breaker.admit(now) is not None


@pytest.mark.parametrize("failed", [True, False])
def test_an_answer_to_an_old_question_neither_closes_nor_prolongs(failed: bool) -> None:  # noqa: FBT001  # a row
    """Ours: 64 may be under way when it opens, and they come back one by one."""
    breaker = Breaker()
    late = breaker.admit(0.0)
    assert late is not None
    _fail(breaker, 0.0, 5)
    breaker.settle(late, failed=failed, now=0.5)
    assert breaker.admit(0.999) is None
    assert breaker.admit(1.0) is not None
    breaker.settle(late, failed=failed, now=1.0)
    assert breaker.state is BreakerState.PROBING


@given(st.lists(st.tuples(st.floats(0, 30), st.booleans()), max_size=60))
def test_it_never_refuses_for_longer_than_ten_seconds(steps: list[tuple[float, bool]]) -> None:
    """Ours: whatever happened, ten seconds after the last answer somebody asks again."""
    breaker = Breaker()
    now = 0.0
    for wait, failed in steps:
        now += wait
        period = breaker.admit(now)
        if period is not None:
            breaker.settle(period, failed=failed, now=now)
    assert breaker.admit(now + LONGEST_PAUSE_SECONDS) is not None
