"""`RESULTS.md`: what the last run measured, as tables and pictures, with the machine it was measured on."""

from __future__ import annotations

import os
import platform
import statistics
import sysconfig
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from benchmarks.edge import BARE, RATE, YES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.edge import Measured, Setup
    from benchmarks.figures import Figure

_HERE = Path(__file__).parent
_LONGEST = 480  # pixels
_ROW = 56
_OURS, _BOUND = "#3b7dd8", "#9aa4b2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One row of a picture: a bar in its length, and perhaps a second below it that it is compared with."""

    label: str
    value: float
    shown: str
    bound: float | None = None


def write(figures: Sequence[Figure], edge: Mapping[Setup, Measured]) -> None:
    """Render the page and its pictures beside this file."""
    pictures = {
        "results.svg": (
            "Each figure in multiples of its bound",
            [Bar(label=_measured(each), value=each.ratio, shown=f"{each.ratio:.2f}", bound=1.0) for each in figures],
        )
    }
    if edge:
        pictures["capacity.svg"] = (
            "Requests a second, 32 connections",
            [Bar(label=each.setup.name, value=each.rate, shown=f"{each.rate:,.0f}") for each in edge.values()],
        )
    for name, (title, bars) in pictures.items():
        (_HERE / name).write_text(_picture(title, bars), encoding="utf-8")
    (_HERE / "RESULTS.md").write_text(_page(figures, edge), encoding="utf-8")
    print(f"written: {(_HERE / 'RESULTS.md').relative_to(Path.cwd())}")


def _page(figures: Sequence[Figure], edge: Mapping[Setup, Measured]) -> str:
    python = f"Python {platform.python_version()}{'' if _is_optimized() else ' built without PGO'}"
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}, {python}"
    rows = [
        f"| {figure.name} | {figure.value:,.2f} {figure.unit} | {figure.bound_name}: {figure.bound:,.2f} {figure.unit}"
        f" | {figure.ratio:.2f} | {figure.note} |"
        for figure in figures
    ]
    return "\n".join(
        (
            "# Figures",
            "",
            f"Measured {datetime.now(UTC):%Y-%m-%d} on a shared machine ({machine}) by",
            "`make bench`, which writes this page. Compare ratios, not times: each bound was measured in the same run.",
            "",
            "![Each figure in multiples of its bound](results.svg)",
            "",
            "| figure | measured | bound | ratio | how |",
            "|---|---|---|---|---|",
            *rows,
            "",
            *(_edge_section(edge) if edge else ()),
        )
    )


def _edge_section(edge: Mapping[Setup, Measured]) -> tuple[str, ...]:
    yes = edge[YES].rate
    rows = [
        f"| {each.setup.name} | {each.rate:,.0f} ({min(each.rates):,.0f} to {max(each.rates):,.0f})"
        f" | {each.rate / yes:.2f} | {statistics.median(each.envoy_cpu):,.0f}"
        f" | {statistics.median(each.worker_cpu):,.0f} | {_latency(each)} |"
        for each in edge.values()
    ]
    return (
        "## The whole gateway",
        "",
        "One Envoy thread and one worker; client, Envoy, worker and upstream share the machine's cores. Setups take",
        f"turns, {len(edge[BARE].rates)} rounds: first as many requests as 32 connections get answered (`wrk`), then",
        f"{RATE:,} requests a second, whatever becomes of those before (`k6`, open loop). Medians over the rounds.",
        "",
        "![Requests a second](capacity.svg)",
        "",
        f"| setup | requests/s | ÷ only yes | Envoy, CPU µs | worker, CPU µs | at {RATE:,}/s: p50, p99 ms |",
        "|---|---|---|---|---|---|",
        *rows,
        "",
    )


def _latency(measured: Measured) -> str:
    if not measured.latencies:
        return "not measured"
    p50 = statistics.median(each.p50 for each in measured.latencies)
    p99 = statistics.median(each.p99 for each in measured.latencies)
    late = sum(each.late for each in measured.latencies)
    return f"{p50:.2f}, {p99:.2f}" + (f"; {late:,} not begun in time" if late else "")


def _is_optimized() -> bool:
    """Whether Python was built with what it learned of its own running, as distributions do: it is faster then."""
    return "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")


def _measured(figure: Figure) -> str:
    return f"{figure.name}: {figure.value:,.2f} {figure.unit}"


def _picture(title: str, bars: Sequence[Bar]) -> str:
    longest = max(max(bar.value, bar.bound or 0.0) for bar in bars)
    height = _ROW * len(bars) + 20
    rows = []
    for index, bar in enumerate(bars):
        top = 16 + index * _ROW
        value, bound = (max(_LONGEST * amount / longest, 2) for amount in (bar.value, bar.bound or 0.0))
        rows += [
            f'<text x="10" y="{top + 8}">{escape(bar.label)}</text>',
            f'<rect x="10" y="{top + 16}" width="{value:.0f}" height="10" fill="{_OURS}"/>',
            f'<text x="{max(value, bound) + 18:.0f}" y="{top + 26}">{bar.shown}</text>',
        ]
        if bar.bound is not None:
            rows.append(f'<rect x="10" y="{top + 28}" width="{bound:.0f}" height="6" fill="{_BOUND}"/>')
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="640" height="{height}" role="img">',
            f"<title>{escape(title)}</title>",
            "<style>text{font:13px sans-serif;fill:#57606a}</style>",
            *rows,
            "</svg>",
            "",
        )
    )
