"""A listener's certificate and key: what keeps them from being served is said before anybody serves."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from ostiary.config import Section, Settings, TlsSettings, load_bytes, refuse_tls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ostiary.config import Complaint, Configuration, Problem

    Loading = Callable[..., Configuration]
    Refusing = Callable[..., tuple[Problem, ...]]


class Door(Settings):
    tls: TlsSettings | None = None


def _check(door: Door, file: Configuration) -> Iterator[Complaint]:
    if door.tls is not None:
        yield from refuse_tls(door.tls, ("door", "tls"), file)


DOOR = Section(name="door", model=Door, check=_check)
FILE = "door: {tls: {certificate: cert.pem, key: {file: key.pem}}}"
NO_KEY = ("door.tls.key", "leads to no private key")
NO_CERTIFICATE = ("door.tls.certificate", "names a file without a certificate")
EMPTY_PEM = "-----BEGIN {0}-----\ncanary\n-----END {0}-----\n"


@pytest.fixture(scope="module")
def pair() -> trustme.LeafCert:
    return trustme.CA().issue_cert("localhost")


@pytest.fixture
def folder(tmp_path: Path, pair: trustme.LeafCert) -> Path:
    """Where the file of `loaded` lies, with the two that it names."""
    pair.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    tmp_path.joinpath("cert.pem").write_bytes(b"".join(blob.bytes() for blob in pair.cert_chain_pems))
    return tmp_path


def said(found: tuple[Problem, ...]) -> list[tuple[str, str]]:
    """Key, and how the sentence goes on."""
    assert all(problem.hint and problem.where for problem in found)
    assert "canary" not in repr(found)
    return [(problem.key, problem.what.removeprefix(f"`{problem.key}` ")) for problem in found]


def test_a_pair_in_one_folder_is_fine(loaded: Loading, folder: Path) -> None:
    """configuration.md: relative to the file; links are followed, as a mounted secret has them."""
    assert loaded(FILE, DOOR).require(DOOR).tls is not None
    folder.joinpath("data").mkdir()
    for name in ("cert.pem", "key.pem"):
        folder.joinpath(name).rename(folder / "data" / name)
        folder.joinpath(name).symlink_to(folder / "data" / name)
    loaded(FILE, DOOR)


@pytest.mark.parametrize("name", ["cert.pem", "key.pem"])
@pytest.mark.parametrize(
    "content",
    ["", "canary", EMPTY_PEM.format("CERTIFICATE"), EMPTY_PEM.format("PRIVATE KEY")],
    ids=["empty", "text", "certificate", "key"],
)
def test_a_file_that_holds_something_else_is_refused(problems: Refusing, folder: Path, name: str, content: str) -> None:
    """configuration.md: what, where, hint; nothing of the content is shown."""
    folder.joinpath(name).write_text(content)
    empty = ("door.tls.key", "names an empty file")
    expected = NO_CERTIFICATE if name == "cert.pem" else NO_KEY if content else empty
    assert said(problems(FILE, DOOR)) == [expected]


def test_a_key_of_another_certificate_is_refused(problems: Refusing, folder: Path) -> None:
    """ours: Envoy would refuse the listener."""
    trustme.CA().issue_cert("localhost").private_key_pem.write_to_path(str(folder / "key.pem"))
    assert said(problems(FILE, DOOR)) == [("door.tls.key", "leads to a key that is not the certificate's")]
    other = trustme.CA().issue_cert("localhost", key_type=trustme.KeyType.RSA)
    other.private_key_pem.write_to_path(str(folder / "key.pem"))
    assert said(problems(FILE, DOOR)) == [("door.tls.key", "leads to a key that is not the certificate's")]


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_its_password(
    problems: Refusing, folder: Path, form: PrivateFormat
) -> None:
    """ours: OpenSSL would ask at the terminal, and Envoy cannot."""
    key = load_pem_private_key((folder / "key.pem").read_bytes(), None)
    locked = key.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"canary"))
    folder.joinpath("key.pem").write_bytes(locked)
    assert said(problems(FILE, DOOR)) == [("door.tls.key", "leads to an encrypted key")]


def test_a_key_that_openssl_finds_too_weak_is_refused_in_its_words(problems: Refusing, folder: Path) -> None:
    """ours: Envoy's own library is stricter still, and says so at the start."""
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is the point
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    folder.joinpath("cert.pem").write_bytes(made.sign(key, SHA256()).public_bytes(Encoding.PEM))
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    folder.joinpath("key.pem").write_bytes(plain)
    assert said(problems(FILE, DOOR)) == [("door.tls", "is refused by OpenSSL (ee key too small)")]


def test_everything_is_said_at_once(problems: Refusing, folder: Path) -> None:
    """configuration.md: all errors in one run."""
    text = "door: {tls: {certificate: none.pem, key: {file: other/none.pem}}}"
    assert said(problems(text, DOOR)) == [
        ("door.tls.certificate", "names a file that cannot be read (no such file or directory)"),
        ("door.tls.key", "names a file outside the certificate's folder"),
        ("door.tls.key", "names a file that does not exist"),
    ]
    text = "door: {tls: {certificate: ., key: {file: .}}}"
    assert [key for key, _ in said(problems(text, DOOR))] == ["door.tls.certificate", "door.tls.key"]


@pytest.mark.parametrize(
    ("key", "what"),
    [
        ("{env: KEY}", "names an environment variable"),
        ("{file: key.pem, env: KEY}", "names an environment variable"),
        ("{}", "names neither a file nor an environment variable"),
        ("canary", "is a value, but only a reference to a secret may stand here"),
    ],
)
def test_a_key_is_a_file_and_nothing_else(problems: Refusing, folder: Path, key: str, what: str) -> None:
    """configuration.md, `tls`: the key by `file` only."""
    text = f"door: {{tls: {{certificate: cert.pem, key: {key}}}}}"
    assert said(problems(text, DOOR, environ={"KEY": "canary"})) == [("door.tls.key", what)]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_cannot_be_listed_is_refused(problems: Refusing, folder: Path) -> None:
    """ours: its files can be read, and Envoy could not watch it."""
    closed = folder / "closed"
    closed.mkdir()
    for name in ("cert.pem", "key.pem"):
        folder.joinpath(name).rename(closed / name)
    closed.chmod(0o311)
    text = FILE.replace(" cert.pem", " closed/cert.pem").replace(" key.pem", " closed/key.pem")
    try:
        assert said(problems(text, DOOR)) == [
            ("door.tls.certificate", "names a file in a folder that cannot be listed")
        ]
    finally:
        closed.chmod(0o700)


def test_a_process_that_does_not_serve_reads_neither(tmp_path: Path) -> None:
    """ours: a worker that starts while a pair is being replaced must not fail at it."""
    load_bytes(f"version: 1\n{FILE}\n".encode(), [DOOR], {}, origin=tmp_path / "o.yaml", unresolved=["door"])
