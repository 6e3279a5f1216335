"""The supervisor: owns generations; starts, keeps and drains Envoy and the workers, replaces what they run on."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from ostiary.gateway import discovery, files, render
from ostiary.gateway.admin import Admin
from ostiary.gateway.children import Backoff
from ostiary.gateway.counted import ACTIVE_REQUESTS, RDS_VERSION
from ostiary.gateway.envoy import Envoy, check_port, find_binary, validate
from ostiary.gateway.faults import Log, StartFault
from ostiary.gateway.plan import restart_needed, with_trust
from ostiary.gateway.workers import Workers
from ostiary.judge.generations import Load

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType

    from ostiary.gateway.edge import EdgeLine
    from ostiary.gateway.plan import Plan

LOCK_NAME: Final = "gateway.lock"
_POLL_SECONDS: Final = 0.02
_READY_SECONDS: Final = 30.0
# Together below the 15 s within which `serve` ends: drain, Envoy's end, the workers' end.
_DRAIN_SECONDS: Final = 12.0
_END_SECONDS: Final = 1.0
_IDLE_READINGS: Final = 2  # a request may just be arriving on a connection that is still open
_KEPT_GENERATIONS: Final = 2
_FORGET_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reloaded:
    """A new generation is in force.

    Attributes:
        notes: what the operator should know: connections are being drained, a key needs a restart.
    """

    generation: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NotReloaded:
    """Nothing changed, and why."""

    errors: str


class Gateway:
    """Envoy and its decision workers while the block runs.

    Entering starts everything and waits until requests are served; leaving drains and ends within 15 s. What ends in
    between is started again. One thread's event loop owns it: when that thread ends, the processes do.

    Args:
        plan: what to serve.
        worker_command: a decision worker's; `--data-dir D --index I --control-fd N` is appended. It loads what it is
            told to, and binds `D/decision-I.sock` and `D/metadata-I.sock` before it says so the first time.
        configuration: the bytes that the plan was made of; workers read a copy of them.
        origin: the file that they came from; relative paths in it stay relative to it.
        on_edge_line: gets every refusal that Envoy sent, in the event loop; an exception of it is logged.
        log: what happens to the processes, and Envoy's own log.

    Raises:
        StartFault: on entering; everything that was started has been ended again.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        worker_command: Sequence[str],
        configuration: bytes,
        origin: Path,
        on_edge_line: Callable[[EdgeLine], None],
        log: Log,
    ) -> None:
        self._plan = plan
        self._configuration = configuration
        self._origin = origin
        self._on_edge_line = on_edge_line
        self._log = log
        self._admin = Admin(plan.admin_socket)
        self._workers = Workers(plan.workers, worker_command, plan.data_dir, log)
        self._binary = plan.binary
        self._envoy: Envoy | None = None
        self._fault: str | None = None
        self._last_number = 1
        self._generations = [1]
        self._living = {1: plan}  # by which anything may still be judged
        self._reloading = asyncio.Lock()
        self._stack = AsyncExitStack()

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self._plan.listen
        scheme = "http" if self._plan.certificate is None else "https"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    @property
    def generation(self) -> int:
        """The number of the configuration in force; 1 at the start."""
        return self._generations[-1]

    @property
    def pids(self) -> tuple[int | None, ...]:
        """Envoy's process, then the workers'; None where one is about to be started again."""
        return (None if self._envoy is None else self._envoy.pid, *self._workers.pids)

    def recall(self, reference: str) -> None:
        """Have the record of a decision kept: the client got another answer than the judge gave."""
        self._workers.recall(reference)

    async def ready(self) -> bool:
        """Whether requests are judged: Envoy is live with the current routes, and a worker can judge by them."""
        if not await self._admin.is_live():
            return False
        shown = (await self._admin.stats(RDS_VERSION)).get(RDS_VERSION)
        current = {self.generation, self._last_number} if self._reloading.locked() else {self.generation}
        return any(shown == str(number) and self._workers.alive(number) for number in current)

    async def reload(self, configuration: bytes, plan: Plan) -> Reloaded | NotReloaded:
        """Put a new configuration in force without losing a request, or change nothing and say why."""
        async with self._reloading:
            old, (plan, notes) = self._plan, restart_needed(self._plan, plan)
            self._last_number += 1
            number = self._last_number
            try:
                self._living[number] = plan = with_trust(plan)
                why = await self._put(number, configuration, plan)
            except (OSError, StartFault) as fault:  # a full disk, an Envoy that is just being upgraded
                why = str(fault)
            if why is not None:
                self._forget(number)
                return NotReloaded(errors=why)
            self._plan, self._configuration = plan, configuration
            self._generations.append(number)
            if len(self._generations) > _KEPT_GENERATIONS:
                # Requests that Envoy matched before the routes changed are still judged by the older one.
                asyncio.get_running_loop().call_later(_FORGET_SECONDS, self._forget, self._generations.pop(0))
            if discovery.changes_listener(old, plan):
                notes = (*notes, "the listener changed: open connections are drained, streams end within 60 s")
            return Reloaded(generation=number, notes=notes)

    async def _put(self, number: int, configuration: bytes, plan: Plan) -> str | None:
        """Validate, have the workers load, have Envoy take; None, or why nothing has changed."""
        if (errors := await self._validate(number, plan)) is not None:
            return errors
        if (errors := await self._workers.load(self._copy(number, configuration))) is not None:
            return errors
        living = [kept for other, kept in reversed(self._living.items()) if other != number]
        return await discovery.replace((self.generation, self._plan), (number, plan), living, self._admin)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _start(self, stack: AsyncExitStack) -> None:
        files.claim(self._plan.data_dir, LOCK_NAME)
        stack.enter_context(files.held(self._plan.data_dir / LOCK_NAME))
        for path in (self._plan.admin_socket, *self._plan.decision_sockets, *self._plan.metadata_sockets):
            stack.callback(path.unlink, missing_ok=True)
        self._binary = find_binary(self._plan.binary)
        self._plan = plan = self._living[1] = with_trust(self._plan)
        for folder in (plan.envoy_dir, self._copies):
            files.make_anew(folder)
        if (errors := await self._validate(1, plan)) is not None:
            raise StartFault(errors)
        check_port(plan.listen)
        stack.push_async_callback(self._workers.stop, _END_SECONDS)
        await self._workers.start(self._copy(1, self._configuration))
        discovery.write_all(1, plan)
        keeping = asyncio.create_task(self._keep_envoy(self._binary))
        stack.push_async_callback(self._stop_envoy, keeping)
        await self._until_ready()

    async def _until_ready(self) -> None:
        try:
            async with asyncio.timeout(_READY_SECONDS):
                while not await self.ready():
                    if self._fault is not None:
                        raise StartFault(self._fault)
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            raise StartFault("Envoy was not ready in time; its log says why") from None

    async def _keep_envoy(self, binary: Path) -> None:
        clock = asyncio.get_running_loop().time
        backoff = Backoff()
        while True:
            began = clock()
            self._fault = None
            try:
                self._envoy = await Envoy.start(binary, self._plan, log=self._log, on_edge_line=self._on_edge_line)
                self._fault = await self._envoy.wait(self._admin.answers)
            except OSError as error:  # no process to be had
                self._fault = f"Envoy could not be started: {error}"
            self._envoy = None
            pause = backoff.after(clock() - began)
            self._log("error", "envoy ended", why=self._fault, again_in_seconds=pause)
            await asyncio.sleep(pause)

    async def _stop_envoy(self, keeping: asyncio.Task[None]) -> None:
        keeping.cancel()
        await asyncio.wait([keeping])
        if self._envoy is not None:
            try:
                await self._drain()
            finally:
                await self._envoy.stop(_END_SECONDS)

    async def _drain(self) -> None:
        """Refuse new connections, and wait for what is being answered."""
        await self._admin.drain_listeners()
        idle = 0
        active = "0"
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                while idle < _IDLE_READINGS:
                    active = (await self._admin.stats(ACTIVE_REQUESTS)).get(ACTIVE_REQUESTS, "0")
                    idle = idle + 1 if active == "0" else 0
                    await asyncio.sleep(2 * _POLL_SECONDS)
        except TimeoutError:
            self._log("warning", "requests were still running when the gateway had to end", cut=int(active))

    @property
    def _copies(self) -> Path:
        return self._plan.data_dir / "generations"

    def _copy(self, number: int, configuration: bytes) -> Load:
        """References, never secrets: workers resolve those themselves."""
        path = self._copies / f"{number}.yaml"
        files.replace(path, configuration)
        return Load(number=number, path=str(path), origin=str(self._origin))

    def _forget(self, number: int) -> None:
        self._workers.forget(number)
        self._living.pop(number, None)
        try:
            (self._copies / f"{number}.yaml").unlink(missing_ok=True)
            # By the newest number: one that is being put in force waits for it.
            discovery.keep_upstreams(self._last_number, tuple(reversed(self._living.values())))
        except OSError as error:
            self._log("warning", "what an old configuration needed could not be removed", why=str(error))

    async def _validate(self, number: int, plan: Plan) -> str | None:
        file = plan.data_dir / "validate.json"
        try:
            files.replace(file, render.to_text(render.self_contained(number, plan)).encode("ascii"))
            return await validate(find_binary(self._binary), file)
        finally:
            file.unlink(missing_ok=True)
