"""A new generation: in force without a lost request, or not at all."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.gateway.doubles import free_port, route, running
from tests.waiting import until

from ostiary.gateway import NotReloaded, Reloaded, discovery
from ostiary.gateway.admin import Admin
from ostiary.gateway.counted import RDS_REFUSED, RDS_VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.doubles import Running, Upstream

    from ostiary.gateway import Plan

pytestmark = pytest.mark.anyio


async def test_a_new_generation_is_in_force_with_its_number_in_every_route(tmp_path: Path, upstream: Upstream) -> None:
    """Architecture, reload: workers load it before Envoy asks by it; a route that is gone is 404."""
    old, new = route("old", "/old", upstream.port), route("new", "/new", upstream.port)
    kept = route("kept", "/kept", upstream.port)
    async with running(tmp_path, (old, kept)) as started:
        outcome = await started.gateway.reload(b"two", replace(started.plan, routes=(kept, new)))
        assert outcome == Reloaded(generation=2)
        assert await started.gateway.ready()
        for path in ("/kept", "/new"):
            assert (await started.ask(path)).echo().judged().all("x-ostiary-route") == ["2:" + path[1:]]
        assert (await started.ask("/old")).status == 404
        assert (started.plan.data_dir / "generations" / "2.yaml").read_bytes() == b"two"


async def test_a_worker_that_is_started_again_is_told_both_generations_before_it_binds(
    tmp_path: Path, upstream: Upstream
) -> None:
    """Architecture, reload: requests that were matched before the change are still judged."""
    async with running(tmp_path, (route("api", "/api", upstream.port),)) as started:
        assert isinstance(await started.gateway.reload(b"two", started.plan), Reloaded)
        worker = started.gateway.pids[1]
        assert worker is not None
        os.kill(worker, signal.SIGKILL)
        await started.ended(worker)
        await started.until_ready()
        again = started.gateway.pids[1]
        # The double binds as soon as it has loaded one; the supervisor had written both by then.
        assert started.told(0)[-2:] == [f"{again} Load 1 False", f"{again} Load 2 True"]


@pytest.mark.parametrize(
    ("configuration", "path", "why"),
    [
        (b"refuse: no such secret", "/new", "refuse: no such secret"),
        (b"crash", "/new", "decision worker 0 ended before it was ready"),
        (b"two", "/new/", "/new/"),
    ],
)
async def test_a_generation_that_worker_or_envoy_refuse_changes_nothing(
    tmp_path: Path, upstream: Upstream, configuration: bytes, path: str, why: str
) -> None:
    """configuration.md: an invalid file changes nothing."""
    api = route("api", "/api", upstream.port)
    async with running(tmp_path, (api,)) as started:
        plan = replace(started.plan, routes=(api, route("new", path, upstream.port)))
        outcome = await started.gateway.reload(configuration, plan)
        assert isinstance(outcome, NotReloaded)
        assert why in outcome.errors
        await started.until_ready()
        assert (await started.ask("/api")).echo().judged().all("x-ostiary-route") == ["1:api"]
        assert (await started.ask("/new")).status == 404
        # The next number is another one: two configurations never share it.
        assert await started.gateway.reload(b"three", started.plan) == Reloaded(generation=3)
        assert (await started.ask("/api")).echo().judged().all("x-ostiary-route") == ["3:api"]


async def test_a_gateway_is_ready_while_it_loads(tmp_path: Path, upstream: Upstream) -> None:
    """operator.md, `/readyz`: the old generation judges until the new one is in force."""
    async with running(tmp_path, (route("api", "/api", upstream.port),)) as started:
        _, worker = started.gateway.pids
        assert worker is not None
        os.kill(worker, signal.SIGSTOP)
        reloading = asyncio.create_task(started.gateway.reload(b"two", started.plan))
        await until((started.plan.data_dir / "generations" / "2.yaml").exists)
        assert await started.gateway.ready()
        os.kill(worker, signal.SIGCONT)
        assert await reloading == Reloaded(generation=2)
        assert await started.gateway.ready()


async def test_what_a_running_envoy_refuses_is_taken_back(tmp_path: Path, upstream: Upstream) -> None:
    """configuration.md: an invalid file changes nothing; here without validation, which refuses it before Envoy can.

    A file that Envoy refused never shows its version: that alone tells whether it was taken.
    """
    api, broken = route("api", "/api", upstream.port), route("new", "/new/", upstream.port)
    async with running(tmp_path, (api,)) as started:
        plan, admin = started.plan, Admin(started.plan.admin_socket)
        files = {name: (plan.envoy_dir / name).read_bytes() for name in ("cds.json", "rds.json", "lds.json")}
        refusals = await admin.stats(*RDS_REFUSED)
        assert await discovery.replace((1, plan), (2, replace(plan, routes=(api, broken))), [plan], admin) is not None
        assert await admin.stats(*RDS_REFUSED) != refusals
        assert await admin.stats(RDS_VERSION) == {RDS_VERSION: "1"}
        assert {name: (plan.envoy_dir / name).read_bytes() for name in files} == files
        assert (await started.ask("/api")).echo().judged().all("x-ostiary-route") == ["1:api"]
        # Nothing of it stands in the way of the next.
        fine = replace(plan, routes=(api, route("new", "/new", upstream.port)))
        assert await discovery.replace((1, plan), (3, fine), [plan], admin) is None
        assert (await started.ask("/new")).echo().judged().all("x-ostiary-route") == ["3:new"]


async def test_an_upstream_goes_when_nothing_is_judged_by_its_plan_any_more(tmp_path: Path, upstream: Upstream) -> None:
    """Architecture, reload: what an old plan admitted still finds its place, and nothing piles up."""
    elsewhere = free_port()
    async with running(tmp_path, (route("api", "/api", upstream.port),)) as started:
        plan, moved = started.plan, replace(started.plan, routes=(route("api", "/api", elsewhere),))
        assert await discovery.replace((1, plan), (2, moved), [plan], Admin(plan.admin_socket)) is None
        assert _upstreams(plan) == {upstream.port, elsewhere}
        discovery.keep_upstreams(2, [moved])
        assert _upstreams(plan) == {elsewhere}


def _upstreams(plan: Plan) -> set[int]:
    found = re.findall(r'"port_value": (\d+)', (plan.envoy_dir / "cds.json").read_text())
    return {int(port) for port in found}


async def test_what_a_reload_cannot_do_is_said(tmp_path: Path, upstream: Upstream) -> None:
    """configuration.md: what needs a restart, and what changes the listener."""
    async with running(tmp_path, (route("api", "/api", upstream.port),)) as started:
        plan = replace(started.plan, workers=3, concurrency=2, header_bytes=8 * 1024)
        outcome = await started.gateway.reload(b"two", plan)
        assert isinstance(outcome, Reloaded)
        assert outcome.notes == (
            "gateway.workers changed: it needs a restart",
            "gateway.envoy changed: it needs a restart",
            "the listener changed: open connections are drained, streams end within 60 s",
        )
        await until_refused(started)


async def until_refused(started: Running) -> None:
    """Until the listener with the smaller limit is the one that answers."""
    async with asyncio.timeout(10):
        while True:
            if (await started.ask("/api", headers=[("X-Long", "x" * 20_000)])).status == 431:
                return


async def test_no_request_is_lost_while_routes_change(tmp_path: Path, upstream: Upstream) -> None:
    """Architecture, reload: no restart, no dropped request."""
    routes = tuple(route(f"r{number}", f"/r{number}", upstream.port) for number in range(3))
    statuses: list[int] = []
    done = asyncio.Event()

    async def keep_asking(started: Running) -> None:
        while not done.is_set():
            statuses.append((await started.ask("/r0")).status)

    async with running(tmp_path, routes) as started:
        clients = [asyncio.create_task(keep_asking(started)) for _ in range(4)]
        for number in range(2, 8):
            plan = replace(started.plan, routes=routes[: 1 + number % 3])
            assert await started.gateway.reload(b"n%d" % number, plan) == Reloaded(generation=number)
        done.set()
        await asyncio.gather(*clients)
    assert len(statuses) > 20
    assert set(statuses) == {200}
