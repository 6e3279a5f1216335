"""Where Envoy refuses what the judge allowed, the record has both, sampled away or not."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tests.decision_row import PUBLIC_URL
from tests.e2e.running import running
from tests.integrations.judging import GATE

from ostiary.decision.reasons import Reason

if TYPE_CHECKING:
    from pathlib import Path

    from ostiary.devserver import DevelopmentServer
    from ostiary.oauth.json import JsonValue


def test_an_allow_that_envoy_could_not_keep_is_explained_with_its_steps(
    tmp_path: Path, authority: DevelopmentServer
) -> None:
    """operator.md: where the judge had allowed, the two become one record, steps kept; by a reload, too."""
    token = authority.mint(client_id="reader", audience=("gateway:my-gateway/api:my-api",))
    headers = (("Authorization", b"Bearer " + token.encode()),)
    with socket.socket() as nobody, socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor() as threads:
        nobody.bind(("127.0.0.1", 0))
        members: dict[str, JsonValue] = {
            "version": 1,
            "decision_log": {"sample_allows": 0},
            "gateway": {"public_url": PUBLIC_URL},
            "authorization_servers": {"corp": asking(authority)},
            "routes": [to("dead", nobody), to("silent", silent, upstream_timeout="2s")],
        }
        with running(tmp_path, members) as gateway:
            sent = threads.submit(gateway.send, "GET", "/silent", headers)
            silent.settimeout(10)
            with silent.accept()[0]:  # the judge has allowed it
                gateway.reload(members | {"decision_log": {"sample_allows": 0, "keep": "6d"}})
                dead = gateway.send("GET", "/dead", headers)  # the first by the new one
                late = sent.result(20)
            records = [gateway.explain(reply.reference) for reply in (dead, late)]
    assert [reply.status for reply in (dead, late)] == [503, 504]
    assert [record.reason for record in records] == [Reason.EDGE_UPSTREAM, Reason.EDGE_TIMEOUT]
    for record, route in zip(records, ("dead", "silent"), strict=True):
        assert (record.route, record.client_id) == (route, "reader")
        assert [step.plugin for step in record.steps][-1:] == ["bk-oauth2-scope-validate"]


def asking(authority: DevelopmentServer) -> JsonValue:
    return {
        "kind": "rfc7662",
        "issuer": authority.issuer,
        "client_id": GATE.client_id,
        "client_secret": {"file": "gate.secret"},
    }


def to(name: str, upstream: socket.socket, **settings: JsonValue) -> JsonValue:
    return {
        "name": name,
        "gateway": "my-gateway",
        "resource": "my-api",
        "match": {"path": f"/{name}"},
        "upstream": f"http://127.0.0.1:{upstream.getsockname()[1]}",
        "authorization_server": "corp",
        "auth": {"user_required": False},
        **settings,
    }
