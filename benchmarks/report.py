"""`RESULTS.md`: the figures of the last run as a table and a picture, with the machine they were measured on."""

from __future__ import annotations

import os
import platform
import sysconfig
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from benchmarks.figures import Figure

_HERE = Path(__file__).parent
_BAR = 520  # pixels of the longest bar
_ROW = 56


def write(figures: list[Figure]) -> None:
    """Render table and picture beside this file."""
    (_HERE / "RESULTS.md").write_text(_page(figures), encoding="utf-8")
    (_HERE / "results.svg").write_text(_picture(figures), encoding="utf-8")
    print(f"written: {(_HERE / 'RESULTS.md').relative_to(Path.cwd())}")


def _page(figures: list[Figure]) -> str:
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
        )
    )


def _is_optimized() -> bool:
    """Whether Python was built with what it learned of its own running, as distributions do: it is faster then."""
    return "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")


def _picture(figures: list[Figure]) -> str:
    longest = max(max(figure.ratio, 1.0) for figure in figures)
    height = _ROW * len(figures) + 20
    rows = []
    for index, figure in enumerate(figures):
        top = 16 + index * _ROW
        value, bound = (_BAR * amount / longest for amount in (figure.ratio, 1.0))
        rows += [
            f'<text x="10" y="{top + 8}">{escape(figure.name)}: {figure.value:,.2f} {escape(figure.unit)}</text>',
            f'<rect x="10" y="{top + 16}" width="{max(value, 2):.0f}" height="10" fill="#3b7dd8"/>',
            f'<rect x="10" y="{top + 28}" width="{max(bound, 2):.0f}" height="6" fill="#9aa4b2"/>',
            f'<text x="{max(value, bound) + 18:.0f}" y="{top + 26}">{figure.ratio:.2f}</text>',
        ]
    style = "text{font:13px sans-serif;fill:#57606a}"
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="640" height="{height}" role="img">',
            "<title>Each figure in multiples of its bound</title>",
            f"<style>{style}</style>",
            *rows,
            "</svg>",
            "",
        )
    )
