"""What `decide` shows of a person: as little as the decision log does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.e2e.authority import Authority, active, says

from ostiary.cli import run
from ostiary.devserver import serve
from ostiary.diagnostics.subjects import KEY_NAME, SubjectMask, load_subject_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "a-token-canary-0123456789"
ENVIRON = {"OPERATOR": "o" * 32, "SECRET": "s"}


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "ostiary.yaml"
    with serve(Authority({TOKEN: says(active())})) as url:
        path.write_text(
            f"""\
version: 1
data_dir: var
gateway: {{public_url: "https://bkapi.example.com"}}
operator: {{token: {{env: OPERATOR}}}}
authorization_servers:
  corp:
    kind: rfc7662
    issuer: "{url}"
    introspection_endpoint: "{url}/introspect"
    client_id: gw
    client_secret: {{env: SECRET}}
routes:
  - name: billing
    gateway: my-gateway
    resource: my-api
    match: {{path: /billing}}
    upstream: http://127.0.0.1:9001
    authorization_server: corp
""",
            encoding="utf-8",
        )
        yield path


def subject(file: Path, capsys: pytest.CaptureFixture[str]) -> str:
    arguments = ["decide", "-c", str(file), "--path", "/billing", "--header", f"Authorization: Bearer {TOKEN}"]
    assert run([*arguments, "--json"], ENVIRON) == 0
    return str(json.loads(capsys.readouterr().out)["subject"])


def test_a_subject_has_the_name_that_the_decision_log_has_for_it(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`operator.md`: hashed unless `show_subjects`; a dry run leaves nothing behind."""
    shown = subject(file, capsys)
    assert shown.startswith("hmac:")
    assert subject(file, capsys) != shown
    assert not (file.parent / "var").exists()
    (file.parent / "var").mkdir()
    key = load_subject_key(file.parent / "var")
    assert subject(file, capsys) == SubjectMask(key).name("alice")
    (file.parent / "var" / KEY_NAME).write_bytes(b"short")
    assert subject(file, capsys).startswith("hmac:")
    file.write_text("decision_log: {show_subjects: true}\n" + file.read_text(), encoding="utf-8")
    assert subject(file, capsys) == "alice"
