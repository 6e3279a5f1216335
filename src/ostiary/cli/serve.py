"""`ostiary serve`: runs the roles of a file until it is told to end."""

from __future__ import annotations

import asyncio
import hashlib
import signal
import sys
from pathlib import Path
from typing import Annotated

import structlog
import typer

from ostiary.cli.ending import Environ, Exit, environ_of, fail
from ostiary.cli.shared import FileOption
from ostiary.cli.supervised import notify_ready
from ostiary.config import Configuration, ConfigurationError, load_bytes, read_file
from ostiary.diagnostics.logs import LogLevel, configure_logging
from ostiary.gateway import NotReloaded, Reloaded, StartFault
from ostiary.gateway.role import GatewayRole
from ostiary.judge.loading import LATER_SECTIONS, judge_sections
from ostiary.judge.third_party import find_third_party

_ROLES = ("gateway",)
_LATER = ("authz", "drive", "jobs", "console")
_WORKER = (sys.executable, "-P", "-m", "ostiary", "worker", "--log-level")  # -P: nothing of the folder we stand in

_LOOK_SECONDS = 1.0
_SHORTEST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0

_log = structlog.get_logger("ostiary.serve")


def serve(
    context: typer.Context,
    file: FileOption,
    roles: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ROLE]...", help="Which roles; those that the file has sections for by default."),
    ] = None,
    log_level: Annotated[LogLevel, typer.Option("--log-level", help="From which level on lines are written.")] = (
        LogLevel.INFO
    ),
) -> None:
    """Serve until SIGTERM or SIGINT, then drain and end within 15 seconds with exit code 0.

    When the file changes, or at SIGHUP, it is read again: a valid one is put in force without losing a request, an
    invalid one changes nothing.
    """
    for role in roles or ():
        if role in _LATER:
            fail(f"error: the role {role!r} is not in this version")
        if role not in _ROLES:
            fail(f"error: there is no role {role!r}\nhint: the roles are: {', '.join(_ROLES)}")
    configure_logging(log_level, sys.stderr)
    serving = _Serving(file, environ_of(context), (*_WORKER, log_level.value))
    try:
        configuration, data = serving.read()
    except ConfigurationError as error:
        fail(str(error))
    raise typer.Exit(asyncio.run(serving.run(configuration, data)))


class _Serving:
    def __init__(self, file: Path, environ: Environ, worker_command: tuple[str, ...]) -> None:
        self._file = file
        self._worker_command = worker_command
        self._environ = environ
        self._third_party = find_third_party()
        self._is_serving = False
        self._is_due = False  # to be tried again: a valid file that is not in force
        self._tried = b""  # SHA-256 of the bytes that were last read: they are not read again for having been touched

    def read(self) -> tuple[Configuration, bytes]:
        """The file as it is now.

        Raises:
            ConfigurationError: it cannot be read or is not valid.
        """
        self._tried = b""
        self._is_due = False
        data = read_file(self._file)
        self._tried = hashlib.sha256(data).digest()
        sections = judge_sections(self._third_party)
        return load_bytes(data, sections, self._environ, origin=self._file, later=LATER_SECTIONS), data

    async def run(self, configuration: Configuration, data: bytes) -> int:
        """Serve until a signal ends it, in the middle of the start too; the exit code."""
        loop = asyncio.get_running_loop()
        ended, again = asyncio.Event(), asyncio.Event()
        serving = asyncio.create_task(self._serve(configuration, data, ended, again))
        events = {signal.SIGTERM: ended, signal.SIGINT: ended, signal.SIGHUP: again}
        for number, event in events.items():
            loop.add_signal_handler(number, event.set)
        told = asyncio.create_task(ended.wait())
        await asyncio.wait((serving, told), return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if not serving.done() and not self._is_serving:
            serving.cancel()  # what has been started ends with it
        await asyncio.wait([serving])
        for number in events:  # the end is near; the default of a signal that is said twice would be its exit code
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)
        return Exit.OK if serving.cancelled() else serving.result()

    async def _serve(
        self, configuration: Configuration, data: bytes, ended: asyncio.Event, again: asyncio.Event
    ) -> int:
        try:
            role = GatewayRole(
                configuration, data=data, third_party=self._third_party, worker_command=self._worker_command
            )
            async with role:
                self._is_serving = True
                _log.info("serving", url=role.url, routes=str(self._file))
                notify_ready(self._environ)
                await self._until_told(role, ended, again)
        except StartFault as fault:
            typer.echo(f"error: {fault}", err=True)
            return Exit.USAGE
        except OSError as error:  # somebody else's file in `data_dir`, a full disk
            where = f"{error.filename}: " if error.filename else ""
            typer.echo(f"error: {where}{(error.strerror or str(error)).lower()}", err=True)
            return Exit.USAGE
        return Exit.OK

    async def _until_told(self, role: GatewayRole, ended: asyncio.Event, again: asyncio.Event) -> None:
        tasks = [asyncio.create_task(self._reload_whenever(again, role)), asyncio.create_task(self._watch(again))]
        await ended.wait()
        for task in tasks:
            task.cancel()  # in the middle too: a worker that does not answer must not keep us
        await asyncio.wait(tasks)
        _log.info("ending: new connections are refused, open requests are finished")

    async def _reload_whenever(self, again: asyncio.Event, role: GatewayRole) -> None:
        loop = asyncio.get_running_loop()
        pause = _SHORTEST_PAUSE_SECONDS
        while True:
            await again.wait()
            again.clear()
            try:
                outcome = await self._reload(role)
            except Exception as error:  # noqa: BLE001 - whatever fails in a reload, what is in force stays in force
                outcome = role.refuse(f"{type(error).__name__}: {error}")
            if isinstance(outcome, NotReloaded):
                _log.error("not reloaded, nothing has changed", why=outcome.errors)
                if self._is_due:
                    pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
                    loop.call_later(pause, self._try_again, again)
            else:
                pause = _SHORTEST_PAUSE_SECONDS
                _log.info("reloaded", generation=outcome.generation, notes=list(outcome.notes))

    def _try_again(self, again: asyncio.Event) -> None:
        if self._is_due:
            again.set()

    async def _watch(self, again: asyncio.Event) -> None:
        """Look at the file once a second, since what replaces it (an editor, a mounted volume) tells nobody."""
        known = self._stamp()
        changed = False
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            stamp = self._stamp()
            if stamp != known:
                known, changed = stamp, True  # perhaps it is still being written: the next look decides
            elif changed and stamp is not None:
                changed = False
                if await asyncio.to_thread(self._digest) != self._tried:
                    again.set()

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self._file.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _digest(self) -> bytes:
        try:
            return hashlib.sha256(read_file(self._file)).digest()
        except ConfigurationError:  # a reload says it
            return b""

    async def _reload(self, role: GatewayRole) -> Reloaded | NotReloaded:
        try:
            configuration, data = await asyncio.to_thread(self.read)
        except ConfigurationError as error:
            return role.refuse(str(error))
        outcome = await role.reload(configuration, data, self._third_party)
        if isinstance(outcome, NotReloaded):
            self._tried = b""  # nothing is wrong with the file: it may be in force next time,
            self._is_due = True  # and what replaces it may send no signal
        return outcome
