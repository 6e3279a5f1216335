"""One flight for all who want the same."""

from __future__ import annotations

import asyncio

import pytest

from ostiary.authorities.flight import FlightCancelledError, Flights, wait_for

pytestmark = pytest.mark.anyio


class _Airport:
    def __init__(self) -> None:
        self.flights: Flights[int] = Flights()
        self.begun = 0
        self.cleared = asyncio.Event()
        self.error: Exception | None = None

    async def fly(self) -> int:
        self.begun += 1
        await self.cleared.wait()
        if self.error is not None:
            raise self.error
        return 42

    def board(self) -> asyncio.Task[int]:
        return self.flights.find("key") or self.flights.start("key", self.fly)


async def test_a_thousand_board_one_flight() -> None:
    """Contract, gateway: one flight per token."""
    airport = _Airport()
    waiting = [asyncio.create_task(wait_for(airport.board(), seconds=5)) for _ in range(1000)]
    await asyncio.sleep(0)
    airport.cleared.set()
    assert set(await asyncio.gather(*waiting)) == {42}
    assert airport.begun == 1


async def test_a_passenger_who_is_cancelled_does_not_cancel_the_flight() -> None:
    """Ours: the client who asked first may go away."""
    airport = _Airport()
    first, second = (asyncio.create_task(wait_for(airport.board(), seconds=5)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    airport.cleared.set()
    assert await second == 42
    with pytest.raises(asyncio.CancelledError):
        await first
    assert airport.begun == 1


async def test_patience_ends_for_one_alone() -> None:
    """Ours: each has a deadline of its own."""
    airport = _Airport()
    flight = airport.board()
    assert await wait_for(flight, seconds=0.01) is None
    assert await wait_for(flight, seconds=-1.0) is None
    airport.cleared.set()
    assert await wait_for(flight, seconds=5) == 42


async def test_a_failure_reaches_all() -> None:
    """Ours: nobody waits for a flight that crashed."""
    airport = _Airport()
    airport.error = ZeroDivisionError()
    waiting = [asyncio.create_task(wait_for(airport.board(), seconds=5)) for _ in range(3)]
    await asyncio.sleep(0)
    airport.cleared.set()
    landed = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(each) for each in landed] == [ZeroDivisionError] * 3


async def test_the_next_one_flies_anew() -> None:
    """Ours: a flight remembers nothing."""
    airport = _Airport()
    airport.cleared.set()
    for _ in range(2):
        assert await wait_for(airport.board(), seconds=5) == 42
        await asyncio.sleep(0)
    assert airport.begun == 2
    assert airport.flights.find("key") is None


async def test_a_crash_that_nobody_waits_for_is_quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Ours: asyncio would write the traceback of a forgotten exception, and what lies in it."""
    airport = _Airport()
    airport.error = ZeroDivisionError()
    airport.cleared.set()
    flight = airport.board()
    await asyncio.wait((flight,), timeout=5)
    await asyncio.sleep(0)
    del flight
    assert caplog.text == ""


async def test_closing_cancels_them_and_says_so() -> None:
    """Ours: a waiter must not take the end of the flight for its own cancellation."""
    airport = _Airport()
    waiting = asyncio.create_task(wait_for(airport.board(), seconds=5))
    await asyncio.sleep(0)
    await airport.flights.aclose()
    with pytest.raises(FlightCancelledError):
        await waiting
