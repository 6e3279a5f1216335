"""A worker as a process of its own: its supervisor is the test, at the other end of the socket pair."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import socket
import stat
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from tests.integrations.judging import API, file_of, route
from tests.integrations.serving import SECONDS, Served
from tests.waiting import until

from ostiary.judge.generations import Drain, Forget, Load, Loaded, Refused, parse_line, to_line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.integrations.serving import Answer

    from ostiary.devserver import DevelopmentServer
    from ostiary.judge.generations import Message
    from ostiary.oauth.json import JsonValue

pytestmark = pytest.mark.anyio

ROOT: Final = Path(__file__).parents[2]
WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"
BILLING: Final = route("billing", "/billing")
STOCK: Final = route("stock", "/stock")


class Worker:
    """A running worker, and what a supervisor and Envoy do with it."""

    def __init__(
        self,
        folder: Path,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.folder = folder
        self.process = process
        self._reader = reader
        self._writer = writer
        self.decision = Served(folder / "decision-3.sock")
        self.metadata = Served(folder / "metadata-3.sock")

    def tell(self, *messages: Message) -> None:
        """Say all of it at once."""
        self._writer.write(b"".join(map(to_line, messages)))

    def say(self, line: bytes) -> None:
        """Say what is no message."""
        self._writer.write(line)

    async def hear(self) -> Message:
        """What the worker says next."""
        return parse_line(await asyncio.wait_for(self._reader.readline(), SECONDS))

    async def load(self, number: int, data: bytes) -> Message:
        """Have it load a file; what it says of it."""
        self.tell(self.order(number, data))
        return await self.hear()

    def order(self, number: int, data: bytes) -> Load:
        """The order to load a file, which is written."""
        path = self.folder / f"{number}.yaml"
        path.write_bytes(data)
        return Load(number=number, path=str(path), origin=str(self.folder / "ostiary.yaml"))

    async def check(self, key: str, token: str = "") -> Answer:
        """Ask as Envoy does."""
        fields = f"host: h\r\nx-request-id: r\r\nx-ostiary-peer: p\r\nx-ostiary-route: {key}\r\n"
        if token:
            fields += f"authorization: Bearer {token}\r\n"
        return await self.decision.ask("/check/billing", fields.encode())

    def abandon(self) -> None:
        """Be gone, as a killed supervisor is."""
        self._writer.close()

    async def ended(self) -> int:
        """Its exit code."""
        return await asyncio.wait_for(self.process.wait(), SECONDS)


@asynccontextmanager
async def running(folder: Path, stderr: int | None = None) -> AsyncIterator[Worker]:
    """A worker that was told nothing yet."""
    ours, theirs = socket.socketpair()
    with theirs, (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.authz.one_worker", "--data-dir", str(folder)),
            *("--index", "3", "--control-fd", str(theirs.fileno())),
            pass_fds=[theirs.fileno()],
            cwd=ROOT,
            stderr=stderr or log,
        )
    reader, writer = await asyncio.open_unix_connection(sock=ours)
    try:
        yield Worker(folder, process, reader, writer)
    finally:
        writer.close()
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.fixture
async def worker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Worker]:
    """A worker of this test's own."""
    async with running(tmp_path_factory.mktemp("w")) as alone:
        yield alone


@pytest.fixture
def billing(authority: DevelopmentServer) -> bytes:
    """A file with one route."""
    return file_of(authority.issuer, [BILLING])


@pytest.fixture
def token(authority: DevelopmentServer) -> str:
    """A token that every route accepts."""
    return authority.mint(client_id="reader", audience=[API])


async def test_it_binds_for_its_own_user_when_the_first_generation_is_loaded(
    worker: Worker, billing: bytes, token: str
) -> None:
    """Architecture, "Reload" and "data_dir": sockets are 0600, and what a killed worker left is no obstacle."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(worker.decision.place))
    assert await worker.load(1, billing) == Loaded(number=1)
    for served in (worker.decision, worker.metadata):
        assert isinstance(served.place, Path)
        assert stat.S_IMODE(served.place.stat().st_mode) == 0o600
    assert (await worker.check("1:billing", token)).status == 200
    assert (await worker.metadata.ask(WELL_KNOWN + "/billing")).status == 200
    assert b'route="billing",verdict="allow"' in (await worker.decision.ask("/metrics")).body


async def test_the_two_sockets_answer_to_nothing_of_each_other(worker: Worker, billing: bytes) -> None:
    """Architecture, "data_dir": metadata and decisions are two sockets and two apps."""
    await worker.load(1, billing)
    assert (await worker.metadata.ask("/check/billing")).status == 404
    assert (await worker.metadata.ask("/metrics")).status == 404
    assert (await worker.decision.ask(WELL_KNOWN + "/billing")).status == 404


async def test_a_generation_is_said_to_be_loaded_though_another_is_to_be_forgotten(
    worker: Worker, billing: bytes
) -> None:
    """Ours: what comes 30 s after a reload may come in the middle of another."""
    assert await worker.load(1, billing) == Loaded(number=1)
    worker.tell(worker.order(2, billing), Forget(number=1))
    assert await worker.hear() == Loaded(number=2)


async def test_two_generations_are_judged_by_side_by_side(
    worker: Worker, authority: DevelopmentServer, billing: bytes, token: str
) -> None:
    """Architecture, "One router": load a new generation before Envoy does and keep the last ones."""
    await worker.load(1, billing)
    assert (await worker.check("2:stock", token)).status == 480
    assert await worker.load(2, file_of(authority.issuer, [STOCK])) == Loaded(number=2)
    assert [(await worker.check(key, token)).status for key in ("1:billing", "2:stock", "2:billing")] == [200, 200, 480]
    assert (await worker.metadata.ask(WELL_KNOWN + "/stock")).status == 200
    assert (await worker.metadata.ask(WELL_KNOWN + "/billing")).status == 404
    worker.tell(Forget(number=1))
    await worker.load(3, billing)  # an order is obeyed after the ones before it
    assert [(await worker.check(key, token)).status for key in ("1:billing", "2:stock")] == [480, 200]


async def test_one_that_is_started_again_hears_of_both_generations_before_it_binds(
    worker: Worker, authority: DevelopmentServer, billing: bytes, token: str
) -> None:
    """Architecture, "Reload": a restarted worker is told both live generations before it binds."""
    worker.tell(worker.order(4, billing), worker.order(5, file_of(authority.issuer, [STOCK])))
    assert await worker.hear() == Loaded(number=4)
    assert [(await worker.check(key, token)).status for key in ("4:billing", "5:stock")] == [200, 200]
    assert await worker.hear() == Loaded(number=5)


async def test_a_generation_that_cannot_be_loaded_is_refused_and_nothing_changes(
    worker: Worker, billing: bytes, token: str
) -> None:
    """Architecture, "Reload": `refused n` with its errors, in the original file's name; no secret is in them."""
    refused = await worker.load(1, billing.replace(b"GATE_SECRET", b"NO_SUCH_NAME"))
    assert isinstance(refused, Refused)
    assert refused.number == 1
    assert str(worker.folder / "ostiary.yaml") + ":1:" in refused.errors
    assert "config.secret.env_ref_missing" in refused.errors
    assert isinstance(worker.decision.place, Path)
    assert not worker.decision.place.exists()
    assert await worker.load(2, billing) == Loaded(number=2)
    assert isinstance(await worker.load(3, b"version: 2"), Refused)
    assert isinstance(await worker.load(4, b"\xff\x00"), Refused)
    worker.tell(Load(number=5, path=str(worker.folder / "nowhere.yaml"), origin="/ostiary.yaml"))
    assert isinstance(await worker.hear(), Refused)
    assert (await worker.check("2:billing", token)).status == 200
    assert (await worker.check("3:billing", token)).status == 480


def hang(worker: Worker, number: int) -> Path:
    """Have it load a file that nobody writes yet."""
    path = worker.folder / f"{number}.yaml"
    os.mkfifo(path)
    worker.tell(Load(number=number, path=str(path), origin=str(worker.folder / "ostiary.yaml")))
    return path


async def test_it_serves_while_it_loads(worker: Worker, billing: bytes, token: str) -> None:
    """Architecture, "Reload": no dropped request."""
    await worker.load(1, billing)
    path = hang(worker, 2)
    assert (await worker.check("1:billing", token)).status == 200
    await asyncio.wait_for(asyncio.to_thread(path.write_bytes, billing), SECONDS)
    assert await worker.hear() == Loaded(number=2)


async def test_it_never_outlives_its_supervisor(worker: Worker, billing: bytes) -> None:
    """Architecture, "Fail closed": whatever it does, a load that hangs among it, no orphan is left."""
    await worker.load(1, billing)
    hang(worker, 2)
    worker.abandon()
    assert await worker.ended() == 1
    with pytest.raises(ConnectionRefusedError):
        await worker.decision.connect()


async def test_it_never_outlives_its_supervisor_before_it_was_told_anything(worker: Worker) -> None:
    """The same, at the very beginning."""
    worker.abandon()
    assert await worker.ended() == 1


@pytest.mark.parametrize("line", [b"load\n", b'{"verb":"stop"}\n', to_line(Loaded(number=1)), b"x" * 70_000 + b"\n"])
async def test_a_supervisor_that_says_nonsense_is_left(worker: Worker, line: bytes) -> None:
    """Ours: a broken invariant ends the worker, and it is started again."""
    worker.say(line)
    assert await worker.ended() == 1


class SlowAuthority:
    """An introspection endpoint that answers when it is let."""

    def __init__(self) -> None:
        self.was_asked = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection."""
        head = await reader.readuntil(b"\r\n\r\n")
        status, members = b"404 Not Found", {}
        if head.startswith(b"POST "):
            self.was_asked.set()
            await self.may_answer.wait()
            status, members = b"200 OK", {"active": True, "client_id": "reader", "aud": [API], "exp": 4_000_000_000}
        body = json.dumps(members).encode()
        head = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
        writer.write(head % (status, len(body)) + body)
        writer.close()


@asynccontextmanager
async def slow_authority() -> AsyncIterator[tuple[SlowAuthority, str]]:
    """One, and its URL."""
    slow = SlowAuthority()
    server = await asyncio.start_server(slow.serve, "127.0.0.1", 0)
    try:
        yield slow, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        slow.may_answer.set()
        server.close()


@pytest.mark.parametrize("by_signal", [False, True])
async def test_what_is_being_judged_is_judged_to_the_end(worker: Worker, *, by_signal: bool) -> None:
    """Architecture, "Reload": `drain`, or SIGTERM: nothing new is accepted, and the exit code is 0."""
    async with slow_authority() as (slow, url):
        routes: list[JsonValue] = [{**BILLING, "authorization_server": "away"}]
        await worker.load(1, file_of(url, routes, away=url))
        checking = asyncio.create_task(worker.check("1:billing", "token"))
        await asyncio.wait_for(slow.was_asked.wait(), SECONDS)
        if by_signal:
            worker.process.send_signal(signal.SIGTERM)
        else:
            worker.tell(Drain())
        await until(lambda: refuses(worker.decision))
        assert not checking.done()
        slow.may_answer.set()
        assert (await checking).status == 200
    assert await worker.ended() == 0


async def refuses(served: Served) -> bool:
    try:
        _, writer = await served.connect()
    except ConnectionRefusedError:
        return True
    writer.close()
    return False


async def test_an_idle_connection_is_not_waited_for(worker: Worker) -> None:
    """Ours: a supervisor gives a worker a second after its last word, and Envoy keeps idle connections for a minute.

    It is closed while another request is still judged: nobody waited for it.
    """
    async with slow_authority() as (slow, url):
        await worker.load(1, file_of(url, [{**BILLING, "authorization_server": "away"}], away=url))
        reader, writer = await worker.decision.connect()
        try:
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
            await asyncio.wait_for(reader.readuntil(b"ok\n"), SECONDS)
            checking = asyncio.create_task(worker.check("1:billing", "token"))
            await asyncio.wait_for(slow.was_asked.wait(), SECONDS)
            worker.tell(Drain())
            assert await asyncio.wait_for(reader.read(), SECONDS) == b""
            assert not checking.done()
        finally:
            slow.may_answer.set()
            writer.close()
        assert (await checking).status == 200
    assert await worker.ended() == 0


async def test_a_log_that_nobody_reads_holds_nothing_up(
    tmp_path_factory: pytest.TempPathFactory, billing: bytes, token: str
) -> None:
    """Ours: neither a request nor the end waits for whoever reads stderr."""
    reader, stderr = os.pipe()
    os.write(stderr, b"x" * fcntl.fcntl(stderr, fcntl.F_GETPIPE_SZ))
    async with running(tmp_path_factory.mktemp("w"), stderr) as worker:
        await worker.load(1, billing)
        assert isinstance(await worker.load(2, b"no configuration"), Refused)
        for _ in range(3):
            assert (await worker.decision.send(b"no HTTP\r\n\r\n")).status == 400
            assert (await worker.check("1:billing")).status == 401
            assert (await worker.check("1:billing", token)).status == 200
        worker.process.send_signal(signal.SIGTERM)
        assert await worker.ended() == 0
    os.close(stderr)
    os.close(reader)


async def test_one_that_has_nothing_to_serve_can_be_drained(worker: Worker) -> None:
    """Ours: the supervisor may be told to end before its workers began."""
    worker.tell(Drain())
    assert await worker.ended() == 0


async def test_ctrl_c_is_the_supervisor_s(worker: Worker, billing: bytes, token: str) -> None:
    """Ours: Ctrl-C reaches the whole process group, and requests are drained first."""
    await worker.load(1, billing)
    worker.process.send_signal(signal.SIGINT)
    assert (await worker.check("1:billing", token)).status == 200
