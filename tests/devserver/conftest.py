"""One development server over real HTTP, and a client of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
import pytest

from ostiary.devserver import Client, DevelopmentServer, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

AWKWARD = "%:+ &=/é"  # each of these is changed by form-encoding


@pytest.fixture(scope="module")
def app() -> Client:
    """A client whose secret and name are changed by form-encoding."""
    return Client(client_id=f"app {AWKWARD}", secret=f"secret {AWKWARD}", scopes=("files.read", "files.delete"))


@pytest.fixture(scope="module")
def gate() -> Client:
    """A resource server that introspects, with no scopes of its own."""
    return Client(client_id="gate", secret="sesame")


@pytest.fixture(scope="module")
def server(app: Client, gate: Client) -> DevelopmentServer:
    """The server that `http` talks to."""
    return DevelopmentServer([app, gate])


@pytest.fixture(scope="module")
def http(server: DevelopmentServer) -> Iterator[httpx2.Client]:
    """An HTTP client of the running server."""
    with serve(server) as base_url, httpx2.Client(base_url=base_url, trust_env=False, timeout=10) as client:
        yield client
