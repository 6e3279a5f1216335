"""`ostiary serve` as an operator runs it: a process of its own, and everything that it and its children say."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from tests.e2e.running import Reply, free_ports, request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ostiary.oauth.json import JsonValue

_START_SECONDS: Final = 40.0
_END_SECONDS: Final = 20.0


class Said(threading.Thread):
    """What comes out of a stream, read to its end."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self.lines: list[bytes] = []
        self._stream = stream
        self._news = threading.Condition()
        self._over = False
        self.start()

    def run(self) -> None:
        for line in self._stream:
            with self._news:
                self.lines.append(line)
                self._news.notify_all()
        self._stream.close()
        with self._news:
            self._over = True
            self._news.notify_all()

    def wait_for(self, words: bytes, times: int = 1) -> bool:
        """Until so many lines had these words; False if the stream ended before."""
        with self._news:
            self._news.wait_for(lambda: self._over or self._count(words) >= times, _START_SECONDS)
            return self._count(words) >= times

    def _count(self, words: bytes) -> int:
        return sum(words in line for line in self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A gateway that serves in a process of its own."""

    process: subprocess.Popen[bytes]
    file: Path
    port: int
    operator_port: int
    stdout: Said
    stderr: Said

    @property
    def data_dir(self) -> Path:
        return self.file.parent / "var"

    @property
    def family(self) -> dict[int, str]:
        """The command lines of its process and of all below it, by pid; Linux alone tells."""
        return descendants(self.process.pid)

    def send(self, method: str, target: str, headers: tuple[tuple[str, bytes], ...] = (), body: bytes = b"") -> Reply:
        """One request to the public listener."""
        return request(self.port, method, target, headers, body)

    def end(self, number: signal.Signals) -> int:
        """Send a signal; the exit code, once both streams have ended as well: nobody is left who could write."""
        self.process.send_signal(number)
        code = self.process.wait(_END_SECONDS)
        for stream in (self.stdout, self.stderr):
            stream.join(_END_SECONDS)
            assert not stream.is_alive(), "somebody still holds the output"
        return code


def write(folder: Path, members: Mapping[str, JsonValue]) -> Path:
    """A file with these members; ports, the operator's section and a log of everything are filled in."""
    port, operator_port = free_ports()
    gateway = members["gateway"]
    assert isinstance(gateway, dict)
    whole: dict[str, JsonValue] = {
        "version": 1,
        "data_dir": "var",
        "operator": {"listen": f"127.0.0.1:{operator_port}", "token": {"env": "OPERATOR"}},
        "decision_log": {"sample_allows": 1.0},
        **members,
        "gateway": {**gateway, "listen": f"127.0.0.1:{port}"},
    }
    path = folder / "ostiary.yaml"
    path.write_text(json.dumps(whole), encoding="ascii")
    return path


@contextmanager
def serving(file: Path, environ: Mapping[str, str], *, level: str = "debug") -> Iterator[Served]:
    """Serve a file of `write` while the block runs, at the most talkative level unless another is named."""
    members = json.loads(file.read_bytes())
    command = [sys.executable, "-m", "ostiary", "serve", "-c", str(file), "--log-level", level]
    process = subprocess.Popen(  # noqa: S603 - ours
        command, env={**os.environ, **environ}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    served = Served(
        process=process,
        file=file,
        port=_port(members["gateway"]["listen"]),
        operator_port=_port(members["operator"]["listen"]),
        stdout=Said(process.stdout),
        stderr=Said(process.stderr),
    )
    try:
        assert served.stderr.wait_for(b'"serving"'), b"".join(served.stderr.lines).decode()
        yield served
    finally:
        if process.poll() is None:
            served.end(signal.SIGTERM)


def descendants(pid: int) -> dict[int, str]:
    """A process and all that it started, directly or not, with their command lines; zombies are none."""
    parents: dict[int, int] = {}
    lines: dict[int, str] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
                line = os.fsdecode((folder / "cmdline").read_bytes().replace(b"\0", b" "))
            except (FileNotFoundError, ProcessLookupError):  # it ended meanwhile
                continue
            if state != "Z":
                parents[int(folder.name)], lines[int(folder.name)] = int(parent), line
    found = {pid} & set(lines)
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return {each: lines[each] for each in found}


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])
