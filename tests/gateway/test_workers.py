"""Workers and their supervisor's words, without an Envoy."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest
from tests.gateway.doubles import SECONDS, WORKER
from tests.waiting import until

from ostiary.gateway.children import Backoff
from ostiary.gateway.workers import Workers
from ostiary.judge.generations import Load

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


class Pool:
    """Workers in a folder, and what was logged."""

    def __init__(self, folder: Path, count: int = 1, command: tuple[str, ...] = WORKER) -> None:
        self.folder = folder
        self.events: list[tuple[str, dict[str, object]]] = []
        self.workers = Workers(count, command, folder, self.log)

    def log(self, level: str, event: str, /, **fields: object) -> None:
        assert level == "error"
        self.events.append((event, fields))

    def load(self, number: int, content: bytes = b"") -> Load:
        path = self.folder / f"{number}.yaml"
        path.write_bytes(content)
        return Load(number=number, path=str(path), origin="/etc/ostiary.yaml")

    def told(self, index: int = 0) -> list[list[str]]:
        return [line.split()[1:] for line in (self.folder / f"told-{index}.log").read_text().splitlines()]

    async def until_alive(self, count: int, number: int) -> None:
        await until(lambda: self.workers.alive(number) == count)


async def test_a_worker_is_alive_for_each_generation_that_it_has_loaded(tmp_path: Path) -> None:
    """Architecture, reload."""
    pool = Pool(tmp_path, count=2)
    await pool.workers.start(pool.load(1))
    assert (pool.workers.alive(1), pool.workers.alive(2)) == (2, 0)
    assert await pool.workers.load(pool.load(2)) is None
    assert (pool.workers.alive(1), pool.workers.alive(2)) == (2, 2)
    pool.workers.forget(1)
    await pool.workers.stop(SECONDS)
    words = [["Load", "1", "False"], ["Load", "2", "True"], ["Forget", "1", "True"], ["Drain", "True"]]
    assert pool.told(0) == pool.told(1) == words
    assert pool.events == []


async def test_a_refusal_of_several_workers_is_said_once(tmp_path: Path) -> None:
    """ours: the same file has the same errors."""
    pool = Pool(tmp_path, count=2)
    await pool.workers.start(pool.load(1))
    assert await pool.workers.load(pool.load(2, b"refuse: because")) == "refuse: because"
    pool.workers.forget(2)
    assert (pool.workers.alive(1), pool.workers.alive(2)) == (2, 0)
    await pool.workers.stop(SECONDS)


async def test_one_that_ends_while_others_load_is_told_when_it_is_started_again(tmp_path: Path) -> None:
    """ours: a file that two workers vouch for is not refused for the death of a third."""
    pool = Pool(tmp_path, count=2)
    await pool.workers.start(pool.load(1))
    assert await pool.workers.load(pool.load(2, b"crash-0")) is None
    assert (pool.workers.alive(1), pool.workers.alive(2)) == (1, 1)
    pool.load(2)
    await pool.until_alive(2, 2)
    await pool.workers.stop(SECONDS)


async def test_what_is_forgotten_is_nothing_to_end_for(tmp_path: Path) -> None:
    """ours: a worker that is started again while a generation is given up may find its file gone."""
    pool = Pool(tmp_path)
    await pool.workers.start(pool.load(1))
    (pid,) = pool.workers.pids
    assert pid is not None
    assert await pool.workers.load(pool.load(2)) is None
    pool.load(2, b"refuse: no such file")
    os.kill(pid, signal.SIGKILL)
    await until(lambda: pool.workers.pids not in {(pid,), (None,)})
    pool.workers.forget(2)
    await pool.until_alive(1, 1)
    assert [event for event, _ in pool.events] == ["decision worker ended"]
    await pool.workers.stop(SECONDS)


async def test_a_worker_that_refuses_what_it_was_started_again_for_is_started_again(tmp_path: Path) -> None:
    """ours: a secret that is gone may come back."""
    pool = Pool(tmp_path)
    await pool.workers.start(pool.load(1))
    pool.load(1, b"refuse: the secret is gone")
    (pid,) = pool.workers.pids
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await until(lambda: len(pool.events) >= 3)
    assert [event for event, _ in pool.events[:3]] == [
        "decision worker ended",
        "decision worker refused a generation",
        "decision worker ended",
    ]
    pool.load(1)
    await pool.until_alive(1, 1)
    await pool.workers.stop(SECONDS)


async def test_a_generation_is_not_loaded_while_no_worker_is_there_to_say_so(tmp_path: Path) -> None:
    """ours: nobody vouched for it."""
    pool = Pool(tmp_path)
    assert await pool.workers.load(pool.load(1)) == "no decision worker is alive"


async def test_a_worker_that_does_not_end_is_killed(tmp_path: Path) -> None:
    """configuration.md, serve: ends within 15 s."""
    stubborn = (sys.executable, "-c", _STUBBORN)
    pool = Pool(tmp_path, command=stubborn)
    await pool.workers.start(pool.load(1))
    (pid,) = pool.workers.pids
    assert pid is not None
    await pool.workers.stop(0.1)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


_STUBBORN = """
import signal, socket, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
control = socket.socket(fileno=int(sys.argv[sys.argv.index("--control-fd") + 1]))
control.recv(4096)
control.sendall(b'{"verb":"loaded","number":1}\\n')
while True:
    signal.pause()
"""


def test_the_pause_before_another_try_doubles_and_is_bounded() -> None:
    """ours: what dies at once is not started a thousand times; what lived long begins anew."""
    backoff = Backoff()
    assert [backoff.after(0.0) for _ in range(8)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert backoff.after(60.0) == 0.1
