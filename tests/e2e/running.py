"""A whole gateway as `ostiary serve` runs it, in a thread: real Envoy, real workers, real log; and what to send it."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Final

from tests.integrations.judging import GATE

from ostiary.config import Configuration, load_bytes
from ostiary.diagnostics.decision_log import read_decision
from ostiary.diagnostics.record import DecisionRecord
from ostiary.diagnostics.settings import decision_log_url
from ostiary.gateway.role import GatewayRole
from ostiary.judge.loading import LATER_SECTIONS, judge_sections

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping
    from pathlib import Path

    from ostiary.oauth.json import JsonValue

_START_SECONDS: Final = 40.0
_WORKER: Final = (sys.executable, "-m", "ostiary.demo.worker")
OPERATOR_TOKEN: Final = "operator-canary-0123456789abcdefghijklmnop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a client got; header names in lower case, repeated ones in their order."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first field of a name."""
        return next((value for found, value in self.headers if found == name), None)

    @property
    def reference(self) -> str:
        """By which the decision is found."""
        return self.header("x-request-id") or ""

    @property
    def echo(self) -> dict[str, list[str]]:
        """The headers that reached the upstream, by name."""
        found: dict[str, list[str]] = {}
        for name, value in json.loads(self.body)["headers"]:
            found.setdefault(name.lower(), []).append(value)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A gateway that serves."""

    role: GatewayRole
    configuration: Configuration
    port: int
    operator_port: int
    reload: Callable[[Mapping[str, JsonValue]], object]

    def send(self, method: str, target: str, headers: tuple[tuple[str, bytes], ...] = (), body: bytes = b"") -> Reply:
        """One request on a connection of its own; the target as it is given."""
        return request(self.port, method, target, headers, body)

    def explain(self, reference: str) -> DecisionRecord:
        """The decision behind an answer, from the log."""
        found = read_decision(decision_log_url(self.configuration), reference, wait_seconds=5)
        assert isinstance(found, DecisionRecord), f"{reference} is not explained: {found}"
        return found


def request(
    port: int, method: str, target: str, headers: tuple[tuple[str, bytes], ...] = (), body: bytes = b""
) -> Reply:
    """One request to a port of this machine, byte by byte as it is given."""
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        if body:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        response = connection.getresponse()
        pairs = tuple((name.lower(), value) for name, value in response.getheaders())
        return Reply(status=response.status, headers=pairs, body=response.read())
    finally:
        connection.close()


@contextmanager
def running(folder: Path, members: Mapping[str, JsonValue]) -> Iterator[Running]:
    """Start a gateway from a file with these members, as `reload` takes them; ports and operator are filled in."""
    port, operator_port = free_ports()
    (folder / "operator.token").write_text(OPERATOR_TOKEN, encoding="ascii")
    (folder / "gate.secret").write_text(GATE.secret, encoding="ascii")

    def written(members: Mapping[str, JsonValue]) -> tuple[Configuration, bytes]:
        gateway = members["gateway"]
        assert isinstance(gateway, dict)
        whole: dict[str, JsonValue] = {
            "decision_log": {"sample_allows": 1.0},
            **members,
            "data_dir": "var",
            "gateway": {**gateway, "listen": f"127.0.0.1:{port}"},
            "operator": {"listen": f"127.0.0.1:{operator_port}", "token": {"file": "operator.token"}},
        }
        data = json.dumps(whole).encode()
        path = folder / "ostiary.yaml"
        path.write_bytes(data)
        return load_bytes(data, judge_sections({}), {}, origin=path, later=LATER_SECTIONS), data

    configuration, data = written(members)
    role = GatewayRole(configuration, data=data, third_party={}, worker_command=_WORKER)
    thread = _Thread(role)
    thread.start()
    try:
        thread.wait_ready()
        yield Running(
            role=role,
            configuration=configuration,
            port=port,
            operator_port=operator_port,
            reload=lambda members: thread.run_in_loop(role.reload(*written(members), {})),
        )
    finally:
        thread.stop()


def free_ports() -> tuple[int, int]:
    """Two ports that nobody has."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


class _Thread(threading.Thread):
    """Owns the role and its event loop."""

    def __init__(self, role: GatewayRole) -> None:
        super().__init__(name="gateway")
        self._role = role
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._end = asyncio.Event()
        self._failure: BaseException | None = None

    def run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as error:  # noqa: BLE001 - raised again in the test's thread
            self._failure = error
        finally:
            self._ready.set()
            self._loop.close()

    def wait_ready(self) -> None:
        assert self._ready.wait(_START_SECONDS), "the gateway did not start in time"
        if self._failure is not None:
            raise self._failure

    def run_in_loop(self, doing: Coroutine[None, None, object]) -> object:
        return asyncio.run_coroutine_threadsafe(doing, self._loop).result(_START_SECONDS)

    def stop(self) -> None:
        if self.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
        self.join(20)
        assert not self.is_alive(), "the gateway did not end in time"

    async def _serve(self) -> None:
        async with self._role:
            self._ready.set()
            await self._end.wait()
