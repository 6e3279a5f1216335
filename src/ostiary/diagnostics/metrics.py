"""Metrics in Prometheus' terms, by the names of the contract, every label value from a bounded set.

Counting on the request path is a few additions to plain dictionaries under one lock; `prometheus-client` renders them
when they are asked for.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from ostiary.diagnostics.record import RecordSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from prometheus_client.metrics_core import Metric

    from ostiary.diagnostics.record import DecisionRecord

OTHER: Final = "other"
_MAX_CHILDREN: Final = 2_000
# From a hit in memory to an authority that has used up `decision_timeout`.
BUCKETS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
BREAKER_STATES: Final = {"closed": 0, "probing": 1, "open": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A metric, as the page and the reference have it.

    Attributes:
        name: as it is asked for.
        meaning: its HELP line.
        labels: each with what its values are.
    """

    name: str
    meaning: str
    labels: Mapping[str, str] = field(default_factory=dict)


_AUTHORITY: Final = {"authority": "a name in `authorization_servers`"}
DECISIONS: Final = Row(
    name="ostiary_decisions_total",
    meaning="Decisions, by what they came to; an allow that Envoy then refuses is two.",
    labels={
        "door": "where the request arrived: `gateway`",
        "route": "its name; empty where none matched",
        "verdict": "`allow`, `deny`, `unavailable`",
        "reason": "a reason; empty for `allow`",
    },
)
DECISION_SECONDS: Final = Row(
    name="ostiary_decision_seconds", meaning="From a request's arrival at a door to its decision."
)
AUTHORITY_SECONDS: Final = Row(
    name="ostiary_authority_seconds",
    meaning="How long authorities took.",
    labels={**_AUTHORITY, "outcome": "`active`, `inactive`, or why it could not tell: `timeout`, `refused`, `tls`, …"},
)
CACHE_EVENTS: Final = Row(
    name="ostiary_cache_events_total",
    meaning="What became of questions to the token cache.",
    labels={**_AUTHORITY, "event": "`hit`, `inactive-hit`, `miss`, `coalesced`: another request was asking already"},
)
CACHE_ENTRIES: Final = Row(name="ostiary_cache_entries", meaning="Entries in the token cache.")
BREAKER_STATE: Final = Row(
    name="ostiary_breaker_state", meaning="0 closed, 1 probing, 2 open: nobody is asked.", labels=_AUTHORITY
)
DROPPED: Final = Row(
    name="ostiary_decision_log_dropped_total", meaning="Records that were lost on their way to the log."
)
RELOADS: Final = Row(
    name="ostiary_reloads_total",
    meaning="Generations of the configuration, loaded and refused.",
    labels={"outcome": "`loaded`, `refused`"},
)
COUNTERS: Final = (DECISIONS, CACHE_EVENTS, DROPPED, RELOADS)
GAUGES: Final = (CACHE_ENTRIES, BREAKER_STATE)
HISTOGRAMS: Final = (DECISION_SECONDS, AUTHORITY_SECONDS)


class Counts:
    """A counter for each combination of label values; beyond the bound every value is `other`."""

    __slots__ = ("labels", "values")

    def __init__(self, labels: tuple[str, ...]) -> None:
        self.labels = labels
        self.values: dict[tuple[str, ...], float] = {}

    def add(self, key: tuple[str, ...], amount: float = 1) -> None:
        """Count."""
        values = self.values
        if key not in values and len(values) >= _MAX_CHILDREN:
            key = (OTHER,) * len(self.labels)
        values[key] = values.get(key, 0) + amount


class Spread:
    """A histogram of seconds."""

    __slots__ = ("_buckets", "_sum")

    def __init__(self) -> None:
        self._buckets = [0] * (len(BUCKETS) + 1)
        self._sum = 0.0

    def add(self, seconds: float) -> None:
        """Observe."""
        self._buckets[bisect_left(BUCKETS, seconds)] += 1
        self._sum += seconds

    def cumulative(self) -> tuple[list[tuple[str, float]], float]:
        """Buckets as Prometheus has them, each with all below it, and the sum."""
        rows: list[tuple[str, float]] = []
        total = 0
        for bound, count in zip((*map(str, BUCKETS), "+Inf"), self._buckets, strict=True):
            total += count
            rows.append((bound, total))
        return rows, self._sum


class Metrics(Collector):
    """The counters of one process. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._decisions = Counts(tuple(DECISIONS.labels))
        self._decision_seconds = Spread()
        self._authority_seconds: dict[tuple[str, ...], Spread] = {}
        self._cache_events = Counts(tuple(CACHE_EVENTS.labels))
        self._breakers: dict[str, int] = {}
        self._cache_entries: Callable[[], int] | None = None
        self._dropped = 0
        self._reloads = Counts(tuple(RELOADS.labels))
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def decided(self, record: DecisionRecord) -> None:
        """A door has a decision, or the edge its answer: that one took as long as the upstream, which is not timed."""
        key = (record.door, record.route or "", record.verdict, record.reason or "")
        with self._lock:
            self._decisions.add(key)
            if record.source is RecordSource.JUDGE:
                self._decision_seconds.add(record.total_seconds)

    def asked(self, authority: str, outcome: str, seconds: float) -> None:
        """An authority has answered, or not."""
        key = (authority, outcome)
        with self._lock:
            spread = self._authority_seconds.get(key)
            if spread is None:
                if len(self._authority_seconds) >= _MAX_CHILDREN:
                    key = (OTHER, OTHER)
                spread = self._authority_seconds.setdefault(key, Spread())
            spread.add(seconds)

    def cache_event(self, authority: str, event: str) -> None:
        """The token cache was used: a hit, a miss, an eviction, a purge."""
        with self._lock:
            self._cache_events.add((authority, event))

    def breaker(self, authority: str, state: str) -> None:
        """A breaker is now `closed`, `probing` or `open`; shown as 0, 1, 2."""
        with self._lock:
            if authority in self._breakers or len(self._breakers) < _MAX_CHILDREN:
                self._breakers[authority] = BREAKER_STATES.get(state, 1)

    def dropped(self, records: int = 1) -> None:
        """Records were lost on their way to the log."""
        with self._lock:
            self._dropped += records

    def reloaded(self, outcome: str) -> None:
        """A new generation was `loaded` or `refused`."""
        with self._lock:
            self._reloads.add((outcome,))

    def count_cache_entries(self, count: Callable[[], int]) -> None:
        """How to learn, at each look, how many entries the token cache has."""
        self._cache_entries = count

    def exposition(self) -> bytes:
        """All of it in the text format 0.0.4."""
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """What `prometheus-client` renders; called by its registry."""
        with self._lock:
            return list(self._families())

    def _families(self) -> Iterable[Metric]:
        yield _counter(DECISIONS, self._decisions.values)
        yield _histogram(DECISION_SECONDS, {(): self._decision_seconds})
        yield _histogram(AUTHORITY_SECONDS, self._authority_seconds)
        yield _counter(CACHE_EVENTS, self._cache_events.values)
        if self._cache_entries is not None:
            yield _gauge(CACHE_ENTRIES, {(): self._cache_entries()})
        yield _gauge(BREAKER_STATE, {(authority,): state for authority, state in self._breakers.items()})
        yield _counter(DROPPED, {(): self._dropped})
        yield _counter(RELOADS, self._reloads.values)


def _counter(row: Row, values: Mapping[tuple[str, ...], float]) -> CounterMetricFamily:
    family = CounterMetricFamily(row.name, row.meaning, labels=tuple(row.labels))
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _gauge(row: Row, values: Mapping[tuple[str, ...], float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(row.name, row.meaning, labels=tuple(row.labels))
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _histogram(row: Row, spreads: Mapping[tuple[str, ...], Spread]) -> HistogramMetricFamily:
    family = HistogramMetricFamily(row.name, row.meaning, labels=tuple(row.labels))
    for key, spread in spreads.items():
        buckets, total = spread.cumulative()
        family.add_metric(key, buckets=buckets, sum_value=total)
    return family
