"""What dies is replaced, and until then nothing is let through; what ends leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import TYPE_CHECKING, Final

import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from tests.decision_row import PUBLIC_URL
from tests.e2e.authority import Authority, active, hangs, says
from tests.e2e.running import Reply, Running, request, running
from tests.e2e.serving import descendants, serving, write
from tests.integrations.judging import GATE, route
from tests.waiting import until

from ostiary.config import load
from ostiary.decision.reasons import Reason
from ostiary.decision.verdict import VerdictLabel
from ostiary.devserver import Listener, serve
from ostiary.diagnostics.decision_log import read_decision
from ostiary.diagnostics.record import DecisionRecord
from ostiary.diagnostics.settings import decision_log_url
from ostiary.judge.loading import judge_sections

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.requests import Request
    from tests.e2e.serving import Served

    from ostiary.oauth.json import JsonValue

pytestmark = pytest.mark.anyio

GOOD: Final = "a-good-token"
UNKNOWN: Final = "nobody-issued-this"
HELD: Final = "nobody-answers-about-this"
ENVIRON: Final = {"OPERATOR": "o" * 40, "SECRET": GATE.secret}


@dataclass
class Upstream:
    """An API that keeps the references of what reached it."""

    seen: list[str] = field(default_factory=list)

    def application(self) -> Starlette:
        return Starlette(routes=[Route("/{path:path}", self._answer)])

    async def _answer(self, request: Request) -> Response:
        self.seen.append(request.headers["x-request-id"])
        return Response(b"here you are")


@dataclass(frozen=True, kw_only=True)
class World:
    """A gateway, whom it asks and where it leads."""

    gateway: Running
    authority: Authority
    upstream: Upstream

    def ask(self, token: str) -> Reply | None:
        """The answer; None where there was none."""
        return _attempt(self.gateway.port, token)

    def is_ready(self) -> bool:
        """What an operator's probe is told; who is not ready is alive all the same."""
        ready, healthy = (request(self.gateway.operator_port, "GET", path) for path in ("/readyz", "/healthz"))
        assert healthy.status == 200
        assert (ready.status, ready.body) in [(200, b"ready\n"), (503, b"unready\n")]
        return ready.status == 200

    async def through_the_death_of(self, pid: int) -> Passage:
        """Kill, and ask until all is as before."""
        passage = Passage()
        reached = len(self.upstream.seen)
        os.kill(pid, signal.SIGKILL)

        def is_over() -> bool:
            passage.ready.append(self.is_ready())
            passage.good.append(self.ask(GOOD))
            passage.unknown.append(self.ask(UNKNOWN))
            return False in passage.ready and passage.ready[-1] and _status(passage.good[-1]) == 200

        await until(is_over)
        assert pid not in self.gateway.role.gateway.pids
        # Whatever reached the upstream had been allowed, and the log has it.
        passed = set(self.upstream.seen[reached:])
        assert {reply.reference for reply in passage.good if reply and reply.status == 200} <= passed
        assert {self.gateway.explain(reference).verdict for reference in passed} == {VerdictLabel.ALLOW}
        return passage


@dataclass
class Passage:
    """What was answered from a death to the return."""

    good: list[Reply | None] = field(default_factory=list)
    unknown: list[Reply | None] = field(default_factory=list)
    ready: list[bool] = field(default_factory=list)


def _attempt(port: int, token: str) -> Reply | None:
    try:
        return request(port, "GET", "/api", (("Authorization", b"Bearer " + token.encode()),))
    except (OSError, HTTPException):
        return None


def _status(reply: Reply | None) -> int | None:
    return None if reply is None else reply.status


def _members(authority: str, upstream: str, secret: JsonValue) -> dict[str, JsonValue]:
    server: dict[str, JsonValue] = {
        "kind": "rfc7662",
        "issuer": authority,
        "introspection_endpoint": authority + "/introspect",
        "client_id": GATE.client_id,
        "client_secret": secret,
    }
    return {
        "version": 1,
        "gateway": {"public_url": PUBLIC_URL},
        "authorization_servers": {"corp": server},
        "routes": [route("api", "/api", upstream=upstream)],
    }


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    authority = Authority({GOOD: says(active()), HELD: hangs})
    with serve(authority):
        yield authority


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[World]:
    upstream = Upstream()
    with closing(Listener(upstream.application)) as listener:
        members = _members(authority.start(), listener.start(), {"file": "gate.secret"})
        with running(tmp_path_factory.mktemp("d"), members) as gateway:
            yield World(gateway=gateway, authority=authority, upstream=upstream)


async def test_until_a_killed_worker_is_replaced_everything_is_refused(world: World) -> None:
    """Architecture, fail closed: 503, `Retry-After: 1`, the product's body; no upstream hears of it."""
    _, worker = world.gateway.role.gateway.pids
    assert worker is not None
    asked = len(world.authority.received)
    passage = await world.through_the_death_of(worker)
    assert {_status(reply) for reply in passage.good} == {200, 503}
    assert {_status(reply) for reply in passage.unknown} <= {401, 503}
    refused = [reply for reply in (*passage.good, *passage.unknown) if reply is not None and reply.status == 503]
    for reply in refused:
        assert (reply.header("retry-after"), reply.header("www-authenticate")) == ("1", None)
        assert json.loads(reply.body)["code_name"] == "SERVICE_UNAVAILABLE"
        assert reply.reference not in world.upstream.seen
    assert world.gateway.explain(refused[0].reference).reason is Reason.EDGE_DECISION
    assert len(world.authority.received) > asked  # what the dead one remembered, nobody does


async def test_what_a_worker_was_judging_when_it_was_killed_is_refused(world: World) -> None:
    """Architecture, fail closed: half a decision is none."""
    await until(world.is_ready)
    _, worker = world.gateway.role.gateway.pids
    assert worker is not None
    asking = asyncio.create_task(asyncio.to_thread(world.ask, HELD))
    await until(lambda: any(HELD.encode() in question for question in world.authority.received))
    os.kill(worker, signal.SIGKILL)
    reply = await asking
    assert reply is not None
    assert reply.status == 503
    # Not for its authority's silence: that would have been another reason.
    assert world.gateway.explain(reply.reference).reason is Reason.EDGE_DECISION
    assert reply.reference not in world.upstream.seen
    await until(lambda: _status(world.ask(GOOD)) == 200)


async def test_until_a_killed_envoy_is_replaced_nobody_listens(world: World) -> None:
    """attacks.md, failing open: Envoy killed."""
    await until(world.is_ready)
    envoy, worker = world.gateway.role.gateway.pids
    assert envoy is not None
    passage = await world.through_the_death_of(envoy)
    assert {_status(reply) for reply in passage.good} <= {None, 200, 503}
    assert {_status(reply) for reply in passage.unknown} <= {None, 401, 503}
    assert None in passage.good
    assert world.gateway.role.gateway.pids[1] == worker  # its cache with it


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent is gone")
async def test_a_killed_supervisor_leaves_nothing_running_and_the_next_one_begins_and_ends_cleanly(
    tmp_path: Path, authority: Authority
) -> None:
    """Architecture: Envoy dies with its supervisor; configuration.md, serve: SIGTERM ends it with exit code 0."""
    upstream = Upstream()
    with closing(Listener(upstream.application)) as listener:
        file = write(tmp_path, _members(authority.start(), listener.start(), {"env": "SECRET"}))
        with serving(file, ENVIRON) as first:
            before = first.send("GET", "/api")
            assert _explain(file, before.reference).reason is Reason.CREDENTIALS_MISSING
            family = first.family
            assert len(family) >= 3  # itself, a worker, Envoy
            assert first.end(signal.SIGKILL) == -signal.SIGKILL
            await _until_gone(first, family)
        with serving(file, ENVIRON) as second:
            assert _status(_attempt(second.port, GOOD)) == 200
            assert _status(_attempt(second.port, UNKNOWN)) == 401
            assert _explain(file, before.reference).reason is Reason.CREDENTIALS_MISSING  # the log is whole
            family = second.family
            assert second.end(signal.SIGTERM) == 0
            await _until_gone(second, family)
        assert [path.name for path in second.data_dir.rglob("*") if path.is_socket()] == []


async def _until_gone(served: Served, family: dict[int, str]) -> None:
    await until(lambda: not any(descendants(pid) for pid in family))
    for port in (served.port, served.operator_port):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0


def _explain(file: Path, reference: str) -> DecisionRecord:
    configuration = load(file, judge_sections({}), ENVIRON)
    found = read_decision(decision_log_url(configuration), reference)
    assert isinstance(found, DecisionRecord)
    return found
