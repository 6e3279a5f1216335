"""What the supervisor does about decision records: it runs the log's writer, and records what Envoy refused itself."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Final

from ostiary.diagnostics.merging import edge_record
from ostiary.diagnostics.outlet import Outlet
from ostiary.diagnostics.record_json import compose
from ostiary.diagnostics.settings import DECISION_LOG, decision_log_url
from ostiary.diagnostics.sink import RecordSink
from ostiary.diagnostics.writer import RecordWriter
from ostiary.gateway.edge import is_recorded, reason_of
from ostiary.judge.generations import parse_route_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostiary.config import Configuration
    from ostiary.diagnostics.metrics import Metrics
    from ostiary.diagnostics.record import DecisionRecord
    from ostiary.gateway.edge import EdgeLine

_JUDGED: Final = "ext_authz_denied"


class Records:
    """The writer, and our own way to it. Used from one event loop.

    Args:
        configuration: valid.
        metrics: counts what is recorded and what is lost.
        recall: told the reference where the judge may have allowed what Envoy then refused.

    Raises:
        OSError: the key for subjects cannot be read or made.
    """

    def __init__(self, configuration: Configuration, metrics: Metrics, recall: Callable[[str], None]) -> None:
        self._settings = configuration.require(DECISION_LOG)
        self._data_dir = configuration.data_dir
        self._url = decision_log_url(configuration)
        self._metrics = metrics
        self._recall = recall
        self._outlet = Outlet(self._data_dir)
        self._sink = self._open_sink()
        self._writer = RecordWriter(
            data_dir=self._data_dir, url=self._url, settings=self._settings, dropped=metrics.dropped
        )
        self._writer.start()

    def edge(self, line: EdgeLine) -> None:
        """Record an answer of Envoy's own."""
        if line.reference is None or not is_recorded(line):
            return
        record = _edge_record(line, line.reference)
        if line.details == _JUDGED:
            # The worker has written its line already; the log's writer joins the two, or keeps this one if it is alone.
            self._outlet.offer(compose(record)[1])
        else:
            if record.route is not None:
                self._recall(record.reference)
            self._sink.send(record)
            self._metrics.decided(record)

    async def adopt(self, configuration: Configuration) -> tuple[str, ...]:
        """Go by another configuration; a sentence for what that cannot change: folder and file stay where they are."""
        settings = configuration.require(DECISION_LOG)
        if settings != self._settings:
            self._settings = settings
            self._writer.adopt(settings)
            before, self._sink = self._sink, self._open_sink()
            await asyncio.to_thread(before.close)
        moved = decision_log_url(configuration) != self._url
        return ("decision_log.url changed: it needs a restart",) if moved else ()

    async def aclose(self) -> None:
        """Write what has arrived."""
        self._outlet.close()
        await asyncio.to_thread(self._sink.close)
        await asyncio.to_thread(self._writer.close)

    def _open_sink(self) -> RecordSink:
        return RecordSink(data_dir=self._data_dir, settings=self._settings, dropped=self._metrics.dropped)


def _edge_record(line: EdgeLine, reference: str) -> DecisionRecord:
    key = None if line.route is None else parse_route_key(line.route)
    name = None if key is None else key[1]
    return edge_record(
        reference=reference,
        time=datetime.fromisoformat(line.time).timestamp(),
        status=line.status,
        reason=reason_of(line),
        method=line.method or "",
        path=line.path or "",
        route=None if name is None else name.partition(":")[0],
        peer=line.peer,
        duration_seconds=line.duration_ms / 1000,
    )
