"""One running gateway for each module that asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.gateway.doubles import Upstream, routes_to, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.gateway.doubles import Running


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One event loop for a module, so that its fixtures can live as long."""
    return "asyncio"


@pytest.fixture(scope="module")
async def upstream() -> AsyncIterator[Upstream]:
    """An upstream that repeats what reached it."""
    async with Upstream() as started:
        yield started


@pytest.fixture(scope="module")
async def edge(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream) -> AsyncIterator[Running]:
    """Envoy and one decision worker, with the routes of `routes_to`."""
    async with running(tmp_path_factory.mktemp("edge"), routes_to(upstream.port)) as started:
        yield started
