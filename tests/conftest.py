"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

# A wall clock decides nothing: a loaded machine fails no property.
settings.register_profile("ours", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ours")


def pytest_xdist_auto_num_workers() -> int:
    """Half of the time a test waits: for a process to start, a line to come, a deadline to pass."""
    return (os.cpu_count() or 1) * 3 // 2


@pytest.fixture
def anyio_backend() -> str:
    """The product runs on asyncio alone."""
    return "asyncio"


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder of its own for a test, with a short name: the path of a Unix socket has room for 107 bytes."""
    with TemporaryDirectory(prefix="o-", ignore_cleanup_errors=True) as place:
        yield Path(place).resolve()
