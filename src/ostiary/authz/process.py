"""The worker as a process of its own: what a generation is made of, where its records and its counts go."""

from __future__ import annotations

import asyncio
import os
import sys
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Final

import uvloop

from ostiary.authorities.settings import TOKEN_CACHE
from ostiary.authz.registry import Generation
from ostiary.authz.worker import ENDED, run_worker
from ostiary.config import load_bytes
from ostiary.diagnostics.logs import LogLevel, configure_logging
from ostiary.diagnostics.metrics import Metrics
from ostiary.diagnostics.settings import DECISION_LOG, OPERATOR
from ostiary.diagnostics.sink import RecordSink
from ostiary.judge.gateway_settings import GATEWAY
from ostiary.judge.loading import LATER_SECTIONS, judge_sections, load_judge, new_cache
from ostiary.judge.third_party import find_third_party

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.authorities import TokenCache
    from ostiary.config import Configuration
    from ostiary.diagnostics.record import DecisionRecord
    from ostiary.diagnostics.settings import DecisionLogSettings
    from ostiary.judge.generations import Load

# Of the second that a supervisor gives us after its last word.
_LAST_RECORDS_SECONDS: Final = 0.5
# Allows that Envoy may still answer otherwise: an upstream that is away is soon known to be.
_RECALLABLE: Final = 4096
_LAST_LINES_SECONDS: Final = 0.25


def run_worker_process(
    *,
    data_dir: Path,
    index: int,
    control_fd: int,
    environ: Mapping[str, str],
    log_level: LogLevel = LogLevel.INFO,
    allow_development_issuer: bool = False,
) -> int:
    """Run a worker until it is told to end; the exit code. Does not return if the supervisor is gone.

    Args:
        data_dir: where its sockets and the decision log's writer are.
        index: of the worker.
        control_fd: the inherited end of the socket pair.
        environ: what secret references look into.
        log_level: from which level on lines are written to stderr.
        allow_development_issuer: whether the embedded authorization server is believed; no file can say so.
    """
    lines = configure_logging(log_level, sys.stderr)
    binding = _Binding(data_dir, environ, allow_development_issuer=allow_development_issuer)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        code = runner.run(
            run_worker(
                data_dir=data_dir,
                index=index,
                control_fd=control_fd,
                load=binding.load,
                record=binding.record,
                recall=binding.recall,
                metrics=binding.metrics.exposition,
            )
        )
        if code != ENDED:
            lines.close(_LAST_LINES_SECONDS)
            os._exit(code)  # nobody is left who could wait for threads, and the log's writer is gone as well
    binding.close()
    lines.close(_LAST_LINES_SECONDS)
    return code


class _Binding:
    """What outlives a generation: the token cache, the counts, the way to the decision log."""

    def __init__(self, data_dir: Path, environ: Mapping[str, str], *, allow_development_issuer: bool) -> None:
        self.metrics = Metrics()
        self._data_dir = data_dir
        self._environ = environ
        self._allow_development_issuer = allow_development_issuer
        self._cache: TokenCache | None = None
        self._sink: RecordSink | None = None
        self._log_settings: DecisionLogSettings | None = None

    def load(self, order: Load) -> Generation:
        """Read and bind one generation.

        Raises:
            ConfigurationError: the file is not valid here: a secret is missing in this process, or a plugin, perhaps.
            OSError: the copy of the file, or the key for subjects, cannot be read.
        """
        third_party = find_third_party()
        configuration = load_bytes(
            Path(order.path).read_bytes(),
            judge_sections(third_party),
            self._environ,
            origin=Path(order.origin),
            later=LATER_SECTIONS,
            unresolved=(OPERATOR.name, GATEWAY.name),
        )
        settings = configuration.require(DECISION_LOG)
        sink = RecordSink(
            data_dir=self._data_dir, settings=settings, dropped=self.metrics.dropped, recallable=_RECALLABLE
        )
        if self._cache is None:
            self._cache = new_cache(configuration)
            self.metrics.count_cache_entries(self._count_entries)
            self._log_settings, self._sink = settings, sink
        judge = load_judge(
            configuration,
            third_party=third_party,
            cache=self._cache,
            observer=self.metrics,
            allow_development_issuer=self._allow_development_issuer,
        )
        return Generation(
            judge=judge,
            metadata_root=configuration.require(GATEWAY).metadata.root,
            begin=partial(self._begin, configuration, sink),
        )

    def record(self, record: DecisionRecord) -> None:
        """Count a decision, and send its record."""
        self.metrics.decided(record)
        if self._sink is not None:
            self._sink.send(record)

    def recall(self, reference: str) -> None:
        """Send the record of an allow that was sampled away, if it is still there."""
        if self._sink is not None:
            self._sink.recall(reference)

    def close(self) -> None:
        """Send the last records."""
        if self._sink is not None:
            self._sink.close(_LAST_RECORDS_SECONDS)

    def _begin(self, configuration: Configuration, sink: RecordSink) -> None:
        """Keep and log by this configuration: it is in force."""
        if self._cache is not None:
            self._cache.resize(configuration.require(TOKEN_CACHE).max_bytes)
        settings = configuration.require(DECISION_LOG)
        if settings != self._log_settings and self._sink is not None:
            sink.take_over(self._sink)
            Thread(target=self._sink.close, args=(_LAST_RECORDS_SECONDS,), daemon=True).start()
            self._log_settings, self._sink = settings, sink

    def _count_entries(self) -> int:
        return 0 if self._cache is None else self._cache.entries
