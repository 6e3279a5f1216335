"""Where Envoy refuses what the judge allowed, the record has both, sampled away or not."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from tests.decision_row import PUBLIC_URL
from tests.e2e.running import running
from tests.integrations.judging import GATE

from ostiary.decision.reasons import Reason
from ostiary.decision.verdict import VerdictLabel

if TYPE_CHECKING:
    from pathlib import Path

    from ostiary.devserver import DevelopmentServer
    from ostiary.oauth.json import JsonValue


def test_an_allow_that_envoy_could_not_keep_is_explained_with_its_steps(
    tmp_path: Path, authority: DevelopmentServer
) -> None:
    """operator.md: where the judge had allowed, the two become one record, steps kept."""
    server: dict[str, JsonValue] = {
        "kind": "rfc7662",
        "issuer": authority.issuer,
        "client_id": GATE.client_id,
        "client_secret": {"file": "gate.secret"},
    }
    token = authority.mint(client_id="reader", audience=("gateway:my-gateway/api:my-api",))
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        route: dict[str, JsonValue] = {
            "name": "dead",
            "gateway": "my-gateway",
            "resource": "my-api",
            "match": {"path": "/dead"},
            "upstream": f"http://127.0.0.1:{nobody.getsockname()[1]}",
            "authorization_server": "corp",
            "auth": {"user_required": False},
        }
        members: dict[str, JsonValue] = {
            "version": 1,
            "decision_log": {"sample_allows": 0},
            "gateway": {"public_url": PUBLIC_URL},
            "authorization_servers": {"corp": server},
            "routes": [route],
        }
        with running(tmp_path, members) as gateway:
            reply = gateway.send("GET", "/dead", (("Authorization", b"Bearer " + token.encode()),))
            record = gateway.explain(reply.reference)
    assert (reply.status, record.verdict, record.reason) == (503, VerdictLabel.UNAVAILABLE, Reason.EDGE_UPSTREAM)
    assert (record.client_id, record.route) == ("reader", "dead")
    assert [step.plugin for step in record.steps][-1:] == ["bk-oauth2-scope-validate"]
