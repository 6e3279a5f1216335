"""Metrics in Prometheus' terms, by the names of the contract, every label value from a bounded set.

Counting on the request path is a few additions to plain dictionaries under one lock; `prometheus-client` renders them
when they are asked for.
"""

from __future__ import annotations

from bisect import bisect_left
from threading import Lock
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from ostiary.diagnostics.record import RecordSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client.metrics_core import Metric

    from ostiary.diagnostics.record import DecisionRecord

OTHER: Final = "other"
_MAX_CHILDREN: Final = 2_000
# From a hit in memory to an authority that has used up `decision_timeout`.
BUCKETS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
BREAKER_STATES: Final = {"closed": 0, "probing": 1, "open": 2}


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
        self._decisions = Counts(("door", "route", "verdict", "reason"))
        self._decision_seconds = Spread()
        self._authority_seconds: dict[tuple[str, str], Spread] = {}
        self._cache_events = Counts(("authority", "event"))
        self._breakers: dict[str, int] = {}
        self._cache_entries: Callable[[], int] | None = None
        self._dropped = 0
        self._reloads = Counts(("outcome",))
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
        yield _counter(
            "ostiary_decisions",
            "Decisions, by what they came to; an allow that Envoy then refuses is two.",
            self._decisions,
        )
        spread = HistogramMetricFamily(
            "ostiary_decision_seconds", "From a request's arrival at a door to its decision."
        )
        buckets, total = self._decision_seconds.cumulative()
        spread.add_metric((), buckets=buckets, sum_value=total)
        yield spread
        spread = HistogramMetricFamily(
            "ostiary_authority_seconds", "How long authorities took.", labels=("authority", "outcome")
        )
        for key, each in self._authority_seconds.items():
            buckets, total = each.cumulative()
            spread.add_metric(key, buckets=buckets, sum_value=total)
        yield spread
        yield _counter("ostiary_cache_events", "What became of questions to the token cache.", self._cache_events)
        if self._cache_entries is not None:
            yield GaugeMetricFamily("ostiary_cache_entries", "Entries in the token cache.", self._cache_entries())
        breakers = GaugeMetricFamily(
            "ostiary_breaker_state", "0 closed, 1 probing, 2 open: nobody is asked.", labels=("authority",)
        )
        for authority, state in self._breakers.items():
            breakers.add_metric((authority,), state)
        yield breakers
        yield CounterMetricFamily(
            "ostiary_decision_log_dropped", "Records that were lost on their way to the log.", self._dropped
        )
        yield _counter("ostiary_reloads", "Generations of the configuration, loaded and refused.", self._reloads)


def _counter(name: str, meaning: str, counts: Counts) -> CounterMetricFamily:
    family = CounterMetricFamily(name, meaning, labels=counts.labels)
    for key, value in counts.values.items():
        family.add_metric(key, value)
    return family
