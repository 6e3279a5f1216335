"""`make bench`: prints the figures and renders `benchmarks/RESULTS.md` with its picture."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import sys
from statistics import median
from typing import TYPE_CHECKING

from benchmarks import edge, report
from benchmarks.figures import Figure, deep_size, median_microseconds
from benchmarks.stage import facts_of, mint, stage
from ostiary.diagnostics.logs import LogLevel, configure_logging
from ostiary.judge.loading import load_judge, new_cache

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.config import Configuration
    from ostiary.devserver import DevelopmentServer

_TOKENS = 10_000
_CLIENTS = 1_000
_ROUNDS = 3
_SECONDS = 4


async def warm_decision(server: DevelopmentServer, configuration: Configuration) -> Figure:
    """One decision in this process, its token remembered, beside the two hashes that no decision can do without."""
    judge = load_judge(configuration, third_party={}, allow_development_issuer=True)
    token = mint(server)
    facts = facts_of(token)
    decision = await judge.decide(facts)
    assert decision.refusal is None, decision.refusal

    async def hashes() -> None:
        hmac.digest(b"k" * 32, token.encode(), "sha256")
        hashlib.sha256(token.encode()).digest()

    bound = await median_microseconds(hashes, count=5_000, rounds=9)
    value = await median_microseconds(lambda: judge.decide(facts), count=2_000, rounds=9)
    await judge.aclose()
    return Figure(
        name="one warm decision",
        value=value,
        unit="µs",
        bound_name="HMAC-SHA256 and SHA-256 of the token, nothing else",
        bound=bound,
        note="median of 9 rounds of 2,000; in-process, one thread",
    )


async def stampede(server: DevelopmentServer, configuration: Configuration) -> Figure:
    """Calls to the authority when 1,000 clients come at once with one token that nobody has seen."""
    judge = load_judge(configuration, third_party={}, allow_development_issuer=True)
    token = mint(server)
    facts = facts_of(token)
    decisions = await asyncio.gather(*(judge.decide(facts) for _ in range(_CLIENTS)))
    assert all(decision.refusal is None for decision in decisions)
    await judge.aclose()
    return Figure(
        name=f"calls to the authority, {_CLIENTS:,} clients with one new token",
        value=server.introspections_of(token),
        unit="calls",
        bound_name="one: somebody has to ask",
        bound=1,
        note="one worker; all admitted",
    )


async def memory(server: DevelopmentServer, configuration: Configuration) -> Figure:
    """What 10,000 remembered tokens hold in memory, beside what the cache weighs them at."""
    cache = new_cache(configuration)
    judge = load_judge(configuration, third_party={}, cache=cache, allow_development_issuer=True)
    tokens = [mint(server) for _ in range(_TOKENS)]
    gate = asyncio.Semaphore(32)

    async def remember(token: str) -> None:
        async with gate:
            decision = await judge.decide(facts_of(token))
            assert decision.refusal is None, decision.refusal

    for start in range(0, _TOKENS, 1_000):
        await asyncio.gather(*(remember(token) for token in tokens[start : start + 1_000]))
    held = deep_size(cache)
    await judge.aclose()
    return Figure(
        name=f"memory of {_TOKENS:,} remembered tokens",
        value=held / 2**20,
        unit="MiB",
        bound_name="what `token_cache.max_bytes` counts for them",
        bound=cache.weight / 2**20,
        note="every object that the cache holds, once; over 1 would mean that the bound lies",
    )


def figures_of(measured: Mapping[edge.Setup, edge.Measured]) -> list[Figure]:
    """What the loaded gateway comes to, in numbers that may be compared."""
    ours, yes, silent = (measured[setup] for setup in (edge.OURS, edge.YES, edge.UNLOGGED))
    found = [
        Figure(
            name="requests a second, warm",
            value=ours.rate,
            unit="/s",
            bound_name=edge.YES.name,
            bound=yes.rate,
            note="the same Envoy files; more is better, 1 is the bound",
        ),
        Figure(
            name="requests a second with the decision log",
            value=ours.rate,
            unit="/s",
            bound_name=edge.UNLOGGED.name,
            bound=silent.rate,
            note="the default: one allow in a hundred is logged",
        ),
    ]
    if ours.latencies and yes.latencies:
        alone = median(each.p99 for each in measured[edge.BARE].latencies)
        found.append(
            Figure(
                name=f"p99 added at {edge.RATE:,} requests a second",
                value=median(each.p99 for each in ours.latencies) - alone,
                unit="ms",
                bound_name=edge.YES.name,
                bound=median(each.p99 for each in yes.latencies) - alone,
                note="beside Envoy alone; open loop",
            )
        )
    return found


async def main() -> None:
    """All figures, in one run on one machine."""
    configure_logging(LogLevel.WARNING, sys.stderr)
    measured: dict[edge.Setup, edge.Measured] = {}
    with stage() as (server, configuration):
        figures = []
        for benchmark in (warm_decision, stampede, memory):
            print(f"… {(benchmark.__doc__ or '').splitlines()[0]}", flush=True)
            figure = await benchmark(server, configuration)
            figures.append(figure)
            print(f"  {figure.value:,.2f} {figure.unit}, {figure.ratio:.2f} times {figure.bound_name}", flush=True)
        print(f"… {(edge.__doc__ or '').splitlines()[0]}", flush=True)
        try:
            measured = await edge.measure(server, rounds=_ROUNDS, seconds=_SECONDS)
        except edge.LoadError as error:
            print(f"  left out: {error}", flush=True)
        else:
            figures += figures_of(measured)
    report.write(figures, measured)


asyncio.run(main())
