"""The whole gateway under load, beside the same Envoy with less behind it; all in one run, in turns.

Client, Envoy, workers and upstream share the machine. So rows are to be compared with each other, not with elsewhere.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.peers import LoadError, capacity, envoy, free_port, open_loop
from benchmarks.stage import mint
from ostiary.config import load_bytes
from ostiary.gateway.role import GatewayRole
from ostiary.judge.loading import LATER_SECTIONS, judge_sections

if TYPE_CHECKING:
    from benchmarks.peers import Latencies
    from ostiary.devserver import DevelopmentServer

RATE: Final = 1_000
_PATH: Final = "/my-gateway/prod/billing"
# The embedded authorization server is believed by this worker alone.
_OURS: Final = (sys.executable, "-m", "ostiary.demo.worker")
_YES: Final = (sys.executable, "-m", "benchmarks.yes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What is loaded: `worker` None is an Envoy that hands on, and nothing else."""

    name: str
    worker: tuple[str, ...] | None
    sample_allows: float = 0.01


BARE: Final = Setup(name="Envoy alone", worker=None)
YES: Final = Setup(name="the same files, a service that only says yes", worker=_YES)
OURS: Final = Setup(name="ours, warm", worker=_OURS)
UNLOGGED: Final = Setup(name="ours, no allow is logged", worker=_OURS, sample_allows=0)
LOGGED: Final = Setup(name="ours, every allow is logged", worker=_OURS, sample_allows=1)
SETUPS: Final = (BARE, YES, OURS, UNLOGGED, LOGGED)


@dataclass(slots=True, kw_only=True)
class Measured:
    """Of one setup: a value for each round; CPU in microseconds a request."""

    setup: Setup
    rates: list[float] = field(default_factory=list)
    envoy_cpu: list[float] = field(default_factory=list)
    worker_cpu: list[float] = field(default_factory=list)
    latencies: list[Latencies] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Requests per second, the median."""
        return statistics.median(self.rates)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """A setup that serves."""

    setup: Setup
    url: str
    envoy: int
    worker: int | None


async def measure(server: DevelopmentServer, *, rounds: int, seconds: int) -> dict[Setup, Measured]:
    """Load every setup in turn, `rounds` times.

    Raises:
        LoadError: a client of load is missing, or was answered otherwise than with 200.
    """
    token = mint(server)
    found = {setup: Measured(setup=setup) for setup in SETUPS}
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="o-")))
        upstream = free_port()
        await stack.enter_async_context(envoy(folder, upstream, to=None))
        standing = [await _stand(stack, folder, setup, upstream, server) for setup in SETUPS]
        for one in standing:  # the first asks the authority
            await capacity(one.url, token, 1)
        for number in range(rounds):
            for one in standing:
                measured = found[one.setup]
                await _fill(one, measured, token, seconds)
                said = f"  round {number + 1} of {rounds}, {one.setup.name}: {measured.rates[-1]:,.0f}/s"
                latency = await open_loop(folder, one.url, token, rate=RATE, seconds=seconds)
                if latency is not None:
                    measured.latencies.append(latency)
                    said += f"; at {RATE:,}/s p50 {latency.p50:.2f} ms, p99 {latency.p99:.2f} ms"
                print(said, flush=True)
    return found


async def _fill(one: _Standing, measured: Measured, token: str, seconds: int) -> None:
    before = _cpu(one.envoy), _cpu(one.worker)
    rate = await capacity(one.url, token, seconds)
    spent = (_cpu(one.envoy) - before[0], _cpu(one.worker) - before[1])
    measured.rates.append(rate)
    measured.envoy_cpu.append(spent[0] / (rate * seconds) * 1e6)
    measured.worker_cpu.append(spent[1] / (rate * seconds) * 1e6)


async def _stand(
    stack: AsyncExitStack, folder: Path, setup: Setup, upstream: int, server: DevelopmentServer
) -> _Standing:
    port = free_port()
    if setup.worker is None:
        pid = await stack.enter_async_context(envoy(folder, port, to=upstream))
        return _Standing(setup=setup, url=f"http://127.0.0.1:{port}{_PATH}", envoy=pid, worker=None)
    home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="o-")))
    members = {
        "version": 1,
        "data_dir": "var",
        "gateway": {"listen": f"127.0.0.1:{port}", "public_url": "https://bkapi.example.com"},
        "operator": {"listen": f"127.0.0.1:{free_port()}", "token": {"file": "operator"}},
        "decision_log": {"sample_allows": setup.sample_allows},
        "authorization_servers": {
            "bench": {
                "kind": "rfc7662",
                "issuer": server.issuer,
                "client_id": "gateway",
                "client_secret": {"file": "secret"},
                "timeout": "30s",
            }
        },
        "routes": [
            {
                "name": "billing",
                "gateway": "my-gateway",
                "resource": "my-api",
                "match": {"path": _PATH},
                "upstream": f"http://127.0.0.1:{upstream}",
                "authorization_server": "bench",
                "auth": {"user_required": False},
            }
        ],
    }
    (home / "operator").write_text("o" * 32, encoding="ascii")
    (home / "secret").write_text("bench", encoding="ascii")
    data = json.dumps(members).encode()
    configuration = load_bytes(data, judge_sections({}), {}, origin=home / "ostiary.yaml", later=LATER_SECTIONS)
    role = GatewayRole(configuration, data=data, third_party={}, worker_command=setup.worker)
    await stack.enter_async_context(role)
    ours = _started_for(configuration.data_dir)
    return _Standing(
        setup=setup,
        url=f"http://127.0.0.1:{port}{_PATH}",
        envoy=next(pid for pid, line in ours.items() if "bootstrap" in line),
        worker=next(pid for pid, line in ours.items() if "--control-fd" in line),
    )


def _started_for(data_dir: Path) -> dict[int, str]:
    """The processes whose command line names a folder."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                line = os.fsdecode((folder / "cmdline").read_bytes())
            except OSError:
                continue
            if str(data_dir) in line:
                found[int(folder.name)] = line
    return found


def _cpu(pid: int | None) -> float:
    """Seconds of CPU that a process has used."""
    if pid is None:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


__all__ = ["BARE", "LOGGED", "OURS", "RATE", "SETUPS", "UNLOGGED", "YES", "LoadError", "Measured", "Setup", "measure"]
