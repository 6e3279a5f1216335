"""The edge as an operator configures it: TLS and trusted proxies, from the file to the record, and away again."""

from __future__ import annotations

import json
import signal
import ssl
import time
from contextlib import closing
from http.client import HTTPConnection, HTTPSConnection
from typing import TYPE_CHECKING, Final

import trustme
from tests.authorities.peer import rfc7662
from tests.decision_row import PUBLIC_URL
from tests.e2e.serving import serving, write

from ostiary.diagnostics.decision_log import read_decision
from ostiary.diagnostics.record import DecisionRecord
from ostiary.diagnostics.settings import DATABASE_NAME

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.serving import Served

    from ostiary.oauth.json import JsonValue

CLIENT: Final = "203.0.113.7"
ENVIRON: Final = {"OPERATOR": "o" * 40, "SECRET": "s" * 40}
TLS: Final[dict[str, JsonValue]] = {"certificate": "tls/cert.pem", "key": {"file": "tls/key.pem"}}
SECONDS: Final = 10.0


def members(**gateway: JsonValue) -> dict[str, JsonValue]:
    """A gateway whose authorization server is never asked."""
    return {
        "gateway": {"public_url": PUBLIC_URL, **gateway},
        "authorization_servers": {"corp": rfc7662("https://op.example.com")},
        "routes": [
            {
                "name": "api",
                "gateway": "my-gateway",
                "resource": "my-api",
                "match": {"path": "/api"},
                "upstream": "http://127.0.0.1:9",
                "authorization_server": "corp",
            }
        ],
    }


def change(served: Served, **gateway: JsonValue) -> None:
    """Have the file say something else, and have it read."""
    whole = json.loads(served.file.read_bytes())
    kept = {key: whole["gateway"][key] for key in ("listen", "public_url")}
    served.file.write_text(json.dumps(whole | {"gateway": kept | gateway}))
    served.process.send_signal(signal.SIGHUP)


def peer(served: Served, connection: HTTPConnection, path: str) -> str:
    """Whom the record of a refusal names."""
    with closing(connection):
        connection.request("GET", path, headers={"X-Forwarded-For": f"1.1.1.1, {CLIENT}"})
        reference = connection.getresponse().headers["X-Request-ID"]
    found = read_decision(f"sqlite:///{served.data_dir / DATABASE_NAME}", reference, wait_seconds=SECONDS)
    assert isinstance(found, DecisionRecord)
    return found.peer


def test_tls_and_trusted_proxies_come_and_go_with_the_file(tmp_path: Path) -> None:
    """configuration.md: both change the listener, and the reload says so; what is not valid changes nothing."""
    authority, folder = trustme.CA(), tmp_path / "tls"
    folder.mkdir()
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(str(folder / "key.pem"))
    folder.joinpath("cert.pem").write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    file = write(tmp_path, members(tls=TLS, trusted_proxies=["127.0.0.0/8"]))
    with serving(file, ENVIRON, level="info") as served:
        for path in ("/api", "/nowhere"):
            secure = HTTPSConnection("127.0.0.1", served.port, timeout=SECONDS, context=context)
            assert peer(served, secure, path) == CLIENT
        assert served.stderr.wait_for(f"https://127.0.0.1:{served.port}".encode())

        change(served, tls={**TLS, "key": {"file": "tls/none.pem"}}, trusted_proxies=["10.0.0.1/8"])
        assert served.stderr.wait_for(b"not reloaded")
        change(served)
        assert served.stderr.wait_for(b'"reloaded"')
        said = [json.loads(line) for line in served.stderr.lines if b"reloaded" in line]
        assert [said[0]["why"].count(key) for key in ("gateway.trusted_proxies[0]", "tls/none.pem")] == [1, 0]
        assert said[1]["notes"] == ["the listener changed: open connections are drained, streams end within 60 s"]
        until = time.monotonic() + SECONDS
        while (found := plain_peer(served)) is None:
            assert time.monotonic() < until
        assert found == "127.0.0.1"


def plain_peer(served: Served) -> str | None:
    """The same in the clear; None while nobody listens so."""
    try:
        return peer(served, HTTPConnection("127.0.0.1", served.port, timeout=SECONDS), "/api")
    except (ConnectionError, ssl.SSLError):
        return None
