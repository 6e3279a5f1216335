"""What is printed where nobody sees colours, nothing but ASCII fits, or nothing fits at all; mostly in a process."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ostiary.cli import run

if TYPE_CHECKING:
    from collections.abc import Sequence

FILE = """\
version: 1
gateway: {public_url: "https://bkapi.example.com"}
operator: {token: {env: OPERATOR}}
authorization_servers:
  "c\\e[31mp": {kind: rfc7662, issuer: "https://op.example.com", client_id: gw, client_secret: {env: SECRET}}
routes:
  - name: billing
    gateway: "[red]gate"
    resource: an-api-with-a-name-that-is-longer-than-a-column-of-a-table-may-be-in-eighty-columns
    match: {path: /a-path-that-is-long/and-has-many-segments/so-that-it-does-not-fit/into-eighty-columns}
    upstream: http://127.0.0.1:9001
    authorization_server: "c\\e[31mp"
"""
ENVIRON = {"OPERATOR": "o" * 32, "SECRET": "s"}
DECIDE = ["decide", "--path", "/a-path-that-is-long/and-has-many-segments/so-that-it-does-not-fit/into-eighty-columns"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "ostiary.yaml"
    path.write_text(FILE, encoding="utf-8")
    return path


def ostiary(
    arguments: Sequence[str | bytes], stdout: int = subprocess.PIPE, **environ: str
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "ostiary", *arguments]
    return subprocess.run(  # noqa: S603 - our own command
        command, stdout=stdout, stderr=subprocess.PIPE, env=ENVIRON | environ, timeout=30, check=False
    )


def at_a_terminal(arguments: Sequence[str], **environ: str) -> bytes:
    """What a terminal of 80 columns is sent."""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        ostiary(arguments, stdout=theirs, TERM="xterm", COLUMNS="80", **environ)
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # EIO: nobody has the other end any more
            while piece := terminal.read(65536):
                shown += piece
    return shown


def test_what_is_piped_is_plain_lines(file: Path) -> None:
    """Ours: what is grepped for is in one line, and no line ends in blanks."""
    shown = ostiary([*DECIDE, "-c", str(file)]).stdout.decode()
    assert any(line.startswith("request") and line.endswith(DECIDE[2]) for line in shown.splitlines())
    assert [line for line in shown.splitlines() if line != line.rstrip()] == []
    assert any(line.split()[:2] == ["denied", "bk-oauth2-protected-resource"] for line in shown.splitlines())
    shown = ostiary(["routes", "-c", str(file)]).stdout.decode()
    assert shown.splitlines()[1].split("\t")[1:3] == [
        DECIDE[2],
        "[red]gate/an-api-with-a-name-that-is-longer-than-a-column-of-a-table-may-be-in-eighty-columns",
    ]
    assert "\x1b" not in shown


def test_at_a_terminal_there_are_tables(file: Path) -> None:
    """Ours: folded to its width; what stands in the file is neither markup nor obeyed."""
    shown = at_a_terminal(["routes", "-c", str(file)])
    assert b"\x1b[1m" in shown
    assert b"\x1b[31m" not in shown
    assert b"[red]gate" in shown
    assert max(len(line) for line in shown.replace(b"\x1b[0m", b"").replace(b"\x1b[1m", b"").splitlines()) <= 80
    assert "✗".encode() in at_a_terminal([*DECIDE, "-c", str(file)], PYTHONIOENCODING="utf-8")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_a_stream_that_cannot_show_our_marks_gets_ascii_ones(file: Path, encoding: str) -> None:
    """Ours: a decision is shown in every locale."""
    shown = at_a_terminal([*DECIDE, "-c", str(file)], PYTHONIOENCODING=encoding)
    assert b"x\x1b[0m" in shown
    assert b"credentials-missing" in shown
    for command in (["--help"], ["decide", "--help"], ["reasons"], ["secret", "new", "--help"]):
        ended = ostiary(command, PYTHONIOENCODING=encoding)
        assert (ended.returncode, ended.stderr) == (0, b"")
    assert b"\\u" not in ostiary(["decide", "-c", str(file), "--path", "/", "--header", "x"]).stderr


def test_what_no_encoding_has_is_escaped(file: Path) -> None:
    """Ours: arguments are bytes."""
    ended = ostiary(["explain", b"\xff", "-c", str(file)])
    assert (ended.returncode, ended.stderr.splitlines()[0]) == (1, b"error: no decision has this reference")
    ended = ostiary(["check", "-c", b"\xff.yaml"])
    assert ended.returncode == 2
    assert b"\\udcff.yaml cannot be read" in ended.stderr
    for option in ("--path", "--host", "--method"):
        ended = ostiary([*DECIDE, "-c", str(file), option, b"/\xff"])
        assert ended.returncode == 1
        assert b"Traceback" not in ended.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize(
    "command", [["reasons"], ["reasons", "--json"], ["schema"], ["--help"], ["check"], ["routes"], DECIDE]
)
def test_output_that_cannot_be_written_is_said(file: Path, command: list[str]) -> None:
    """Ours: whoever keeps the output must not think it whole."""
    options = ["-c", str(file)] if command[0] in ("check", "routes", "decide") else []
    with Path("/dev/full").open("wb") as full:
        ended = ostiary([*command, *options], stdout=full.fileno())
    assert ended.returncode == 2
    assert ended.stderr == b"error: what is printed cannot be written: no space left on device\n"


def test_a_reader_who_has_seen_enough_is_no_error() -> None:
    """Ours: `ostiary reasons | head -1`."""
    ours, theirs = os.pipe()
    os.close(ours)
    ended = ostiary(["reasons"], stdout=theirs)
    os.close(theirs)
    assert (ended.returncode, ended.stderr) == (1, b"")


def test_a_pipe_is_no_configuration_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ours: nobody writes into it; `serve` reads the file again and again."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    assert run(["check", "-c", str(path)], {}) == 2
    assert "cannot be read: not a regular file" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["reasons"], ["schema"], ["demo"], ["--help"]])
def test_output_that_is_closed_is_said(command: list[str]) -> None:
    """Ours: nobody may think that there was nothing to print; what a server opens first would be its output."""
    closing = f"import os, sys\nos.close(1)\nos.execv(sys.executable, [sys.executable, '-m', 'ostiary', *{command}])"
    ended = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-c", closing], stderr=subprocess.PIPE, env=ENVIRON, timeout=30, check=False
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith(b"error: standard output is closed\nhint: ")


def test_input_that_is_closed_is_said(file: Path) -> None:
    """Ours: 1 would say that `decide` denied."""
    command = [sys.executable, "-m", "ostiary", *DECIDE, "-c", str(file), "--header", "@-"]
    ended = subprocess.run(  # noqa: S603 - ours
        ["/bin/sh", "-c", 'exec "$@" <&-', "sh", *command], capture_output=True, env=ENVIRON, timeout=30, check=False
    )
    assert (ended.returncode, ended.stderr.splitlines()[0]) == (2, b"error: standard input is closed")
