"""The page of the metrics, from the rows that the exposition itself is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.docs.markdown import table

from ostiary.diagnostics.metrics import BUCKETS, COUNTERS, GAUGES, HISTOGRAMS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ostiary.diagnostics.metrics import Row

TYPES: Final[Mapping[str, tuple[Row, ...]]] = {"counter": COUNTERS, "gauge": GAUGES, "histogram": HISTOGRAMS}


def render(made: str) -> str:
    """The page.

    Args:
        made: the sentence that says how it is made.
    """
    intro = (
        "What `/metrics` on `operator.listen` answers, in Prometheus' text format 0.0.4, to whoever shows the "
        "operator's token. Each sample also has the label `worker`: a decision worker's index, or `supervisor`; sum "
        "over it. Beyond 2,000 combinations of values a counter counts the rest under `other`."
    )
    buckets = f"The buckets of a histogram end at {', '.join(map(str, BUCKETS))} seconds."
    heads = ("metric", "type", "labels", "meaning")
    return "\n\n".join(["# Metrics", f"{intro} {made}", table(heads, _rows()), buckets]) + "\n"


def _rows() -> Iterator[tuple[str, str, str, str]]:
    for kind, rows in TYPES.items():
        for row in rows:
            labels = "; ".join([f"`{label}`: {values}" for label, values in row.labels.items()])
            yield (f"`{row.name}`", kind, labels or "none", row.meaning)
