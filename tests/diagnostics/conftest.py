"""A data directory, its log, and log lines as they would reach an operator."""

from __future__ import annotations

import json
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from ostiary.diagnostics.logs import LogLevel, configure_logging
from ostiary.diagnostics.settings import DecisionLogSettings
from ostiary.diagnostics.writer import RecordWriter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ostiary.diagnostics import lines as ours


@dataclass
class Lines:
    """What was logged."""

    way: ours.Lines
    stream: StringIO

    @property
    def text(self) -> str:
        self.way.drain()
        return self.stream.getvalue()

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    @property
    def decisions(self) -> list[dict[str, Any]]:
        return [event for event in self.events if event["logger"] == "ostiary.decision"]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """Log lines at `info`, as JSON."""
    stream = StringIO()
    yield Lines(configure_logging(LogLevel.INFO, stream), stream)
    structlog.reset_defaults()


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The log of this data directory."""
    return f"sqlite:///{tmp_path / 'decisions.sqlite'}"


@pytest.fixture
def writer(tmp_path: Path, url: str, lines: Lines) -> Iterator[RecordWriter]:
    """The writer of this data directory, listening."""
    started = RecordWriter(data_dir=tmp_path, url=url, settings=DecisionLogSettings(keep=10 * 365 * 86400.0))
    started.start()
    assert started.wait_listening(5)
    yield started
    started.close()
