"""A judge that asks one authorization server, as a configuration file says."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ostiary.config import load_bytes
from ostiary.decision.facts import Door, RequestFacts
from ostiary.judge.loading import SYSTEM_CLOCKS, judge_sections, load_judge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from ostiary.authorities import Clocks
    from ostiary.decision.reasons import Reason
    from ostiary.judge.judge import Decision, Judge

REFERENCE: Final = "6f1b3c1e-6b0f-4a45-9a35-1f4a1d9c2e11"

CONFIGURATION: Final = """
version: 1
gateway: {listen: null, public_url: https://bkapi.example.com}
authorization_servers: {corp: %(server)s}
routes:
  - name: billing
    gateway: my-gateway
    resource: my-api
    match: {path: /billing}
    authorization_server: corp
    auth: {user_required: false}
    resource_audience: true
  - name: personal
    gateway: my-gateway
    resource: my-api
    match: {path: /personal}
    authorization_server: corp
    scopes: [files.read, files.delete]
"""


@asynccontextmanager
async def judge_of(
    server: Mapping[str, object], environ: Mapping[str, str], *, clocks: Clocks = SYSTEM_CLOCKS
) -> AsyncIterator[Judge]:
    """A judge of its own, with an empty cache.

    Args:
        server: the authorization server's settings.
        environ: where its secrets lie.
    """
    written = (CONFIGURATION % {"server": json.dumps(dict(server))}).encode()
    configuration = load_bytes(written, judge_sections({}), environ, origin=Path("/etc/ostiary.yaml"))
    judge = load_judge(configuration, third_party={}, clocks=clocks)
    try:
        yield judge
    finally:
        await judge.aclose()


async def judged(judge: Judge, token: str, path: str = "/billing") -> Decision:
    """What comes of one request with this token."""
    facts = RequestFacts(
        door=Door.CLI,
        reference=REFERENCE,
        method="GET",
        host="bkapi.example.com",
        path=path,
        headers=((b"authorization", b"Bearer " + token.encode("ascii")),),
    )
    return await judge.decide(facts)


def reason_of(decision: Decision) -> Reason | None:
    return None if decision.refusal is None else decision.refusal.reason
