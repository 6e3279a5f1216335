"""Thousands of routes: they start, they reload, and the last of them answers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.gateway.doubles import route, running

from ostiary.gateway import Reloaded

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.doubles import Upstream


@pytest.mark.anyio
@pytest.mark.long
async def test_two_thousand_routes_start_and_reload(tmp_path: Path, upstream: Upstream) -> None:
    """Ours: an upstream has a hundred statistics, a route a kilobyte; neither may stand in the way of a reload."""
    routes = tuple(
        route(f"r{number}", f"/gateway-{number % 100}/prod/api-{number}", upstream.port, methods="GET,POST")
        for number in range(2000)
    )
    async with running(tmp_path, routes) as started:
        assert (await started.ask("/gateway-99/prod/api-1999/x")).echo().judged().all("x-ostiary-route") == ["1:r1999"]
        outcome = await started.gateway.reload(b"two", replace(started.plan, routes=routes[:-1]))
        assert outcome == Reloaded(generation=2)
        assert (await started.ask("/gateway-98/prod/api-1998/x")).echo().judged().all("x-ostiary-route") == ["2:r1998"]
        assert (await started.ask("/gateway-99/prod/api-1999/x")).status == 404
