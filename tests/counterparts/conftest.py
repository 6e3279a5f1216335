"""One server of others for all tests of this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.counterparts.oidc_provider import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.counterparts.oidc_provider import Provider


@pytest.fixture(scope="session")
def provider() -> Iterator[Provider]:
    """`oidc-provider`."""
    with running() as server:
        yield server
