"""Lines on their way to a real pipe: one that is read, one that nobody reads, one whose reader comes late."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from ostiary.diagnostics.lines import Lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

ROOT: Final = Path(__file__).parents[2]
TALKER: Final = "tests.diagnostics.one_talker"
LINE: Final = "{}: " + "x" * 200 + "\n"


def test_lines_come_out_whole_and_in_their_order() -> None:
    """Ours."""
    with pipe() as (reader, stream):
        lines = Lines(stream, told)
        for number in range(1000):
            lines.write(LINE.format(number))

        assert read_until(reader, "\n999: ").splitlines(keepends=True)[:999] == [LINE.format(n) for n in range(999)]
        lines.close()


def test_a_pipe_that_nobody_reads_loses_lines_and_then_says_how_many() -> None:
    """Ours: a full stream stops nobody. The count stands where they would have stood."""
    with pipe() as (reader, stream):
        # Full from the start: a piece that still found room would make some in memory, in the middle of the loss.
        os.write(stream.fileno(), b"." * 4095 + b"\n")
        lines = Lines(stream, told, max_bytes=100_000)
        for number in range(5000):
            lines.write(LINE.format(number))
        early = read_until(reader, r"lost \d+\n")
        lines.write("late\n")
        late = read_until(reader, "late\n")
        lines.close()

    _, *kept, last = early.splitlines()
    assert kept == [LINE.format(number).rstrip() for number in range(len(kept))]
    assert 0 < len(kept) < 1000
    assert last == f"lost {5000 - len(kept)}"
    assert late == "late\n"


def test_a_stream_that_does_not_wait_gets_every_line() -> None:
    """Ours: who shares a terminal or a pipe may have set O_NONBLOCK for all of them."""
    with pipe() as (reader, stream):
        os.set_blocking(stream.fileno(), False)
        lines = Lines(stream, told)
        for number in range(100):
            lines.write(LINE.format(number))

        assert read_until(reader, "\n99: ").count("\n") >= 99
        lines.close()


def test_closing_waits_no_longer_than_it_is_told_and_takes_nothing_more() -> None:
    """Ours: the end of a process does not depend on who reads its log."""
    with pipe() as (reader, stream):
        lines = Lines(stream, told)
        lines.write(LINE.format(0) * 100)
        lines.close(0.05)
        lines.close(60)
        lines.write("too late\n")

        assert "too late" not in read_until(reader, LINE.format(0) * 100)


def test_a_line_may_be_written_while_a_line_is_written() -> None:
    """Ours: an object that the garbage collector ends may have something to log, wherever it is ended."""
    with pipe() as (reader, stream):

        def says_more(_: int) -> str:
            lines.write("from within\n")
            return "lost\n"

        lines = Lines(stream, says_more, max_bytes=10_000)
        for number in range(100):
            lines.write(LINE.format(number))

        assert "from within\n" in read_until(reader, "lost\n")
        lines.close()


def test_the_child_of_a_fork_writes_its_own_lines_and_none_of_its_parent() -> None:
    """Ours: it has no thread, and what waited is the parent's."""
    program = (
        "import os, sys; from ostiary.diagnostics.lines import Lines\n"
        "lines = Lines(sys.stderr, str); lines.write('parent\\n')\n"
        "child = os.fork()\n"
        "if not child: lines.write('child\\n'); lines.close(); os._exit(0)\n"
        "os.waitpid(child, 0); lines.close()\n"
    )
    ended = run("-W", "ignore", "-c", program, stderr=subprocess.PIPE)

    assert sorted(ended.stderr.splitlines()) == [b"child", b"parent"]


def test_a_process_that_nobody_listens_to_ends_in_time() -> None:
    """Ours: `2>fifo` without a reader, or a log driver that hangs."""
    with pipe() as (_, stream):
        ended = run("-m", TALKER, "10000", stderr=stream)

    assert ended.stdout == b"said\n"


@pytest.mark.parametrize("lines", [1, 2000])
def test_a_process_that_ends_has_written_its_lines(lines: int) -> None:
    """Ours: the last lines are those that say why it ended. Ours and the libraries' go one way, in their order."""
    ended = run("-m", TALKER, str(lines), stderr=subprocess.PIPE)

    events = [json.loads(line) for line in ended.stderr.splitlines()]
    assert [event.get("number", event["event"]) for event in events] == [
        said for number in range(lines) for said in (number, f"a library's {number}")
    ]


def told(number: int) -> str:
    """How it is said that lines were lost."""
    return f"lost {number}\n"


def run(*arguments: str, stderr: int | TextIO) -> subprocess.CompletedProcess[bytes]:
    """A Python of its own, ended in time and well."""
    return subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=stderr, cwd=ROOT, timeout=20, check=True
    )


@contextmanager
def pipe() -> Iterator[tuple[int, TextIO]]:
    """A small pipe: the descriptor to read from, and the stream to write to."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    with os.fdopen(reader, "rb"), os.fdopen(writer, "w", buffering=1) as stream:
        yield reader, stream


def read_until(descriptor: int, pattern: str) -> str:
    """What comes out, up to the read in which the pattern is complete; the test's timeout bounds the wait."""
    found = ""
    while not re.search(pattern, found):
        found += os.read(descriptor, 65536).decode()
    return found
