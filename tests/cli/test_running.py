"""The commands that run or ask something real: `serve` as a process, `decide` and `explain` on what it left."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest
from tests.cli.serving import start, wait_serving
from tests.e2e.running import free_ports, request

from ostiary.cli import run
from ostiary.devserver import Client, DevelopmentServer, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENVIRON = {"OPERATOR": "operator-canary-" + "o" * 32, "SECRET": "gate-canary-secret"}
TOKEN = "a-token-canary-0123456789"


@pytest.fixture(scope="module")
def authority() -> Iterator[DevelopmentServer]:
    server = DevelopmentServer([Client(client_id="gw", secret=ENVIRON["SECRET"])])
    with serve(server):
        yield server


@pytest.fixture(scope="module")
def ports() -> tuple[int, int]:
    return free_ports()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, authority: DevelopmentServer, ports: tuple[int, int]) -> Path:
    path = tmp_path_factory.mktemp("c") / "ostiary.yaml"
    path.write_text(
        f"""\
version: 1
gateway: {{listen: "127.0.0.1:{ports[0]}", public_url: "https://bkapi.example.com"}}
operator: {{listen: "127.0.0.1:{ports[1]}", token: {{env: OPERATOR}}}}
authorization_servers:
  corp: {{kind: rfc7662, issuer: "{authority.issuer}", client_id: gw, client_secret: {{env: SECRET}}}}
routes:
  - name: billing
    gateway: my-gateway
    resource: my-api
    match: {{path: /billing}}
    upstream: "http://127.0.0.1:{ports[0]}"
    authorization_server: corp
""",
        encoding="utf-8",
    )
    return path


def test_serve_refuses_admits_reloads_explains_and_ends(
    file: Path, ports: tuple[int, int], authority: DevelopmentServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """`configuration.md`: the role `gateway` as an operator runs it; SIGHUP, SIGTERM, exit 0."""
    process = start(file, ENVIRON)
    try:
        wait_serving(process)
        reply = request(ports[0], "GET", "/billing")
        assert reply.status == 401
        assert run(["explain", reply.reference, "-c", str(file), "--json"], ENVIRON) == 0
        explained = json.loads(capsys.readouterr().out)
        assert (explained["reason"], explained["route"]) == ("credentials-missing", "billing")

        # No file can make the embedded authorization server be believed.
        token = authority.mint(client_id="gw", subject="alice", audience=("gateway:my-gateway/api:my-api",))
        reply = request(ports[0], "GET", "/billing", (("Authorization", b"Bearer " + token.encode()),))
        assert (reply.status, reply.header("retry-after"), reply.header("www-authenticate")) == (503, "1", None)
        assert run(["explain", reply.reference, "-c", str(file)], ENVIRON) == 0
        assert "development" in capsys.readouterr().out

        # Envoy's own refusals have a reference, and an explanation.
        reply = request(ports[0], "GET", "/billing/a%2fb")
        assert reply.status == 400
        assert run(["explain", reply.reference, "-c", str(file)], ENVIRON) == 0
        assert "edge-path" in capsys.readouterr().out

        file.write_text(file.read_text().replace("path: /billing", "path: /invoices"))
        process.send_signal(signal.SIGHUP)
        assert process.stderr is not None
        assert any('"reloaded"' in line for line in process.stderr)
        assert request(ports[0], "GET", "/billing").status == 404
        assert request(ports[0], "GET", "/invoices").status == 401

        file.write_text(file.read_text() + "colour: red\n")
        process.send_signal(signal.SIGHUP)
        assert any("nothing has changed" in line for line in process.stderr)
        assert request(ports[0], "GET", "/invoices").status == 401
        file.write_text(file.read_text().replace("colour: red\n", ""))
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    assert process.returncode == 0
    held = [path for path in (file.parent / "var").rglob("*") if path.is_file()]
    assert held
    for path in held:
        assert b"canary" not in path.read_bytes(), path


def test_a_second_serve_on_the_same_data_dir_is_refused_with_a_sentence(file: Path) -> None:
    """`architecture.md`: each role holds a lock."""
    first = start(file, ENVIRON)
    try:
        wait_serving(first)
        second = start(file, ENVIRON)
        _, said = second.communicate(timeout=20)
        assert second.returncode == 2
        assert said.startswith("error: already running")
    finally:
        first.terminate()
        first.communicate(timeout=20)


def test_an_unknown_reference_ends_with_1(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`configuration.md`: exit 1 if there is none."""
    assert run(["explain", "00000000-0000-4000-8000-000000000000", "-c", str(file)], ENVIRON) == 1
    assert "hint:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--path", "/billing"], 1, "credentials-missing"),
        (["--path", "/nowhere"], 1, "route-unmatched"),
        (["--path", "/a%2fb"], 1, "edge-path"),
        (["--path", "/billing", "--header", "Authorization: Bearer not a token"], 1, "token-format"),
        (["--path", "/billing", "--header", f"Authorization: Bearer {TOKEN}"], 3, "authority-unavailable"),
    ],
)
def test_decide_says_verdict_and_steps_and_ends_by_the_verdict(
    file: Path, arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`configuration.md`: a dry run; exit 0 allow, 1 deny, 3 could not tell."""
    file.write_text(file.read_text().replace("/invoices", "/billing"))
    assert run(["decide", "-c", str(file), *arguments], ENVIRON) == code
    shown = capsys.readouterr().out
    assert said in shown
    assert TOKEN not in shown
    assert run(["decide", "-c", str(file), "--json", *arguments], ENVIRON) == code
    assert json.loads(capsys.readouterr().out)["reason"] == said


def test_decide_reads_headers_from_a_file(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ours: a token in a process list is a token lost."""
    headers = tmp_path / "headers"
    headers.write_text("X-Bkapi-Authorization: {}\n", encoding="ascii")
    assert run(["decide", "-c", str(file), "--path", "/billing", "--header", f"@{headers}"], ENVIRON) == 1
    assert "legacy-not-accepted" in capsys.readouterr().out
    headers.write_bytes(b"Authorization: Bearer a\x85\xff\n")  # a line's end to some, and no UTF-8
    assert run(["decide", "-c", str(file), "--path", "/billing", "--header", f"@{headers}"], ENVIRON) == 1
    assert "token-format" in capsys.readouterr().out
    assert run(["decide", "-c", str(file), "--path", "/billing", "--header", "nonsense"], ENVIRON) == 2
    assert "hint:" in capsys.readouterr().err
