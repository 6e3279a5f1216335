"""The one writer: who it is, what it survives, what it keeps."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from tests.diagnostics.records import allowed, made

from ostiary.decision.reasons import Reason
from ostiary.decision.verdict import VerdictLabel
from ostiary.diagnostics.decision_log import read_decision
from ostiary.diagnostics.merging import edge_record
from ostiary.diagnostics.record import DecisionRecord
from ostiary.diagnostics.record_json import to_json
from ostiary.diagnostics.settings import DecisionLogSettings
from ostiary.diagnostics.sink import RecordSink
from ostiary.diagnostics.writer import RecordWriter
from ostiary.plugins.drivers import Step, StepOutcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.diagnostics.conftest import Lines

LONG = 3650 * 86400.0
EVERY = DecisionLogSettings(sample_allows=1.0)


def test_only_one_of_two_writes_and_the_other_follows(tmp_path: Path, url: str, writer: RecordWriter) -> None:
    """`operator.md`: one writer per `data_dir`; every other tries once a second."""
    other = RecordWriter(data_dir=tmp_path, url=url, settings=EVERY)
    other.start()
    assert not other.wait_listening(0.3)

    writer.close()

    assert other.wait_listening(5)
    record = made(time=2e9)
    send(tmp_path, record)
    assert stored(url, record) == record
    other.close()


def test_a_killed_writer_is_followed_and_loses_nothing_that_was_readable(tmp_path: Path, url: str) -> None:
    """`operator.md`: it survives the first. Ours: a kill loses what was in flight and breaks nothing."""
    sent = [made(time=2e9 + number, path=f"/{number}") for number in range(400)]
    with process(tmp_path) as first:
        follower = RecordWriter(data_dir=tmp_path, url=url, settings=DecisionLogSettings(keep=LONG))
        follower.start()
        sink = RecordSink(data_dir=tmp_path, settings=EVERY)
        for record in sent:
            sink.send(record)
        stored(url, sent[50])
        readable = rows(tmp_path)
        first.send_signal(signal.SIGKILL)
        first.wait(5)

        assert follower.wait_listening(5)
        later = made(time=3e9)
        sink.send(later)
        stored(url, later)
        sink.close()
        follower.close()

    assert readable <= rows(tmp_path)
    with sqlite3.connect(tmp_path / "decisions.sqlite") as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    database.close()


def test_a_full_disk_is_said_once_and_ends_nothing(tmp_path: Path) -> None:
    """`attacks.md`, failing open: disk full. `operator.md`: counted."""
    with process(tmp_path, "200000") as full:
        sink = RecordSink(data_dir=tmp_path, settings=EVERY)
        for number in range(1000):
            sink.send(made(path=f"/{number}" + "x" * 900))
        sink.close(20)
        said, logged = full.communicate(timeout=20)

    assert full.returncode == 0
    assert 0 < int(said.split()[-1]) <= 1000
    assert logged.count("the decision log cannot be written") >= 1
    assert logged.count("the decision log cannot be written") <= logged.count("is written again") + 1
    assert "xxx" not in logged


def test_a_log_that_cannot_be_opened_is_said_once_and_written_when_it_can(tmp_path: Path, lines: Lines) -> None:
    """Ours: an operator makes the folder, and need not start anything again."""
    lost = threading.Event()
    url = f"sqlite:///{tmp_path / 'later' / 'decisions.sqlite'}"
    writer = RecordWriter(
        data_dir=tmp_path, url=url, settings=DecisionLogSettings(keep=LONG), dropped=lambda _: lost.set()
    )
    writer.start()
    assert writer.wait_listening(5)
    send(tmp_path, made())
    assert lost.wait(5)
    (tmp_path / "later").mkdir()
    record = made()
    send(tmp_path, record)

    assert stored(url, record) == record
    writer.close()
    said = [event for event in lines.events if event["level"] == "error"]
    assert [(event["event"], event["cause"]) for event in said] == [
        (
            "the decision log cannot be written",
            "No such file or directory",
        )
    ]


def test_what_is_no_record_is_counted_and_ends_nothing(tmp_path: Path, url: str) -> None:
    """Ours: nothing that is sent ends the writer."""
    dropped: list[int] = []
    writer = RecordWriter(data_dir=tmp_path, url=url, settings=DecisionLogSettings(keep=LONG), dropped=dropped.append)
    writer.start()
    assert writer.wait_listening(5)
    record = made()
    for data in (b"\xff", b"{}", b"x" * 60_000, to_json(record)):
        datagram(tmp_path, data)

    assert stored(url, record) == record
    writer.close()
    assert sum(dropped) == 3


@pytest.mark.usefixtures("writer")
def test_lock_socket_and_database_are_their_owners_alone(tmp_path: Path, url: str) -> None:
    """`architecture.md`: sockets 0600."""
    record = made()
    send(tmp_path, record)
    stored(url, record)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes.keys() >= {"records.lock", "records.sock", "decisions.sqlite", "decisions.sqlite-wal"}
    assert set(modes.values()) == {0o600}


def test_a_closed_writer_leaves_no_socket(tmp_path: Path, writer: RecordWriter) -> None:
    """Ours: a door that finds no socket knows that nobody reads."""
    writer.close()

    assert not (tmp_path / "records.sock").exists()
    assert not writer.is_listening


@pytest.mark.usefixtures("writer")
@pytest.mark.parametrize("is_edge_first", [False, True])
@pytest.mark.parametrize("gap_seconds", [0, 0.4])
def test_judge_and_edge_become_one_row(tmp_path: Path, url: str, *, is_edge_first: bool, gap_seconds: float) -> None:
    """`operator.md`: where the judge had allowed, the two become one record, steps kept; in one batch or in two."""
    judged = allowed(steps=(Step("bk-oauth2-verify", StepOutcome.PASSED, 0.1),), route="billing")
    edge = edge_record(
        reference=judged.reference, time=judged.time, status=503, reason=Reason.EDGE_UPSTREAM, route="billing"
    )
    first, second = (edge, judged) if is_edge_first else (judged, edge)

    send(tmp_path, first)
    if gap_seconds:
        stored(url, first)
    send(tmp_path, second)
    after = made(time=2e9)
    send(tmp_path, after)
    stored(url, after)

    found = stored(url, judged)
    assert (found.verdict, found.reason, found.steps) == (
        VerdictLabel.UNAVAILABLE,
        Reason.EDGE_UPSTREAM,
        judged.steps,
    )
    assert len(rows(tmp_path)) == 2


def test_what_is_too_old_goes(tmp_path: Path, url: str) -> None:
    """`operator.md`: retention by age."""
    fill(tmp_path, url, [made(time=3.9e9), made(time=4e9)])
    fill(tmp_path, url, [], keep=3600.0)

    assert times(tmp_path) == {4e9}


def test_what_is_too_much_goes_oldest_first(tmp_path: Path, url: str) -> None:
    """`operator.md`: retention by rows."""
    fill(tmp_path, url, [made(time=4e9) for _ in range(40)] + [made(time=5e9 + number) for number in range(10)])
    fill(tmp_path, url, [], rows=10)

    assert times(tmp_path) == {5e9 + number for number in range(10)}


def test_another_programs_database_is_left_alone(tmp_path: Path, url: str, lines: Lines) -> None:
    """Ours: `url` may name any file."""
    with sqlite3.connect(tmp_path / "decisions.sqlite") as database:
        database.execute("CREATE TABLE theirs (x)")
    database.close()

    fill(tmp_path, url, [made()])

    assert [event["cause"] for event in lines.events if event["level"] == "error"] == [
        "the database has schema 0, this program writes 1"
    ]
    with sqlite3.connect(tmp_path / "decisions.sqlite") as database:
        assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]
    database.close()


@contextmanager
def process(data_dir: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    """A writer in a process of its own, listening."""
    started = subprocess.Popen(  # noqa: S603 - ours
        [sys.executable, "-m", "tests.diagnostics.one_writer", str(data_dir), *more],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert started.stdout is not None
        assert started.stdout.readline() == "listening\n"
        yield started
    finally:
        started.kill()
        started.wait(5)
        for stream in (started.stdin, started.stdout, started.stderr):
            if stream is not None:
                stream.close()


def fill(data_dir: Path, url: str, records: list[DecisionRecord], keep: float = LONG, rows: int = 1000) -> None:
    """Let a writer write these and go; it is the second 4e9."""
    settings = DecisionLogSettings(keep=keep, rows=rows)
    writer = RecordWriter(data_dir=data_dir, url=url, settings=settings, now=lambda: 4e9)
    writer.start()
    assert writer.wait_listening(5)
    sink = RecordSink(data_dir=data_dir, settings=EVERY)
    for record in records:
        sink.send(record)
    sink.close(10)
    writer.close()


def send(data_dir: Path, record: DecisionRecord) -> None:
    datagram(data_dir, to_json(record))


def datagram(data_dir: Path, data: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        door.settimeout(5)
        door.connect(os.fspath(data_dir / "records.sock"))
        door.send(data)


def stored(url: str, record: DecisionRecord) -> DecisionRecord:
    found = read_decision(url, record.reference, wait_seconds=5)
    assert isinstance(found, DecisionRecord)
    return found


def rows(data_dir: Path) -> set[str]:
    database = sqlite3.connect(data_dir / "decisions.sqlite")
    found = {reference for (reference,) in database.execute("SELECT reference FROM decisions")}
    database.close()
    return found


def times(data_dir: Path) -> set[float]:
    database = sqlite3.connect(data_dir / "decisions.sqlite")
    found = {time for (time,) in database.execute("SELECT time FROM decisions")}
    database.close()
    return found
