"""The decision table over the real Envoy listener: status, verdict and reason of every row, the latter from the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.integrations.judging import TABLE, mint, parameters

if TYPE_CHECKING:
    from tests.decision_row import Row
    from tests.e2e.running import Running

    from ostiary.devserver import DevelopmentServer


@pytest.mark.parametrize("row", parameters(TABLE))
def test_each_row_comes_to_its_verdict_at_the_listener(
    row: Row, gateways: dict[str, Running], authority: DevelopmentServer
) -> None:
    """002, whole: what the chain says in a test is what a client and an operator see."""
    gateway = gateways[row.both_present]
    token = mint(authority, row)
    headers = tuple((name, value.replace("{token}", token).encode("latin-1")) for name, value in row.headers)
    reply = gateway.send(row.method, row.path, headers)
    assert reply.status == row.status
    record = gateway.explain(reply.reference)
    assert (record.verdict, record.reason, record.status) == (row.verdict, row.reason, row.status)
    assert reply.header("x-bkapi-request-id") == reply.reference
    if row.verdict == "allow":
        assert "authorization" not in reply.echo
        assert [reply.echo[name] for name in ("x-bkapi-jwt", "x-bkapi-app", "x-bkapi-user")] == [[""], [""], [""]]
