"""A decision worker: loads generations as its supervisor says, serves its two sockets, ends when it is told to.

It never outlives its supervisor: when the other end of the control socket is closed it ends at once, whatever it does.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import structlog

from ostiary.authz.decision_app import DecisionApp
from ostiary.authz.metadata_app import MetadataApp
from ostiary.authz.registry import Generation, Generations
from ostiary.authz.serving import Server, bind
from ostiary.config import ConfigurationError
from ostiary.judge.generations import Drain, Forget, Load, Loaded, MessageFault, Recall, Refused, parse_line, to_line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ostiary.diagnostics.record import DecisionRecord
    from ostiary.integrations.wire import App

ENDED: Final = 0
ORPHANED: Final = 1  # or told what is no message, or a listener of ours failed

_LINE_BYTES: Final = 64 * 1024

_log = structlog.get_logger(__name__)


async def run_worker(
    *,
    data_dir: Path,
    index: int,
    control_fd: int,
    load: Callable[[Load], Generation],
    record: Callable[[DecisionRecord], None],
    recall: Callable[[str], None],
    metrics: Callable[[], bytes],
) -> int:
    """Run a worker in this process's main thread until it is told to end; the exit code.

    Args:
        data_dir: where `decision-{index}.sock` and `metadata-{index}.sock` are bound, once a generation is loaded.
        index: of the worker.
        control_fd: the inherited end of the socket pair; closed at the end.
        load: makes a generation; run in a thread, so that serving goes on. What it raises refuses the generation.
        record: gets each decision's record; must not block.
        recall: gets the reference of a request that Envoy answered itself after we had decided; must not block.
        metrics: the page, in Prometheus' text format.
    """
    with socket.socket(fileno=control_fd) as control:
        control.set_inheritable(False)
        generations = Generations()
        apps: dict[str, App] = {
            "decision": DecisionApp(generations, record=record, metrics=metrics),
            "metadata": MetadataApp(generations),
        }
        listeners = [(data_dir / f"{name}-{index}.sock", app) for name, app in apps.items()]
        return await _Worker(generations, load, recall, listeners).run(control)


class _Worker:
    def __init__(
        self,
        generations: Generations,
        load: Callable[[Load], Generation],
        recall: Callable[[str], None],
        listeners: list[tuple[Path, App]],
    ) -> None:
        self._generations = generations
        self._load = load
        self._recall = recall
        self._listeners = listeners
        self._orders: asyncio.Queue[Load | Forget] = asyncio.Queue()
        self._drain = asyncio.Event()
        self._servers: list[Server] = []
        self._serving: list[asyncio.Task[None]] = []
        self._unsaid: list[int] = []
        self._forgetting: set[asyncio.Task[None]] = set()

    async def run(self, control: socket.socket) -> int:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._drain.set)
        # Ctrl-C reaches the whole process group; the supervisor drains first and then tells us.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        reader, writer = await asyncio.open_unix_connection(sock=control, limit=_LINE_BYTES)
        listening = asyncio.create_task(self._listen(reader))
        obeying = asyncio.create_task(self._obey(writer))
        draining = asyncio.create_task(self._drain.wait())
        tasks = {listening, obeying, draining}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if not self._drain.is_set() or listening.done():
                return _ended_early(listening, obeying)
            obeying.cancel()
            stopping = asyncio.create_task(self._stop())
            tasks.add(stopping)
            await asyncio.wait({listening, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return ENDED if stopping.done() else ORPHANED
        finally:
            for task in (*tasks, *self._serving, *self._forgetting):
                task.cancel()
            writer.close()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        """Take the supervisor's orders, until it is gone."""
        with suppress(ConnectionError):
            while line := await reader.readline():
                match order := parse_line(line):
                    case Drain():
                        self._drain.set()
                    case Recall():
                        self._recall(order.reference)
                    case Load() | Forget():
                        self._orders.put_nowait(order)
                    case Loaded() | Refused():
                        raise MessageFault("a worker's word from its supervisor")

    async def _obey(self, writer: asyncio.StreamWriter) -> None:
        """One order after the other."""
        while True:
            order = await self._orders.get()
            if isinstance(order, Forget):
                task = asyncio.create_task(self._generations.forget(order.number))
                self._forgetting.add(task)
                task.add_done_callback(self._forgetting.discard)
            elif (refused := await self._try(order)) is not None:
                writer.write(to_line(refused))
            # One that is started again hears of both living generations at once: it answers for both, or not yet.
            if self._unsaid and self._orders.empty():
                await self._serve()
                for number in self._unsaid:
                    writer.write(to_line(Loaded(number=number)))
                self._unsaid.clear()

    async def _try(self, order: Load) -> Refused | None:
        try:
            generation = await _in_thread(self._load, order)
        except (ConfigurationError, OSError) as error:
            return Refused(number=order.number, errors=str(error))
        except Exception as error:  # noqa: BLE001 - whatever fails, the old generations stay
            _log.error("a generation could not be loaded", generation=order.number, error=type(error).__name__)
            return Refused(number=order.number, errors="it cannot be loaded: " + type(error).__name__)
        self._generations.load(order.number, generation)
        self._unsaid.append(order.number)
        return None

    async def _serve(self) -> None:
        """Bind and serve, the first time."""
        if self._servers:
            return
        for path, app in self._listeners:
            server = Server(app)
            serving = asyncio.create_task(server.serve([bind(path)]))
            self._servers.append(server)
            self._serving.append(serving)
            await asyncio.wait([asyncio.create_task(server.begun.wait()), serving], return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                await serving
                raise RuntimeError("a listener ended before it began")

    async def _stop(self) -> None:
        """Accept nothing more, let what is being judged end."""
        for server in self._servers:
            server.should_exit = True
        if self._serving:
            await asyncio.wait(self._serving)
        await self._generations.aclose()


async def _in_thread(load: Callable[[Load], Generation], order: Load) -> Generation:
    """Run in a thread that nobody waits for at the end: a load that hangs keeps no orphan alive."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Generation] = loop.create_future()

    def settle(generation: Generation | None, error: Exception | None) -> None:
        if future.done():
            return
        if generation is not None:
            future.set_result(generation)
        elif error is not None:
            future.set_exception(error)

    def run() -> None:
        generation, failure = None, None
        try:
            generation = load(order)
        except Exception as error:  # noqa: BLE001 - it is raised where it is awaited
            failure = error
        with suppress(RuntimeError):  # the loop is closed: the worker has ended
            loop.call_soon_threadsafe(settle, generation, failure)

    threading.Thread(target=run, name="load", daemon=True).start()
    return await future


def _ended_early(listening: asyncio.Task[None], obeying: asyncio.Task[None]) -> int:
    """The supervisor is gone, or one of us failed: said once, and over."""
    for task in (listening, obeying):
        if task.done() and (error := task.exception()) is not None:
            _log.error("the worker cannot go on", error=type(error).__name__, why=str(error))
    return ORPHANED
