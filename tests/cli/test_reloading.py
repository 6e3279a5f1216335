"""What may meet a reload, a start and an end: whatever it is, a sentence, and what is in force stays in force."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cli.serving import start, wait_said, wait_serving
from tests.e2e.running import free_ports, request
from tests.waiting import until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

ENVIRON = {"SECRET": "gate-secret"}
REFUSED = "not reloaded, nothing has changed"


class Served:
    """A gateway in a process of its own, and its file."""

    process: subprocess.Popen[str]

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "ostiary.yaml"
        self.port, self.operator_port = free_ports()
        self.write_token("first")
        self.write()

    def begin(self, standing: Path | None = None) -> None:
        """Start it, in a folder if one is given, and wait until it serves."""
        self.process = start(self.file, ENVIRON, folder=standing)
        wait_serving(self.process)

    def write_token(self, word: str) -> None:
        (self.folder / "operator.token").write_text(word * 8, encoding="ascii")

    def write(
        self, *, operator_port: int = 0, route: str = "/billing", keep: str = "7d", data_dir: str = "var"
    ) -> None:
        operator = f"127.0.0.1:{operator_port or self.operator_port}"
        self.file.write_text(
            f"""\
version: 1
data_dir: {data_dir}
gateway: {{listen: "127.0.0.1:{self.port}", public_url: "https://bkapi.example.com"}}
operator: {{listen: "{operator}", token: {{file: operator.token}}}}
decision_log: {{keep: {keep}}}
authorization_servers:
  corp: {{kind: rfc7662, issuer: "http://127.0.0.1:1", client_id: gw, client_secret: {{env: SECRET}}}}
routes:
  - name: billing
    gateway: my-gateway
    resource: my-api
    match: {{path: {route}}}
    upstream: "http://127.0.0.1:{self.port}"
    authorization_server: corp
""",
            encoding="utf-8",
        )

    def reload(self, words: str) -> str:
        """SIGHUP, and a line that has these words: perhaps that of the file's change, which it looks for as well."""
        self.process.send_signal(signal.SIGHUP)
        return wait_said(self.process, words)

    def status(self, path: str = "/billing") -> int:
        return request(self.port, "GET", path).status

    def metrics(self, word: str) -> tuple[int, str]:
        headers = (("Authorization", f"Bearer {word * 8}".encode()),)
        reply = request(self.operator_port, "GET", "/metrics", headers)
        return reply.status, reply.body.decode()

    def workers(self) -> list[int]:
        """Its decision workers' processes."""
        found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in found if b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def envoy(self) -> int:
        """Envoy's process."""
        found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        (pid,) = [int(pid) for pid in found if b"bootstrap.json" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        return pid

    def end(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=20)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("s"))
    served.begin()
    try:
        yield served
    finally:
        served.end()
        assert served.process.returncode == 0


def _gone(served: Served) -> Callable[[], object]:
    served.file.unlink()
    return served.write


def _folder(served: Served) -> Callable[[], object]:
    served.file.unlink()
    served.file.mkdir()

    def mend() -> None:
        served.file.rmdir()
        served.write()

    return mend


def _not_utf8(served: Served) -> Callable[[], object]:
    served.file.write_bytes(b"\xff\xfe")
    return served.write


def _in_the_way(name: str) -> Callable[[Served], Callable[[], object]]:
    """A folder where a file has to be written: what a full disk comes to, for root too."""

    def prepare(served: Served) -> Callable[[], object]:
        path = served.folder / "var" / name
        path.unlink(missing_ok=True)
        path.mkdir()
        return path.rmdir

    return prepare


@pytest.mark.parametrize(
    "prepare",
    [
        _gone,
        _folder,
        _not_utf8,
        *map(_in_the_way, ("validate.json.tmp", "envoy/cds.json.new", "envoy/rds.json.new", "envoy/cds.json.old")),
    ],
)
def test_whatever_a_reload_meets_changes_nothing_and_says_why(
    served: Served, prepare: Callable[[Served], Callable[[], object]]
) -> None:
    """configuration.md: an invalid file changes nothing and is one error line and one metric."""
    before = _refused(served)
    mend = prepare(served)
    assert json.loads(served.reload(REFUSED))["why"]
    mend()
    assert served.status() == 401
    assert _refused(served) > before
    served.write(route="/invoices")
    served.reload('"reloaded"')
    _wait(lambda: (served.status(), served.status("/invoices")) == (404, 401))
    served.write()
    served.reload('"reloaded"')
    _wait(lambda: served.status() == 401)


def test_a_file_that_changes_is_read_again_and_one_that_is_only_touched_is_not(served: Served) -> None:
    """configuration.md, `serve`: SIGHUP or a changed file reloads."""
    served.write(route="/invoices")
    before = json.loads(wait_said(served.process, '"reloaded"'))["generation"]
    _wait(lambda: (served.status(), served.status("/invoices")) == (404, 401))
    served.file.touch()
    served.file.write_text(served.file.read_text() + "colour: red\n")
    assert "colour" in wait_said(served.process, REFUSED)
    assert served.status("/invoices") == 401
    beside = served.file.with_name("beside.yaml")
    beside.write_text(served.file.read_text().replace("colour: red\n", "").replace("/invoices", "/billing"))
    beside.replace(served.file)
    assert json.loads(wait_said(served.process, '"reloaded"'))["generation"] > before
    _wait(lambda: served.status() == 401)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells whose children processes are")
def test_a_valid_file_comes_into_force_though_envoy_was_away(tmp_path: Path) -> None:
    """configuration.md: SIGHUP or a changed file reloads; what fails for another reason is tried again."""
    served = Served(tmp_path)
    served.begin()
    os.kill(served.envoy(), signal.SIGSTOP)
    served.write(route="/invoices")

    def is_in_force() -> bool:
        try:
            return served.status("/invoices") == 401
        except OSError:  # Envoy is not back
            return False

    try:
        _wait(is_in_force)
    finally:
        served.end()
    assert served.process.returncode == 0


def test_the_operators_token_is_read_again(served: Served) -> None:
    """configuration.md, reloadable: secrets; a leaked one must go without a restart."""
    assert served.metrics("first")[0] == 200
    served.write_token("second")
    served.reload('"reloaded"')
    _wait(lambda: (served.metrics("first")[0], served.metrics("second")[0]) == (401, 200))
    served.write_token("first")
    served.reload('"reloaded"')
    _wait(lambda: served.metrics("first")[0] == 200)


def test_a_key_that_needs_a_restart_is_named(served: Served) -> None:
    """configuration.md: a reload says so."""
    served.write(operator_port=free_ports()[0], keep="1d", data_dir="elsewhere")
    changed = ("data_dir", "decision_log.url", "operator.listen")
    said = [f"{key} changed: it needs a restart" for key in changed]
    _wait(lambda: json.loads(served.reload('"reloaded"'))["notes"] == said)
    assert served.metrics("first")[0] == 200
    assert not (served.folder / "elsewhere").exists()
    served.write()
    _wait(lambda: json.loads(served.reload('"reloaded"'))["notes"] == [])


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells whose children processes are")
def test_a_worker_needs_no_secret_but_its_own(served: Served) -> None:
    """Ours: the operator's token is no business of a worker, and its absence no reason to refuse everybody."""
    (served.folder / "operator.token").unlink()
    before = served.workers()
    os.kill(before[0], signal.SIGKILL)
    wait_said(served.process, "decision worker ended")
    _wait(lambda: served.workers() not in ([], before) and served.status() == 401)
    served.write_token("first")


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells whose children processes are")
def test_a_signal_ends_a_reload_that_waits_for_a_worker(tmp_path: Path) -> None:
    """configuration.md: SIGTERM ends within 15 s with exit 0, whatever is under way."""
    served = Served(tmp_path)
    served.begin()
    worker = served.workers()[0]
    os.kill(worker, signal.SIGSTOP)
    try:
        served.process.send_signal(signal.SIGHUP)
        _wait((tmp_path / "var" / "generations" / "2.yaml").exists)
        began = time.monotonic()
        served.end()
        assert (served.process.returncode, time.monotonic() - began < 15) == (0, True)
    finally:
        if Path(f"/proc/{worker}").exists():
            os.kill(worker, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_that_is_said_again_changes_nothing(tmp_path: Path, number: signal.Signals) -> None:
    """configuration.md: ends with exit 0. A second Ctrl-C may come when all but the process is gone."""
    served = Served(tmp_path)
    served.begin()
    served.process.terminate()
    while served.process.poll() is None:
        served.process.send_signal(number)
        time.sleep(0.02)  # how often it is said; the loop ends with the process
    _, said = served.process.communicate(timeout=20)
    assert (served.process.returncode, "Traceback" in said) == (0, False)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells what a process does with a signal")
@pytest.mark.parametrize(("seconds", "number"), [(0.0, signal.SIGINT), (0.5, signal.SIGTERM), (1.0, signal.SIGINT)])
def test_a_signal_while_it_starts_is_as_good_as_later(tmp_path: Path, seconds: float, number: signal.Signals) -> None:
    """operate.md: SIGHUP reloads, SIGTERM ends with 0, always; a service manager may be quick."""
    served = Served(tmp_path)
    served.process = start(served.file, ENVIRON)
    _wait(lambda: _is_patient(served.process.pid))
    time.sleep(seconds)  # into the start, which shows nothing of itself: any moment of it must do
    served.process.send_signal(signal.SIGHUP)
    wait_serving(served.process)
    served.end()
    assert served.process.returncode == 0
    ended = start(served.file, ENVIRON)
    _wait(lambda: _is_patient(ended.pid))
    time.sleep(seconds)  # the same
    ended.send_signal(number)
    ended.communicate(timeout=20)
    assert ended.returncode == 0
    assert not list((tmp_path / "var").glob("*.sock"))


def _is_patient(pid: int) -> bool:
    """Whether SIGHUP no longer has its default: Python itself is up."""
    masks = re.findall(r"^Sig(?:Ign|Cgt):\s*([0-9a-f]+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return any(int(mask, 16) & 1 << signal.SIGHUP - 1 for mask in masks)


def test_a_service_manager_hears_when_it_serves(tmp_path: Path) -> None:
    """sd_notify(3): `Type=notify` of the unit."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "n.sock"))
        manager.settimeout(30)
        served = Served(tmp_path)
        served.process = start(served.file, ENVIRON | {"NOTIFY_SOCKET": str(tmp_path / "n.sock")})
        assert manager.recv(100) == b"READY=1"
        assert served.status() == 401
        wait_serving(served.process)
        served.end()


@pytest.mark.parametrize(
    ("name", "content"),
    [("gateway.lock", None), ("validate.json.tmp", None), ("subject.key", b"short"), ("envoy", b"a file")],
)
def test_what_stands_in_the_way_of_a_start_is_said_in_a_sentence(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    """Ours: somebody else's files in `data_dir`; no traceback, exit 2."""
    (tmp_path / "var").mkdir(mode=0o700)
    path = tmp_path / "var" / name
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    process = start(Served(tmp_path).file, ENVIRON)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 2
    assert said.startswith("error: ")
    assert name in said
    assert "Traceback" not in said


def test_no_module_of_the_folder_we_stand_in_is_run(tmp_path: Path) -> None:
    """Ours: a worker that is started in /tmp must not run what somebody left there."""
    standing = tmp_path / "somewhere"
    standing.mkdir()
    (standing / "structlog.py").write_text("raise SystemExit('run')\n", encoding="ascii")
    served = Served(tmp_path)
    served.begin(standing)
    served.end()
    assert served.process.returncode == 0


def _wait(condition: Callable[[], bool]) -> None:
    asyncio.run(until(condition))


def _refused(served: Served) -> int:
    _, page = served.metrics("first")
    lines = [line for line in page.splitlines() if line.startswith("ostiary_reloads_total{") and "refused" in line]
    return round(float(lines[0].rpartition(" ")[2])) if lines else 0
