"""From a door to a row and a line: real socket, real writer, real SQLite, real log lines."""

from __future__ import annotations

import socket
from threading import Event, current_thread, main_thread
from typing import TYPE_CHECKING

import pytest
from tests.diagnostics.records import allowed, made

from ostiary.decision.reasons import Reason
from ostiary.decision.verdict import VerdictLabel
from ostiary.diagnostics.decision_log import read_decision
from ostiary.diagnostics.outlet import SHORT_PATIENCE
from ostiary.diagnostics.record import DecisionRecord
from ostiary.diagnostics.settings import DecisionLogSettings
from ostiary.diagnostics.sink import RecordSink
from ostiary.plugins.drivers import Step, StepOutcome

if TYPE_CHECKING:
    from pathlib import Path

    from tests.diagnostics.conftest import Lines

    from ostiary.diagnostics.writer import RecordWriter

EVERY = DecisionLogSettings(sample_allows=1.0)
NONE = DecisionLogSettings(sample_allows=0.0)


@pytest.mark.usefixtures("writer")
def test_a_refusal_is_readable_within_a_second(tmp_path: Path, url: str) -> None:
    """`operator.md`: readable within 1 s."""
    sink = RecordSink(data_dir=tmp_path, settings=NONE)
    record = made(reason=Reason.TOKEN_INACTIVE, steps=(Step("bk-oauth2-verify", StepOutcome.DENIED, 0.1, "a note"),))

    sink.send(record)

    found = read_decision(url, record.reference, wait_seconds=1)
    sink.close()
    assert found == record


def test_row_and_line_are_of_the_same_allows(tmp_path: Path, url: str, writer: RecordWriter, lines: Lines) -> None:
    """Ours: sampling is decided by the reference, once for both."""
    sink = RecordSink(data_dir=tmp_path, settings=DecisionLogSettings(sample_allows=0.5))
    sent = [allowed() for _ in range(200)]

    for record in sent:
        sink.send(record)
    sink.close()
    writer.close()

    logged = {line["reference"] for line in lines.decisions}
    stored = {record.reference for record in sent if read_decision(url, record.reference, wait_seconds=0) is not None}
    assert logged == stored
    assert 50 < len(stored) < 150


@pytest.mark.usefixtures("writer")
def test_an_allow_that_was_sampled_away_can_be_recalled_while_it_is_among_the_latest(tmp_path: Path, url: str) -> None:
    """operator.md: where the judge had allowed what Envoy refused, the steps are kept."""
    sink = RecordSink(data_dir=tmp_path, settings=NONE, recallable=2)
    sent = [allowed() for _ in range(3)]
    for record in sent:
        sink.send(record)
    for record in sent:
        sink.recall(record.reference)
    sink.close()
    found = [read_decision(url, record.reference, wait_seconds=1) for record in reversed(sent)]
    assert found == [sent[2], sent[1], None]


def test_no_refusal_is_sampled_away(lines: Lines) -> None:
    """`configuration.md`: denials are never sampled away."""
    sink = RecordSink(data_dir=None, settings=NONE)

    for record in (made(), made(verdict=VerdictLabel.UNAVAILABLE, status=503), allowed()):
        sink.send(record)
    sink.close()

    assert [(line["verdict"], line["level"]) for line in lines.decisions] == [
        ("deny", "info"),
        ("unavailable", "warning"),
    ]


def test_without_a_writer_the_line_is_written_and_the_loss_is_counted(tmp_path: Path, lines: Lines) -> None:
    """`operator.md`: counts what it dropped."""
    dropped: list[int] = []
    sink = RecordSink(data_dir=tmp_path, settings=EVERY, dropped=dropped.append)

    sink.send(made())
    sink.close()

    assert sum(dropped) == 1
    assert len(lines.decisions) == 1


def test_without_a_folder_there_is_nothing_to_lose(lines: Lines) -> None:
    """`operator.md`: the in-process kit only logs its line."""
    dropped: list[int] = []
    sink = RecordSink(data_dir=None, settings=EVERY, dropped=dropped.append)

    sink.send(made(subject="canary-subject"))
    sink.close()

    assert dropped == []
    assert lines.decisions[0]["subject"].startswith("hmac:")


def test_a_full_queue_drops_allows_first(tmp_path: Path, lines: Lines) -> None:
    """`operator.md`: a full queue drops allowed samples first, counts what it dropped, and never blocks."""
    busy, released, lost = Event(), Event(), 0

    def dropped(number: int) -> None:
        nonlocal lost
        if current_thread() is main_thread():
            lost += number
        else:  # nobody listens in the folder: the thread says so of what it holds
            busy.set()
            released.wait(10)

    sink = RecordSink(data_dir=tmp_path, settings=EVERY, dropped=dropped, capacity=10)
    first, *allows = [allowed() for _ in range(20)]
    refusals = [made() for _ in range(10)]

    sink.send(first)
    assert busy.wait(10)
    for record in (*allows, *refusals):
        sink.send(record)
    released.set()
    sink.close(10)

    kept = [decision["reference"] for decision in lines.decisions]
    assert kept == [record.reference for record in (first, *refusals)]
    assert lost == len(allows)


def test_a_writer_that_hangs_stops_no_door(tmp_path: Path, lines: Lines) -> None:
    """`operator.md`: sends never block; what nobody takes is counted."""
    dropped: list[int] = []
    sink = RecordSink(data_dir=tmp_path, settings=NONE, dropped=dropped.append, capacity=50)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(str(tmp_path / "records.sock"))
        for _ in range(500):
            sink.send(made())
        sink.close(10)
        deaf.setblocking(False)  # noqa: FBT003 - the library's
        heard = sum(1 for _ in datagrams(deaf))

    assert heard + sum(dropped) == 500
    assert len(lines.decisions) >= 50


def test_a_writer_that_is_held_up_loses_nothing(tmp_path: Path) -> None:
    """`operator.md`: only a full queue drops."""
    dropped: list[int] = []
    sink = RecordSink(data_dir=tmp_path, settings=NONE, dropped=dropped.append)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as slow:
        slow.bind(str(tmp_path / "records.sock"))
        for _ in range(500):
            sink.send(made())
        assert not Event().wait(2 * SHORT_PATIENCE)
        slow.settimeout(10)
        heard = [slow.recv(1 << 20) for _ in range(500)]
    sink.close(10)
    assert len(set(heard)) == 500
    assert dropped == []


def test_a_subject_is_in_no_line_and_in_no_file(tmp_path: Path, url: str, writer: RecordWriter, lines: Lines) -> None:
    """`operator.md`: HMAC under a key in `data_dir`, unless `show_subjects`."""
    first = RecordSink(data_dir=tmp_path, settings=EVERY)
    second = RecordSink(data_dir=tmp_path, settings=EVERY)
    one, other = made(subject="canary-subject"), allowed(subject="canary-subject")

    first.send(one)
    second.send(other)
    first.close()
    second.close()
    writer.close()

    masked = {found.subject for found in (stored(url, one), stored(url, other))}
    assert len(masked) == 1
    assert {line["subject"] for line in lines.decisions} == masked
    everything = lines.text.encode() + b"".join([path.read_bytes() for path in tmp_path.iterdir()])
    assert b"canary-subject" not in everything
    assert "canary" not in repr((first, second, writer, one))


@pytest.mark.usefixtures("writer")
def test_subjects_are_shown_where_the_file_says_so(tmp_path: Path, url: str) -> None:
    """`configuration.md`: `show_subjects`."""
    sink = RecordSink(data_dir=tmp_path, settings=DecisionLogSettings(show_subjects=True))
    record = made(subject="alice")

    sink.send(record)

    assert stored(url, record).subject == "alice"
    sink.close()


def test_a_credential_in_a_path_or_a_note_reaches_neither_row_nor_line(
    tmp_path: Path, url: str, writer: RecordWriter, lines: Lines
) -> None:
    """`attacks.md`, credentials in logs: the second belt, where a record holds what a client chose."""
    sink = RecordSink(data_dir=tmp_path, settings=EVERY)
    record = made(
        path="/a/Bearer%20canary-path/access_token=canary-parameter",
        method="Bearer canary-method",
        steps=(Step("third", StepOutcome.DENIED, 0.1, "it said Bearer canary-note"),),
    )

    sink.send(record)
    found = stored(url, record)
    sink.close()
    writer.close()

    assert found.path == "/a/Bearer%20[redacted][redacted]"
    everything = lines.text.encode() + b"".join([path.read_bytes() for path in tmp_path.iterdir()])
    assert b"canary" not in everything


def test_a_line_that_a_client_wrote_into_its_path_stays_one_line(lines: Lines) -> None:
    """`attacks.md`: CR, LF, quotes and escape sequences in anything echoed or logged."""
    sink = RecordSink(data_dir=None, settings=EVERY)

    sink.send(made(path='/a\r\n{"verdict": "allow"}\x1b[2J"\u202e'))
    sink.close()

    assert lines.text.isascii()
    assert [line["path"] for line in lines.decisions] == ['/a\\r\\n{"verdict": "allow"}\\x1b[2J"\\u202e']


def test_a_record_of_a_dead_writer_goes_to_the_next(tmp_path: Path) -> None:
    """`operator.md`: it survives the first."""
    sink = RecordSink(data_dir=tmp_path, settings=EVERY)
    path = tmp_path / "records.sock"
    heard = []
    for _ in range(2):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as writer:
            writer.bind(str(path))
            writer.settimeout(5)
            sink.send(made())
            heard.append(writer.recv(65536))
        path.unlink()
    sink.close()

    assert len(set(heard)) == 2


def stored(url: str, record: DecisionRecord) -> DecisionRecord:
    """The row of a record, waited for."""
    found = read_decision(url, record.reference, wait_seconds=5)
    assert isinstance(found, DecisionRecord)
    return found


def datagrams(heard: socket.socket) -> list[bytes]:
    """All that lies there."""
    found = []
    try:
        while True:
            found.append(heard.recv(65536))
    except BlockingIOError:
        return found
