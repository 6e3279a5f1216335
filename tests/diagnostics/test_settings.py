"""The two sections of the file that operators have."""

from __future__ import annotations

from pathlib import Path

import pytest

from ostiary.config import Configuration, ConfigurationError, load_bytes
from ostiary.diagnostics.settings import DECISION_LOG, OPERATOR, decision_log_url

STRONG = {"OPERATOR": "canary-operator-token-of-36-characters"}


def test_the_defaults_are_those_of_the_contract() -> None:
    """`configuration.md`, the example file."""
    file = read("operator: {token: {env: OPERATOR}}")
    operator, log = file.require(OPERATOR), file.require(DECISION_LOG)

    assert str(operator.listen) == "127.0.0.1:9180"
    assert file.secret("operator", "token").reveal() == STRONG["OPERATOR"]
    assert "canary" not in repr(file)
    assert (log.store, log.url, log.keep, log.rows) == ("sqlite", None, 7 * 86400, 1_000_000)
    assert (log.sample_allows, log.show_subjects) == (0.01, False)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("", "sqlite:////srv/ostiary/var/decisions.sqlite"),
        ("decision_log: {url: 'sqlite:///log/d.sqlite'}", "sqlite:////srv/ostiary/log/d.sqlite"),
        ("decision_log: {url: 'sqlite:////mnt/d.sqlite'}", "sqlite:////mnt/d.sqlite"),
    ],
)
def test_the_log_lies_where_the_file_says(text: str, url: str) -> None:
    """`configuration.md`: relative to the file, four slashes are absolute."""
    assert decision_log_url(read(text)) == url


@pytest.mark.parametrize(
    ("text", "key", "what"),
    [
        ("decision_log: {store: postgresql}", "decision_log.store", "is not in this version"),
        ("decision_log: {url: 'postgresql://h/d'}", "decision_log.url", "names no SQLite file"),
        ("decision_log: {url: 'sqlite:///'}", "decision_log.url", "names no SQLite file"),
        ("decision_log: {url: 'sqlite:///:memory:'}", "decision_log.url", "names no SQLite file"),
        ("decision_log: {url: 'sqlite:////'}", "decision_log.url", "names no file that there can be"),
        ("decision_log: {url: 'sqlite:///a/'}", "decision_log.url", "names no file that there can be"),
        ("decision_log: {url: 'sqlite:///a/..?x=y'}", "decision_log.url", "names no file that there can be"),
        (f"decision_log: {{url: 'sqlite:///{'d' * 256}/d'}}", "decision_log.url", "names no file that there can be"),
        (f"decision_log: {{url: 'sqlite:///{'ä' * 124}'}}", "decision_log.url", "names no file that there can be"),
        ("decision_log: {sample_allows: 1.5}", "decision_log.sample_allows", "must be"),
        ("decision_log: {rows: 0}", "decision_log.rows", "must be"),
        ("decision_log: {keep: 1s}", "decision_log.keep", "must be"),
        ("operator: {token: {env: SHORT}}", "operator.token", "under 32 bytes"),
        ("operator: {token: {env: COMMA}}", "operator.token", "cannot be shown as a bearer token"),
        ("operator: {token: {env: BLANK}}", "operator.token", "cannot be shown as a bearer token"),
        ("operator: {token: {env: UMLAUT}}", "operator.token", "cannot be shown as a bearer token"),
        ("operator: {token: canary-literal-secret-in-the-file-itself}", "operator.token", "only a reference"),
        ("operator: {token: {env: OPERATOR}, tls: {}}", "operator.tls", "is not in this version"),
        ("operator: {}", "operator.token", "missing"),
    ],
)
def test_what_cannot_be_used_is_refused_at_its_key(text: str, key: str, what: str) -> None:
    """`configuration.md`: every error says what and where; a part that is not built is never ignored."""
    with pytest.raises(ConfigurationError) as refused:
        read(text)

    (problem,) = refused.value.problems
    assert problem.key == key
    assert what in problem.what
    assert "canary" not in str(refused.value)


def read(text: str) -> Configuration:
    """The file with these lines."""
    data = f"version: 1\n{text}\n".encode()
    odd = {"COMMA": "canary,", "BLANK": "canary ", "UMLAUT": "canary-ä"}
    environ = STRONG | {"SHORT": "x" * 31} | {name: text + "x" * 32 for name, text in odd.items()}
    return load_bytes(data, (OPERATOR, DECISION_LOG), environ, origin=Path("/srv/ostiary/ostiary.yaml"))
