"""What happens when something dies, and how everything ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.gateway.doubles import SECONDS, exchange, free_port, route, running
from tests.waiting import until

from ostiary.decision.dialects import bkapi_body, bkapi_error
from ostiary.gateway import Plan

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Iterator

    from tests.gateway.doubles import Running, Upstream

pytestmark = pytest.mark.anyio

SERVE = str(Path(__file__).with_name("serve_double.py"))


@pytest.fixture(autouse=True)
def _holds_events_back(upstream: Upstream) -> Iterator[None]:
    """What one test lets go on, the next holds back again."""
    yield
    upstream.go_on.clear()


async def test_without_a_worker_requests_are_refused_until_it_is_back(tmp_path: Path, upstream: Upstream) -> None:
    """Architecture, fail closed: 503, `Retry-After: 1`, the product's body; public routes are unharmed."""
    routes = (route("api", "/api", upstream.port), route("open", "/open", upstream.port, anonymous=True))
    async with running(tmp_path, routes) as started:
        _, worker = started.gateway.pids
        assert worker is not None
        os.kill(worker, signal.SIGKILL)
        await started.ended(worker)
        refused = await started.ask("/api")
        assert (refused.status, refused.one("retry-after")) == (503, "1")
        assert refused.body == bkapi_body(bkapi_error(503), bkapi_error(503).message)
        assert not await started.gateway.ready()
        assert (await started.ask("/open")).status == 200
        await started.until_ready()
        assert (await started.ask("/api")).status == 200
        assert (await started.logged("decision worker ended"))["index"] == 0


async def test_one_of_two_workers_dies_and_no_client_notices(tmp_path: Path, upstream: Upstream) -> None:
    """NOTES, failures: what one worker does not answer, the other does."""
    plan = Plan(listen=("127.0.0.1", 0), data_dir=tmp_path, routes=(), workers=2)
    async with running(tmp_path, (route("api", "/api", upstream.port),), plan) as started:
        answers = [await started.ask("/api", token=f"t{number}") for number in range(20)]
        assert {answer.echo().judged().pid for answer in answers} == set(started.gateway.pids[1:])
        first = started.gateway.pids[1]
        assert first is not None
        os.kill(first, signal.SIGKILL)
        answers = [await started.ask("/api", token=f"t{number}") for number in range(20)]
        assert {answer.status for answer in answers} == {200}
        assert await started.gateway.ready()


async def test_envoy_dies_and_is_back_with_the_same_routes(tmp_path: Path, upstream: Upstream) -> None:
    """attacks.md, failing open: Envoy killed."""
    async with running(tmp_path, (route("api", "/api", upstream.port),)) as started:
        envoy = started.gateway.pids[0]
        assert envoy is not None
        os.kill(envoy, signal.SIGKILL)
        await started.logged("envoy ended")
        await started.until_ready()
        assert (await started.ask("/api")).status == 200
        assert (await started.ask("/api", token="forbidden")).status == 403


async def test_a_worker_that_hangs_is_replaced(tmp_path: Path, upstream: Upstream) -> None:
    """attacks.md, failing open: SIGSTOP; a process that lives and judges nobody."""
    async with running(tmp_path, (route("api", "/api", upstream.port),)) as started:
        worker = started.gateway.pids[1]
        assert worker is not None
        await seen_alive(started)
        os.kill(worker, signal.SIGSTOP)
        assert (await started.ask("/api")).status == 503
        await started.ended(worker)
        await started.until_ready()
        assert (await started.ask("/api")).status == 200
        assert (await started.logged("decision worker does not answer"))["index"] == 0


async def test_an_envoy_that_hangs_is_replaced(tmp_path: Path, upstream: Upstream) -> None:
    """attacks.md, failing open: SIGSTOP."""
    async with running(tmp_path, (route("api", "/api", upstream.port),)) as started:
        envoy = started.gateway.pids[0]
        assert envoy is not None
        await seen_alive(started)
        os.kill(envoy, signal.SIGSTOP)
        assert (await started.logged("envoy ended"))["why"] == "Envoy did not answer"
        await started.until_ready()
        assert (await started.ask("/api")).status == 200


async def test_leaving_waits_for_what_is_being_answered(tmp_path: Path, upstream: Upstream) -> None:
    """configuration.md, serve: SIGTERM drains."""
    async with running(tmp_path, (route("api", "/api", upstream.port),)) as started:
        streaming = asyncio.create_task(started.ask("/api/events"))
        await asyncio.wait_for(upstream.asked_for_events.wait(), SECONDS)
        leaving = asyncio.create_task(started.gateway.__aexit__(None, None, None))
        await refuses_connections(started.port)
        assert not leaving.done()
        upstream.go_on.set()
        assert (await streaming).body == b"first-last"
        await asyncio.wait_for(leaving, SECONDS)


@asynccontextmanager
async def begun(tmp_path: Path, upstream: Upstream) -> AsyncIterator[tuple[Process, int]]:
    """`run` in a process of its own, and its port. It does not outlive the block, nor its children it."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, SERVE, str(tmp_path / "var"), str(port), str(upstream.port), stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process, port
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def serving(tmp_path: Path, upstream: Upstream) -> AsyncIterator[tuple[Process, int, list[int]]]:
    """The same, once it serves; and the pids of its children."""
    async with begun(tmp_path, upstream) as (process, port):
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), SECONDS)).split()
        assert line[:1] == [b"ready"], line
        yield process, port, [int(pid) for pid in line[1:]]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_drains_and_ends_with_zero(tmp_path: Path, upstream: Upstream, number: signal.Signals) -> None:
    """configuration.md, serve: ends within 15 s with exit 0, a stream that ends in time ends whole."""
    raw = b"GET /api/events HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer t\r\nConnection: close\r\n\r\n"
    async with serving(tmp_path, upstream) as (process, port, children):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(raw)
            assert (await asyncio.wait_for(reader.readuntil(b"first"), SECONDS)).startswith(b"HTTP/1.1 200")
            process.send_signal(number)
            await until(lambda: refuses_connections(port))
            upstream.go_on.set()
            assert await asyncio.wait_for(reader.read(), SECONDS) == b"-last"
        finally:
            writer.close()
        assert await asyncio.wait_for(process.wait(), SECONDS) == 0
        assert not [pid for pid in children if is_running(pid)]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent is gone")
async def test_nothing_outlives_a_supervisor_that_is_killed(tmp_path: Path, upstream: Upstream) -> None:
    """Architecture: Envoy dies with its supervisor, and so does a worker."""
    async with serving(tmp_path, upstream) as (process, _, children):
        process.kill()
        await process.wait()
        await until(lambda: not any(is_running(pid) for pid in children))
    async with serving(tmp_path, upstream) as (process, port, _):  # its lock is gone as well
        answer = await exchange(port, b"GET /open HTTP/1.1\r\nHost: h\r\n\r\n")
        assert answer is not None
        assert answer.status == 200
        process.terminate()
        assert await asyncio.wait_for(process.wait(), SECONDS) == 0


async def test_a_start_that_is_refused_ends_with_two(tmp_path: Path, upstream: Upstream) -> None:
    """configuration.md: exit code 2."""
    async with serving(tmp_path, upstream) as (process, _, _):
        async with begun(tmp_path, upstream) as (second, _):
            said, _ = await asyncio.wait_for(second.communicate(), SECONDS)
            assert (second.returncode, b"already running" in said) == (2, True)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), SECONDS) == 0


async def seen_alive(started: Running) -> None:
    """Before it has, a supervisor waits for half a minute; it looks many times a second."""
    for _ in range(50):
        await started.ask("/api")


async def refuses_connections(port: int) -> bool:
    """Whether nobody listens there any more."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except (ConnectionRefusedError, ConnectionResetError):  # reset: it stood in the queue while that was closed
        return True
    writer.close()
    return False


def is_running(pid: int) -> bool:
    """Whether there is such a process, and it is not only waiting to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
