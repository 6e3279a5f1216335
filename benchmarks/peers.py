"""What stands around a gateway that is measured: Envoys of a few lines, and clients that load it."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
import sys
from asyncio.subprocess import PIPE
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ostiary.gateway.envoy import find_binary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ostiary.gateway.render import Tree

CONNECTIONS: Final = 32
_READY_SECONDS: Final = 10.0
_MANAGER: Final = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER: Final = "envoy.extensions.filters.http.router.v3.Router"


class LoadError(Exception):
    """A client of load could not do what it was asked, or was answered otherwise than it should have been."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latencies:
    """Of an open loop, in milliseconds; `late` requests were not begun, since too many before them still waited."""

    p50: float
    p99: float
    late: int


def free_port() -> int:
    """A port that nobody has just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def envoy(folder: Path, port: int, *, to: int | None) -> AsyncIterator[int]:
    """An Envoy with one listener and nothing else: it hands on to a port, or answers `ok` itself; its process id."""
    file = folder / f"envoy-{port}.json"
    file.write_text(json.dumps(_plain(port, to)), encoding="ascii")
    command = [str(find_binary(None)), "-c", str(file), "--concurrency", "1", "--disable-hot-restart", "-l", "error"]
    process = await asyncio.create_subprocess_exec(*command)
    try:
        await _wait_for(port)
        yield process.pid
    finally:
        process.terminate()
        await process.wait()


def _plain(port: int, to: int | None) -> Tree:
    here: Tree = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    answer: Tree = {"direct_response": {"status": 200, "body": {"inline_string": "ok"}}}
    hand_on: Tree = {"route": {"cluster": "upstream", "timeout": "0s"}}
    route: Tree = {"match": {"prefix": "/"}, **(answer if to is None else hand_on)}
    manager: Tree = {
        "@type": "type.googleapis.com/" + _MANAGER,
        "stat_prefix": "plain",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [{"name": "router", "typed_config": {"@type": "type.googleapis.com/" + _ROUTER}}],
    }
    filters: list[Tree] = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    upstream: Tree = {"socket_address": {"address": "127.0.0.1", "port_value": to or port}}
    endpoints: list[Tree] = [{"lb_endpoints": [{"endpoint": {"address": upstream}}]}]
    cluster: Tree = {
        "name": "upstream",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "u", "endpoints": endpoints},
    }
    return {
        "static_resources": {
            "listeners": [{"name": "plain", "address": here, "filter_chains": [{"filters": filters}]}],
            "clusters": [cluster],
        }
    }


async def _wait_for(port: int) -> None:
    async with asyncio.timeout(_READY_SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


async def capacity(url: str, token: str, seconds: int) -> float:
    """Requests per second that 32 connections get answered with 200, each sending the next at once.

    Raises:
        LoadError: `wrk` is not installed, or an answer was not 2xx.
    """
    program = shutil.which("wrk")
    if program is None:
        raise LoadError("wrk is not installed (Debian: apt install wrk)")
    header = f"Authorization: Bearer {token}"
    said = await _run(program, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-H", header, url)
    if "Non-2xx" in said or "Socket errors" in said:
        raise LoadError(said)
    found = re.search(r"Requests/sec:\s*([\d.]+)", said)
    if found is None:
        raise LoadError(said)
    return float(found[1])


# Open loop: a request starts when its time has come, whatever became of those before it.
_SCRIPT: Final = """
import http from 'k6/http';
import { check } from 'k6';
export const options = {
  scenarios: {open: {executor: 'constant-arrival-rate', rate: %(rate)d, timeUnit: '1s', duration: '%(seconds)ds',
                     preAllocatedVUs: 100, maxVUs: 400}},
  summaryTrendStats: ['p(50)', 'p(99)'],
};
const parameters = {headers: {Authorization: 'Bearer %(token)s'}};
export default function () {
  check(http.get('%(url)s', parameters), {ok: (answer) => answer.status === 200});
}
export function handleSummary(data) {
  return {stdout: JSON.stringify(data.metrics)};
}
"""


async def open_loop(folder: Path, url: str, token: str, *, rate: int, seconds: int) -> Latencies | None:
    """How long each of `rate` requests a second takes; None without k6, which has no wheel for every machine.

    Raises:
        LoadError: an answer was not 200.
    """
    program = shutil.which("k6", path=str(Path(sys.executable).parent)) or shutil.which("k6")
    if program is None:
        return None
    script = folder / "open.js"
    script.write_text(_SCRIPT % {"rate": rate, "seconds": seconds, "token": token, "url": url}, encoding="ascii")
    said = json.loads(await _run(program, "run", "--quiet", "--no-usage-report", "--log-output=none", str(script)))
    failed = said["checks"]["values"]["fails"]
    if failed:
        raise LoadError(f"{failed} requests were not answered with 200")
    late = said["dropped_iterations"]["values"]["count"] if "dropped_iterations" in said else 0
    values = said["http_req_duration"]["values"]
    return Latencies(p50=values["p(50)"], p99=values["p(99)"], late=late)


async def _run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    said, complaint = await process.communicate()
    if process.returncode:
        raise LoadError(complaint.decode(errors="replace") or said.decode(errors="replace"))
    return said.decode()
