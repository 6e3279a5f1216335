"""TLS at the public listener, and a certificate that is replaced while it is used."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import httpx2
import pytest
import trustme
from tests.gateway.doubles import route, running
from tests.waiting import until

from ostiary.gateway import Certificate, NotReloaded, Plan, Reloaded, StartFault
from ostiary.gateway.admin import Admin
from ostiary.gateway.counted import CERTIFICATES_REFUSED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.gateway.doubles import Running, Upstream

pytestmark = pytest.mark.anyio

AUTHORITY = trustme.CA()
DRAINED = "the listener changed: open connections are drained, streams end within 60 s"
RAW = b"GET /api HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Folder:
    """Where certificate and key lie."""

    path: Path

    @property
    def certificate(self) -> Certificate:
        return Certificate(chain=self.path / "cert.pem", key=self.path / "key.pem")

    def issue(self, *, key: bytes | None = None, by_rename: bool = True) -> bytes:
        """Replace both, the key first; the new certificate as a client sees it."""
        issued = AUTHORITY.issue_cert("localhost", "127.0.0.1")
        chain = [blob.bytes() for blob in issued.cert_chain_pems]
        for name, content in (("key.pem", key or issued.private_key_pem.bytes()), ("cert.pem", b"".join(chain))):
            written = self.path / (name + ".new" if by_rename else name)
            written.write_bytes(content)
            written.rename(self.path / name)
        return ssl.PEM_cert_to_DER_cert(chain[0].decode())


def folder_in(parent: Path) -> Folder:
    """One with a pair in it."""
    path = parent / "tls"
    path.mkdir()
    folder = Folder(path)
    folder.issue()
    return folder


@asynccontextmanager
async def encrypted(folder: Folder, upstream: Upstream) -> AsyncIterator[Running]:
    """A gateway that speaks TLS with what lies in a folder."""
    data_dir = folder.path.parent
    plan = Plan(listen=("127.0.0.1", 0), data_dir=data_dir, routes=(), certificate=folder.certificate)
    async with running(data_dir, (route("api", "/api", upstream.port),), plan) as started:
        yield started


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return folder_in(tmp_path_factory.mktemp("edge"))


@pytest.fixture(scope="module")
async def edge(folder: Folder, upstream: Upstream) -> AsyncIterator[Running]:
    async with encrypted(folder, upstream) as started:
        yield started


def trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    AUTHORITY.configure_trust(context)
    return context


async def shown(port: int) -> bytes:
    """The certificate of a new handshake; nothing where there is none."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting(), server_hostname="localhost")
    except (ConnectionError, ssl.SSLError):
        return b""
    found: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return found


async def until_shown(port: int, certificate: bytes) -> None:
    async def is_shown() -> bool:
        return await shown(port) == certificate

    await until(is_shown)


async def refusals(edge: Running) -> int:
    """How many pairs Envoy has refused to take since it started."""
    return int((await Admin(edge.plan.admin_socket).stats(CERTIFICATES_REFUSED))[CERTIFICATES_REFUSED])


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["h2", "http/1.1"], "h2"),
        (["http/1.1", "h2"], "h2"),
        (["http/1.1"], "http/1.1"),
        (["http/1.0"], None),
        (["spdy/3"], None),
        ([], None),
    ],
)
@pytest.mark.parametrize("name", ["localhost", "another.example", ""])
async def test_both_protocols_are_offered_under_every_name(
    edge: Running, offered: list[str], chosen: str | None, name: str
) -> None:
    """RFC 7301 §3.2, RFC 6066 §3: who offers nothing that we know speaks HTTP/1.1; a route's host is not the name's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if offered:
        context.set_alpn_protocols(offered)
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port, ssl=context, server_hostname=name)
    assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == chosen
    if chosen != "h2":
        writer.write(RAW)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
    writer.close()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
@pytest.mark.parametrize(
    ("version", "is_served"),
    [(ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)],
)
async def test_tls_1_2_is_the_least(edge: Running, version: ssl.TLSVersion, *, is_served: bool) -> None:
    """RFC 8996: the older ones are deprecated."""
    context = trusting()
    context.minimum_version = context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")  # or OpenSSL would not even ask
    connecting = asyncio.open_connection("127.0.0.1", edge.port, ssl=context, server_hostname="localhost")
    if is_served:
        (await connecting)[1].close()
    else:
        with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
            await connecting


async def test_plain_http_is_closed_without_an_answer(edge: Running) -> None:
    """ours: nobody is asked, and no answer goes out in the clear."""
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    writer.write(RAW)
    async with asyncio.timeout(10):
        assert await reader.read() == b""
    writer.close()


async def test_the_upstream_and_the_operator_read_https(edge: Running) -> None:
    """gateway.md: what is published is built from `public_url`; TLS changes nothing else."""
    async with httpx2.AsyncClient(verify=trusting()) as client:
        seen = (await client.get(f"{edge.gateway.url}/api", headers={"Authorization": "Bearer good"})).json()
    assert ["x-forwarded-proto", "https"] in seen["headers"]
    assert edge.gateway.url == f"https://127.0.0.1:{edge.port}"


async def test_nothing_of_the_key_is_copied(edge: Running, folder: Folder) -> None:
    """Architecture: `data_dir` has references, never secrets."""
    secret = folder.certificate.key.read_bytes().splitlines()[1]
    files = [path for path in edge.plan.data_dir.rglob("*") if path.is_file()]
    assert str(folder.certificate.key) in (edge.plan.envoy_dir / "sds.json").read_text()
    assert [path for path in files if secret in path.read_bytes()] == []


@dataclass(slots=True)
class Client:
    """Asks again and again, on one connection or each time on another; counts answers and connections."""

    http2: bool
    anew: bool
    answers: list[tuple[int, str]] = field(default_factory=list)
    connections: set[int] = field(default_factory=set)

    async def run(self, url: str, done: asyncio.Event) -> None:
        while not done.is_set():
            async with httpx2.AsyncClient(verify=trusting(), http1=not self.http2, http2=self.http2) as client:
                await self._ask(client, url)
                while not self.anew and not done.is_set():
                    await self._ask(client, url)

    async def _ask(self, client: httpx2.AsyncClient, url: str) -> None:
        answer = await client.get(url, headers={"Authorization": "Bearer good"})
        self.answers.append((answer.status_code, answer.http_version))
        self.connections.add(answer.extensions["network_stream"].get_extra_info("client_addr")[1])


async def test_a_certificate_is_replaced_under_load_without_a_lost_request(edge: Running, folder: Folder) -> None:
    """Architecture, reload: the next handshake has the new one, and no connection is drained for it."""
    clients = [Client(http2, anew) for http2 in (False, True) for anew in (False, True)]
    done = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for client in clients:
            tasks.create_task(client.run(f"{edge.gateway.url}/api", done))
        try:
            for number in range(1, 6):
                await until_shown(edge.port, folder.issue())
                await until(lambda: all(len(client.answers) > 3 * number for client in clients))  # noqa: B023 - awaited
        finally:
            done.set()
    for client in clients:
        assert set(client.answers) == {(200, "HTTP/2" if client.http2 else "HTTP/1.1")}
        assert len(client.connections) == (len(client.answers) if client.anew else 1)


async def test_a_mounted_secret_is_replaced_by_one_rename(tmp_path: Path, upstream: Upstream) -> None:
    """ours: Kubernetes has the files as links through `..data`, and renames that link alone."""
    mounted = Folder(tmp_path / "tls")
    mounted.path.mkdir()

    def mount(name: str) -> bytes:
        version = Folder(mounted.path / name)
        version.path.mkdir()
        certificate = version.issue()
        mounted.path.joinpath("..new").symlink_to(name)
        mounted.path.joinpath("..new").rename(mounted.path / "..data")
        return certificate

    first = mount("..1")
    for name in ("cert.pem", "key.pem"):
        mounted.path.joinpath(name).symlink_to(f"..data/{name}")
    async with encrypted(mounted, upstream) as edge:
        assert await shown(edge.port) == first
        await until_shown(edge.port, mount("..2"))


async def test_a_broken_pair_is_not_taken_and_the_next_good_one_is(edge: Running, folder: Folder) -> None:
    """ours: what was served goes on being served, and the log says why."""
    before, refused = await shown(edge.port), await refusals(edge)
    folder.issue(key=b"this is no key")

    async def is_refused() -> bool:
        return await refusals(edge) > refused

    await until(is_refused)
    assert await shown(edge.port) == before
    said = [str(fields["message"]) for level, _, fields in edge.events if level == "warning"]
    assert any("Failed to reload certificates" in message for message in said)
    await until_shown(edge.port, folder.issue())


async def test_an_envoy_that_starts_with_a_broken_pair_serves_nobody_until_it_is_whole(
    tmp_path: Path, upstream: Upstream
) -> None:
    """ours: an Envoy may end in the middle of a replacement."""
    folder = folder_in(tmp_path)
    async with encrypted(folder, upstream) as edge:
        folder.issue(key=b"this is no key")
        envoy = edge.gateway.pids[0]
        assert envoy is not None
        os.kill(envoy, signal.SIGKILL)
        await edge.ended(envoy)
        await edge.until_ready()
        assert await shown(edge.port) == b""
        await until_shown(edge.port, folder.issue())


async def test_a_reload_turns_tls_on_and_off_and_reads_the_files_again(tmp_path: Path, upstream: Upstream) -> None:
    """configuration.md: on or off changes the listener and the reload says so; everything else reloads quietly."""
    folder = folder_in(tmp_path)
    async with running(tmp_path, (route("api", "/api", upstream.port),)) as edge:
        with_tls = replace(edge.plan, certificate=folder.certificate)
        assert await edge.gateway.reload(b"two", with_tls) == Reloaded(generation=2, notes=(DRAINED,))
        await until_shown(edge.port, folder.issue())
        written = folder.issue(by_rename=False)  # certbot replaces links and renames nothing
        assert await edge.gateway.reload(b"three", with_tls) == Reloaded(generation=3)
        await until_shown(edge.port, written)
        folder.path.rename(tmp_path / "moved")
        moved = replace(with_tls, certificate=Folder(tmp_path / "moved").certificate)
        assert await edge.gateway.reload(b"four", moved) == Reloaded(generation=4)
        await until_shown(edge.port, Folder(tmp_path / "moved").issue())
        assert await edge.gateway.reload(b"five", edge.plan) == Reloaded(generation=5, notes=(DRAINED,))

        async def is_plain() -> bool:
            return await shown(edge.port) == b""

        await until(is_plain)
        assert (await edge.ask("/api")).status == 200


async def test_what_envoy_would_not_serve_is_refused_before_it_is_asked_to(tmp_path: Path, upstream: Upstream) -> None:
    """configuration.md: an invalid file changes nothing; no message shows what stands in a file."""
    folder = folder_in(tmp_path)
    async with encrypted(folder, upstream) as edge:
        good = await shown(edge.port)
        other = trustme.CA().issue_cert("localhost").private_key_pem.bytes()
        folder.certificate.key.write_bytes(other)
        outcome = await edge.gateway.reload(b"two", edge.plan)
        assert isinstance(outcome, NotReloaded)
        assert "KEY_VALUES_MISMATCH" in outcome.errors
        assert other.splitlines()[1].decode() not in outcome.errors
        assert await shown(edge.port) == good
    with pytest.raises(StartFault, match="KEY_VALUES_MISMATCH"):
        async with encrypted(folder, upstream):
            pass
