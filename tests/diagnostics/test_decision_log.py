"""Asking for a reference: found, unknown, or could not tell."""

from __future__ import annotations

import sqlite3
from threading import Timer
from typing import TYPE_CHECKING

import pytest
from tests.diagnostics.records import made

from ostiary.diagnostics.decision_log import Unreadable, read_decision
from ostiary.diagnostics.settings import DecisionLogSettings
from ostiary.diagnostics.sink import RecordSink

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.usefixtures("writer")
def test_a_record_under_way_is_waited_for(tmp_path: Path, url: str) -> None:
    """`configuration.md`: `explain` waits up to 3 s for an unknown reference."""
    sink = RecordSink(data_dir=tmp_path, settings=DecisionLogSettings())
    record = made()
    soon = Timer(0.3, sink.send, (record,))
    soon.start()

    assert read_decision(url, f" {record.reference.upper()}\n") == record
    soon.join()
    sink.close()


@pytest.mark.usefixtures("writer")
def test_an_unknown_reference_is_none(url: str) -> None:
    """`configuration.md`: exit 1 if there is none."""
    assert read_decision(url, "6f1b3c1e-6b0f-4a45-9a35-1f4a1d9c2e11", wait_seconds=0.1) is None


def test_where_nothing_was_ever_decided_there_is_none_and_no_file_is_made(tmp_path: Path, url: str) -> None:
    """Ours: reading changes nothing."""
    assert read_decision(url, "any", wait_seconds=0) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"not a database, but as long as the header of one would be" * 40, b""])
def test_a_file_that_is_no_log_could_not_be_asked(tmp_path: Path, url: str, content: bytes) -> None:
    """Convention 3: could not tell is not no."""
    (tmp_path / "decisions.sqlite").write_bytes(content)

    found = read_decision(url, "any", wait_seconds=0)

    assert found == (Unreadable(what="file is not a database") if content else None)


@pytest.mark.usefixtures("writer")
def test_a_row_that_somebody_changed_could_not_be_read(tmp_path: Path, url: str) -> None:
    """Convention 3, too."""
    record = made()
    sink = RecordSink(data_dir=tmp_path, settings=DecisionLogSettings())
    sink.send(record)
    assert read_decision(url, record.reference) == record
    sink.close()
    database = sqlite3.connect(tmp_path / "decisions.sqlite")
    with database:
        database.execute("UPDATE decisions SET record = '[]'")
    database.close()

    assert read_decision(url, record.reference, wait_seconds=0) == Unreadable(what="not an object")


def test_the_url_of_another_store_is_refused() -> None:
    """`configuration.md`: PostgreSQL is not in this version."""
    with pytest.raises(ValueError, match="SQLite"):
        read_decision("postgresql://localhost/decisions", "any")
