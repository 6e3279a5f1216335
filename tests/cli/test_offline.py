"""The commands that ask nobody: what they print, and how they end."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator, ValidationError  # type: ignore[import-untyped]  # it ships no types
from ruamel.yaml import YAML

from ostiary.cli import run
from ostiary.decision.reasons import Reason

if TYPE_CHECKING:
    from pathlib import Path

FILE = """\
version: 1
gateway: {public_url: "https://bkapi.example.com"}
operator: {token: {env: OPERATOR}}
authorization_servers:
  corp: {kind: rfc7662, issuer: "https://op.example.com", client_id: gw, client_secret: {env: SECRET}}
routes:
  - name: billing
    gateway: my-gateway
    resource: my-api
    match: {path: /my-gateway/prod/billing, methods: [GET, POST]}
    upstream: http://127.0.0.1:9001
    authorization_server: corp
    scopes: [bills.read]
"""
ENVIRON = {"OPERATOR": "o" * 32, "SECRET": "canary-secret"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "ostiary.yaml"
    path.write_text(FILE, encoding="utf-8")
    return path


def test_a_valid_file_is_said_to_be_valid(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`configuration.md`: exit 0 or 2."""
    assert run(["check", "-c", str(file)], ENVIRON) == 0
    assert capsys.readouterr().out == f"{file} is valid: 1 route.\n"
    assert run(["check", "-c", str(file), "--json"], ENVIRON) == 0
    assert json.loads(capsys.readouterr().out)["routes"] == 1


def test_all_that_is_wrong_is_said_at_once_with_place_and_hint(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`configuration.md`: what, where, hint; exit 2; secrets are never shown."""
    broken = FILE.replace("corp\n", "nobody\n").replace("{env: OPERATOR}", "literal-canary").replace("GET", "get")
    file.write_text(broken, encoding="utf-8")
    assert run(["check", "-c", str(file)], ENVIRON) == 2
    said = capsys.readouterr().err
    assert said.count("hint:") == 2, "the route's errors of shape; of meaning only where its section is valid"
    assert f"{file}:3:" in said
    assert "canary" not in said
    assert run(["check", "-c", str(file), "--json"], ENVIRON) == 2
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert [problem["key"] for problem in problems] == ["operator.token", "routes[0].match.methods[0]"]
    assert all(problem["line"] and problem["hint"] for problem in problems)
    assert [problem["failure_class"] for problem in problems] == ["config.secret.direct_value_forbidden", None]


@pytest.mark.parametrize("command", [["check"], ["routes"], ["decide", "--path", "/"], ["explain", "x"]])
def test_every_command_that_prints_json_prints_the_problems_of_the_file_so(
    tmp_path: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Ours: a script reads one shape."""
    path = tmp_path / "ostiary.yaml"
    path.write_text("version: 1\n", encoding="utf-8")
    assert run([*command, "-c", str(path), "--json"], {}) == 2
    said = capsys.readouterr()
    assert said.err == ""
    found = json.loads(said.out)
    (problem,) = found["problems"]
    assert (found["valid"], problem["line"], problem["key"]) == (False, 1, "gateway")
    assert set(problem) == {"file", "line", "column", "key", "what", "hint", "failure_class"}


@pytest.mark.parametrize("command", [["check"], ["routes"], ["decide", "--path", "/"], ["explain", "x"], ["serve"]])
def test_a_file_without_a_gateway_is_refused_with_a_sentence(
    tmp_path: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """`configuration.md`: every error says what, where and a hint; exit 2."""
    path = tmp_path / "ostiary.yaml"
    path.write_text("version: 1\n", encoding="utf-8")
    assert run([*command, "-c", str(path)], {}) == 2
    assert capsys.readouterr().err.startswith(f"{path}:1:1: `gateway` is missing\n  hint: ")


def test_a_body_is_refused_until_bodies_are_judged(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`configuration.md`: a part that is not built is refused as "not in this version", never ignored."""
    command = ["decide", "-c", str(file), "--path", "/", "--body", "@body.json"]
    assert run(command, ENVIRON) == 2
    assert capsys.readouterr().err.startswith("error: --body is not in this version\nhint: ")
    assert run([*command, "--json"], ENVIRON) == 2
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert (problem["what"], problem["file"]) == ("--body is not in this version", None)


def test_a_refused_path_is_judged_now(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ours: a dry run has a time as any decision has."""
    assert run(["decide", "-c", str(file), "--path", "/a%2fb", "--json"], ENVIRON) == 1
    assert json.loads(capsys.readouterr().out)["time"] > 1.7e9


def test_a_file_that_is_not_there_is_said_with_a_hint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ours: errors have a next step."""
    for command in (["check"], ["routes"], ["serve"], ["explain", "x"]):
        assert run([*command, "-c", str(tmp_path / "none.yaml")], {}) == 2
        assert "hint:" in capsys.readouterr().err


def test_the_schema_fits_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    """`configuration.md`: editors use it."""
    assert run(["schema"], {}) == 0
    schema = json.loads(capsys.readouterr().out)
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(YAML(typ="safe").load(FILE))
    with pytest.raises(ValidationError):
        Draft202012Validator(schema).validate(YAML(typ="safe").load(FILE + "colour: red\n"))


def test_routes_are_shown_as_a_table_and_as_json(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`configuration.md`: reference material from the code itself."""
    assert run(["routes", "-c", str(file)], ENVIRON) == 0
    assert capsys.readouterr().out.splitlines()[1].split("\t") == [
        "billing",
        "GET,POST /my-gateway/prod/billing",
        "my-gateway/my-api",
        "app, user, bills.read",
        "corp",
    ]
    assert run(["routes", "-c", str(file), "--json"], ENVIRON) == 0
    (route,) = json.loads(capsys.readouterr().out)
    assert (route["name"], route["methods"], route["scopes"]) == ("billing", ["GET", "POST"], ["bills.read"])


def test_every_reason_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """`configuration.md`: reference material from the code itself."""
    assert run(["reasons", "--json"], {}) == 0
    assert [row["reason"] for row in json.loads(capsys.readouterr().out)] == list(Reason)
    assert run(["reasons"], {}) == 0
    shown = capsys.readouterr().out
    rows = [line.split("\t") for line in shown.splitlines()]
    assert rows[0] == ["REASON", "STATUS", "MEANING"]
    assert [row[0] for row in rows[1:]] == list(Reason)


def test_a_new_secret_is_strong_private_and_not_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`configuration.md`: a strong random secret into a 0600 file."""
    path = tmp_path / "secret"
    assert run(["secret", "new", str(path)], {}) == 0
    secret = path.read_text(encoding="ascii").strip()
    assert len(secret) >= 43
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    said = capsys.readouterr().out
    assert secret not in said
    assert said.startswith(f"{path} holds a new secret.\n")
    assert f"file: {path}" not in said, "a path that is relative here is relative to another folder there"


def test_a_secret_is_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ours: bad input loses nothing."""
    path = tmp_path / "secret"
    path.write_text("old", encoding="ascii")
    assert run(["secret", "new", str(path)], {}) == 2
    assert path.read_text(encoding="ascii") == "old"
    assert "hint:" in capsys.readouterr().err


def test_a_command_that_does_not_exist_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    """Ours: usage errors are 2 everywhere."""
    assert run(["render"], {}) == 2
    assert capsys.readouterr().err


def test_help_names_every_command_but_the_worker(capsys: pytest.CaptureFixture[str]) -> None:
    """Ours: --help worth reading."""
    assert run(["--help"], {}) == 0
    shown = capsys.readouterr().out
    for command in ("demo", "serve", "check", "decide", "explain", "routes", "reasons", "schema", "secret"):
        assert command in shown
    assert "worker" not in shown


@pytest.mark.parametrize(("role", "said"), [("jobs", "not in this version"), ("kitchen", "no role")])
def test_a_role_that_is_not_there_is_refused(
    file: Path, role: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ours: the role `console` and the other parts come later."""
    assert run(["serve", role, "-c", str(file)], ENVIRON) == 2
    assert said in capsys.readouterr().err
