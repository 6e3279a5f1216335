"""Decision workers: started by a command line that is handed in, told generations, started again when they end.

While none is there, Envoy answers 503: requests fail closed, never open.
"""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from typing import TYPE_CHECKING, Final

from ostiary.gateway.children import Backoff, end, spawn, until_silent
from ostiary.gateway.faults import Log, StartFault
from ostiary.gateway.health import is_healthy
from ostiary.judge.generations import Drain, Forget, Load, Loaded, Message, Recall, Refused, parse_line, to_line

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_LOAD_SECONDS: Final = 30.0
_END_SECONDS: Final = 1.0  # between the last word and the end
_LINE_BYTES: Final = 1 << 20  # errors of a large file
# What a worker comes to say of a generation; otherwise why it refuses it, or None: it ended before it said anything.
_LOADED: Final = ""


class Workers:
    """As many workers as the plan says, all with the same generations.

    Args:
        count: how many.
        command: of one worker; `--data-dir`, `--index` and `--control-fd` are appended.
        data_dir: where worker `i` binds `decision-{i}.sock` and `metadata-{i}.sock`.
        log: lives and deaths.
    """

    def __init__(self, count: int, command: Sequence[str], data_dir: Path, log: Log) -> None:
        command = (*command, "--data-dir", str(data_dir))
        self._workers = [_Worker(index, data_dir / f"decision-{index}.sock", command, log) for index in range(count)]
        self._loads: list[Load] = []
        self._log = log
        self._lives: list[asyncio.Task[None]] = []
        self._draining = asyncio.Event()

    def alive(self, number: int) -> int:
        """How many can judge by a generation."""
        return sum(1 for worker in self._workers if number in worker.loaded)

    @property
    def pids(self) -> tuple[int | None, ...]:
        """The processes, by index; None where one is about to be started again."""
        return tuple(worker.pid for worker in self._workers)

    async def start(self, load: Load) -> None:
        """Start all, and wait until each can judge by the first generation.

        Raises:
            StartFault: one refused it, ended, or took too long.
        """
        self._loads.append(load)
        answers = [worker.expect(load.number) for worker in self._workers]
        self._lives = [asyncio.create_task(self._keep(worker)) for worker in self._workers]
        said = await _answered(answers)
        if set(said) != {_LOADED}:
            raise StartFault(_told(said, self._workers))

    async def load(self, load: Load) -> str | None:
        """Have every worker load a generation; None if all that live did, otherwise why not, and nothing changes.

        A worker that is about to be started again, or ends meanwhile, is told when it is.
        """
        self._loads.append(load)
        told = [worker for worker in self._workers if worker.is_connected]
        answers = [worker.expect(load.number) for worker in told]
        for worker in told:
            worker.tell(load)
        if not told:
            return "no decision worker is alive"
        said = await _answered(answers)
        return None if _LOADED in said and set(said) <= {_LOADED, None} else _told(said, told)

    def forget(self, number: int) -> None:
        """Nobody asks by this generation any more."""
        self._loads[:] = [load for load in self._loads if load.number != number]
        for worker in self._workers:
            worker.loaded.discard(number)
            if worker.is_connected:
                worker.tell(Forget(number=number))

    def recall(self, reference: str) -> None:
        """Envoy answered a request itself after one of them had decided it."""
        for worker in self._workers:
            worker.tell(Recall(reference=reference))

    async def stop(self, seconds: float) -> None:
        """Let all finish what they judge; who has not ended after `seconds` is killed."""
        self._draining.set()
        for worker in self._workers:
            worker.tell(Drain())
        if self._lives:
            _, late = await asyncio.wait(self._lives, timeout=seconds)
            for life in late:
                life.cancel()
            await asyncio.wait(self._lives)

    async def _keep(self, worker: _Worker) -> None:
        clock = asyncio.get_running_loop().time
        backoff = Backoff()
        while not self._draining.is_set():
            began = clock()
            try:
                status: object = await worker.live(self._loads)
            except OSError as error:  # no process or no socket to be had
                status = error
            if self._draining.is_set():
                return
            pause = backoff.after(clock() - began)
            self._log("error", "decision worker ended", index=worker.index, status=str(status), again_in_seconds=pause)
            await asyncio.sleep(pause)


class _Worker:
    """One worker, through all of its lives."""

    def __init__(self, index: int, socket_path: Path, command: Sequence[str], log: Log) -> None:
        self.index = index
        self.loaded: set[int] = set()
        self._socket = socket_path
        self._command = command
        self._log = log
        self._process: Process | None = None
        self._control: asyncio.StreamWriter | None = None
        self._expected: dict[int, asyncio.Future[str | None]] = {}

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def is_connected(self) -> bool:
        return self._control is not None

    def expect(self, number: int) -> asyncio.Future[str | None]:
        """What the worker will say of a generation."""
        future: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._expected[number] = future
        return future

    def tell(self, message: Message) -> None:
        if self._control is not None:
            self._control.write(to_line(message))

    async def live(self, loads: Sequence[Load]) -> int:
        """Start the process, tell it the generations before it binds, listen until it ends; its status."""
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                self._process = process = await spawn(
                    (*self._command, "--index", str(self.index), "--control-fd", str(theirs.fileno())),
                    pass_fds=[theirs.fileno()],
                )
            watching = asyncio.create_task(self._end_when_silent(process))
            try:
                reader, self._control = await asyncio.open_unix_connection(sock=ours, limit=_LINE_BYTES)
                for load in loads:
                    self.tell(load)
                if await self._listen(reader, loads):
                    self._over()
                    await end(process, _END_SECONDS)
            finally:
                watching.cancel()
                self._over()
                await end(process, 0)
                self._process = None
        return process.returncode or 0

    async def _end_when_silent(self, process: Process) -> None:
        """A worker that hangs is worse than none: as long as it lives, no other takes its place."""
        await until_silent(partial(is_healthy, self._socket))
        self._log("error", "decision worker does not answer", index=self.index)
        process.kill()

    async def _listen(self, reader: asyncio.StreamReader, loads: Sequence[Load]) -> bool:
        """Until the worker closes its end; False if it says what is no message, or refuses what is in force."""
        try:
            while line := await reader.readline():
                message = parse_line(line)
                if isinstance(message, Loaded):
                    self.loaded.add(message.number)
                    self._settle(message.number, _LOADED)
                elif isinstance(message, Refused):
                    if self._settle(message.number, message.errors):
                        continue
                    if message.number in {load.number for load in loads}:  # else it has been given up meanwhile
                        self._log(
                            "error", "decision worker refused a generation", index=self.index, errors=message.errors
                        )
                    if message.number == loads[-1].number:
                        return False
        except ConnectionError:
            return True
        except ValueError:  # no message, or a line without an end
            self._log("error", "decision worker said what is no message", index=self.index)
            return False
        return True

    def _settle(self, number: int, said: str | None) -> bool:
        future = self._expected.pop(number, None)
        if future is None or future.done():
            return False
        future.set_result(said)
        return True

    def _over(self) -> None:
        if self._control is not None:
            self._control.close()
        self._control = None
        self.loaded.clear()
        for number in tuple(self._expected):
            self._settle(number, None)


async def _answered(answers: Sequence[asyncio.Future[str | None]]) -> list[str | None]:
    """What each said; a worker that says nothing in time has not loaded."""
    _, silent = await asyncio.wait(answers, timeout=_LOAD_SECONDS)
    for answer in silent:
        answer.set_result("a decision worker did not load its generation in time")
    return [answer.result() for answer in answers]


def _told(said: Iterable[str | None], workers: Iterable[_Worker]) -> str:
    """Why not; equal ones once, for every worker reads the same file."""
    errors = [
        f"decision worker {worker.index} ended before it was ready" if each is None else each
        for each, worker in zip(said, workers, strict=True)
        if each != _LOADED
    ]
    return "\n".join(dict.fromkeys(errors))
