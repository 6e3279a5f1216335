"""Counters by the contract's names, bounded, and those of many workers on one page."""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families
from tests.diagnostics.records import allowed, made

from ostiary.authorities.breaker import BreakerState
from ostiary.authorities.observing import CacheOutcome
from ostiary.decision.reasons import Reason
from ostiary.diagnostics.exposition import merge
from ostiary.diagnostics.merging import edge_record
from ostiary.diagnostics.metrics import Metrics

if TYPE_CHECKING:
    from ostiary.authorities.observing import Observer

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def test_every_metric_of_the_contract_is_there_by_its_name() -> None:
    """`operator.md`, Metrics."""
    metrics = Metrics()
    metrics.count_cache_entries(lambda: 7)
    metrics.decided(made(route="billing", reason=Reason.TOKEN_INACTIVE, total_seconds=0.003))
    observer: Observer = metrics
    observer.asked("corp", "active", 0.02)
    observer.cache_event("corp", CacheOutcome.MISS)
    observer.breaker("corp", BreakerState.OPEN)
    metrics.dropped(3)

    found = samples(metrics.exposition())

    refused = (("door", "gateway"), ("reason", "token-inactive"), ("route", "billing"), ("verdict", "deny"))
    assert found["ostiary_decisions_total", refused] == 1
    assert found["ostiary_decision_seconds_bucket", (("le", "0.0025"),)] == 0
    assert found["ostiary_decision_seconds_bucket", (("le", "0.005"),)] == 1
    assert found["ostiary_decision_seconds_count", ()] == 1
    assert found["ostiary_decision_seconds_sum", ()] == 0.003
    assert found["ostiary_authority_seconds_count", (("authority", "corp"), ("outcome", "active"))] == 1
    assert found["ostiary_cache_events_total", (("authority", "corp"), ("event", "miss"))] == 1
    assert found["ostiary_cache_entries", ()] == 7
    assert found["ostiary_breaker_state", (("authority", "corp"),)] == 2
    assert found["ostiary_decision_log_dropped_total", ()] == 3


def test_every_state_of_a_breaker_has_its_number() -> None:
    """Ours: an alert is written on a number."""
    numbers = {}
    for state in BreakerState:
        metrics = Metrics()
        metrics.breaker("corp", state)
        numbers[state] = samples(metrics.exposition())["ostiary_breaker_state", (("authority", "corp"),)]

    assert numbers == {BreakerState.CLOSED: 0, BreakerState.PROBING: 1, BreakerState.OPEN: 2}


def test_label_values_are_bounded() -> None:
    """`operator.md`: bounded label values; a flood of names neither grows the page nor loses a count."""
    metrics = Metrics()
    for number in range(5_000):
        metrics.decided(allowed(route=f"r{number}"))
        metrics.asked(f"a{number}", "active", 0.1)
        metrics.cache_event(f"a{number}", "hit")
        metrics.breaker(f"a{number}", "open")

    found = samples(metrics.exposition())

    assert len(found) < 60_000
    decisions = {labels: value for (name, labels), value in found.items() if name == "ostiary_decisions_total"}
    assert len(decisions) == 2_001
    assert sum(decisions.values()) == 5_000
    asked = [value for (name, _), value in found.items() if name == "ostiary_authority_seconds_count"]
    assert sum(asked) == 5_000


def test_a_label_cannot_write_a_line_of_its_own() -> None:
    """`attacks.md`: metric labels."""
    metrics = Metrics()
    metrics.decided(allowed(route='a"} 1\nostiary_decisions_total{door="x'))

    assert ("ostiary_decisions_total", (("door", "x"),)) not in samples(metrics.exposition())


def test_an_answer_of_the_edge_is_counted_and_not_timed() -> None:
    """Ours: it took as long as the upstream."""
    metrics = Metrics()
    metrics.decided(edge_record(reference="r", time=1, status=504, reason=Reason.EDGE_TIMEOUT, duration_seconds=60))

    found = samples(metrics.exposition())

    edge = (("door", "gateway"), ("reason", "edge-timeout"), ("route", ""), ("verdict", "deny"))
    assert found["ostiary_decisions_total", edge] == 1
    assert found["ostiary_decision_seconds_count", ()] == 0


def test_counting_from_many_threads_loses_nothing() -> None:
    """Ours: the kit counts in the threads of other people's applications."""
    metrics, record = Metrics(), allowed(route="billing")

    def count() -> None:
        for _ in range(2_000):
            metrics.decided(record)

    threads = [Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert samples(metrics.exposition())["ostiary_decision_seconds_count", ()] == 8_000


def test_pages_of_workers_become_one_with_every_sample_marked() -> None:
    """Ours: the supervisor answers for all of its workers."""
    one, other = Metrics(), Metrics()
    one.decided(allowed(route='a{"b"} \\ c'))
    other.decided(allowed(route="d"))
    other.breaker("corp", "open")

    page = merge({0: one.exposition(), "supervisor": other.exposition()})

    families = list(text_string_to_metric_families(page.decode()))
    assert len({family.name for family in families}) == len(families)
    assert {sample.labels["worker"] for family in families for sample in family.samples} == {"0", "supervisor"}
    both = samples(one.exposition()), samples(other.exposition())
    assert len(samples(page)) == sum(len(each) for each in both)
    for worker, each in zip(("0", "supervisor"), both, strict=True):
        for (name, labels), value in each.items():
            assert samples(page)[name, tuple(sorted((*labels, ("worker", worker))))] == value


def samples(page: bytes) -> Samples:
    """All samples of a page, as Prometheus reads it."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }
