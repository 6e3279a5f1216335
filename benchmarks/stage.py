"""A judge over the embedded authorization server, as real as in production: HTTP, JSON, cache."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ostiary.config import load
from ostiary.decision.facts import Door, RequestFacts
from ostiary.devserver import Client, DevelopmentServer, serve
from ostiary.judge.loading import LATER_SECTIONS, judge_sections

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ostiary.config import Configuration

_FILE = """
version: 1
gateway: {{public_url: "https://bkapi.example.com", listen: null}}
authorization_servers:
  bench: {{kind: rfc7662, issuer: "{issuer}", client_id: gateway, client_secret: {{env: SECRET}}, timeout: 30s}}
routes:
  - name: billing
    gateway: my-gateway
    resource: my-api
    match: {{path: /my-gateway/prod/billing}}
    authorization_server: bench
    auth: {{user_required: false}}
"""


@contextmanager
def stage() -> Iterator[tuple[DevelopmentServer, Configuration]]:
    """An authorization server that is up, and a configuration that asks it."""
    server = DevelopmentServer([Client(client_id="gateway", secret="bench")])  # noqa: S106 - of this run alone
    with serve(server) as issuer, tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "ostiary.yaml")
        file.write_text(_FILE.format(issuer=issuer), encoding="utf-8")
        yield server, load(file, judge_sections({}), {"SECRET": "bench"}, later=LATER_SECTIONS)


def mint(server: DevelopmentServer) -> str:
    """A token that the route accepts."""
    return server.mint(client_id="app", audience=("gateway:my-gateway/api:my-api",))


def facts_of(token: str) -> RequestFacts:
    """A request with a token, with the headers that Envoy hands on."""
    return RequestFacts(
        door=Door.GATEWAY,
        reference="d45a6a55-2f0e-4e0e-9c6e-0d2a4f1f7c55",
        method="GET",
        host="bkapi.example.com",
        path="/my-gateway/prod/billing/7",
        peer="127.0.0.1",
        headers=(
            (b"host", b"bkapi.example.com"),
            (b"authorization", b"Bearer " + token.encode("ascii")),
            (b"content-type", b"application/json"),
            (b"x-request-id", b"d45a6a55-2f0e-4e0e-9c6e-0d2a4f1f7c55"),
        ),
    )
