"""One authorization server for the tests of this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.integrations.judging import GATE

from ostiary.devserver import DevelopmentServer, serve

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One event loop for a file: what is served in it is started once."""
    return "asyncio"


@pytest.fixture(scope="session")
def authority() -> Iterator[DevelopmentServer]:
    """It answers; a test that takes it away starts one of its own."""
    server = DevelopmentServer([GATE])
    with serve(server):
        yield server
