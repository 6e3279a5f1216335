"""Secret references: where they lead, and that nothing shows what they hold."""

from __future__ import annotations

import copy
import os
import pickle
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ostiary.config import (
    ConfigurationError,
    RootSettings,
    Secret,
    SecretFailure,
    SecretReference,
    Section,
    Settings,
    StrongSecretReference,
    Table,
    Unresolved,
    load_bytes,
    resolve,
)
from ostiary.config.secrets import MAXIMUM_SECRET_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostiary.config import Configuration, Problem

    Loading = Callable[..., Configuration]
    Refusing = Callable[..., tuple[Problem, ...]]

CANARY = "hunter2hunter2hunter2"


class Vault(Settings):
    key: SecretReference | None = None
    strong: StrongSecretReference | None = None
    several: tuple[SecretReference, ...] = ()
    named: Table[SecretReference] | None = None


class Vaults(RootSettings[Table[Vault]]):
    pass


VAULTS = Section(name="vaults", model=Vaults)


def failure(reference: SecretReference, base_dir: Path, **environ: str) -> SecretFailure | str:
    found = resolve(reference, base_dir, environ)
    return found.failure_class if isinstance(found, Unresolved) else found.reveal()


def test_a_file_is_read_without_its_last_newline(tmp_path: Path) -> None:
    """Configuration contract: one trailing newline is removed."""
    contents = {
        b"a": "a",
        b"a\n": "a",
        b"a\n\n": "a\n",
        b"a\r\n": "a",
        b"\na": "\na",
        b" a ": " a ",
        "ä\n".encode(): "ä",
    }
    for content, secret in contents.items():
        (tmp_path / "s").write_bytes(content)
        assert failure(SecretReference(file="s"), tmp_path) == secret


def test_a_relative_path_begins_at_the_base_and_an_absolute_one_does_not(tmp_path: Path) -> None:
    """Configuration contract: relative paths are relative to the file."""
    (tmp_path / "inner").mkdir()
    (tmp_path / "s").write_text("outer")
    (tmp_path / "inner" / "s").write_text("inner")
    assert failure(SecretReference(file="s"), tmp_path / "inner") == "inner"
    assert failure(SecretReference(file="../s"), tmp_path / "inner") == "outer"
    assert failure(SecretReference(file=str(tmp_path / "s")), tmp_path / "inner") == "outer"


def test_a_variable_is_read_as_it_is(tmp_path: Path) -> None:
    """Configuration contract."""
    assert failure(SecretReference(env="NAME"), tmp_path, NAME="a\n") == "a\n"


def test_the_file_wins_over_the_variable(tmp_path: Path) -> None:
    """Configuration contract: file wins over env."""
    (tmp_path / "s").write_text("from the file")
    assert failure(SecretReference(file="s", env="NAME"), tmp_path, NAME="x") == "from the file"


@pytest.mark.parametrize(
    ("make", "failure_class"),
    [
        (lambda _: None, SecretFailure.FILE_MISSING),
        (lambda path: path.mkdir(), SecretFailure.FILE_UNREADABLE),
        (os.mkfifo, SecretFailure.FILE_UNREADABLE),
        (lambda path: path.symlink_to(path), SecretFailure.FILE_UNREADABLE),
        (lambda path: path.write_bytes(b"x" * (MAXIMUM_SECRET_BYTES + 1)), SecretFailure.FILE_UNREADABLE),
        (lambda path: path.write_bytes(b""), SecretFailure.FILE_EMPTY),
        (lambda path: path.write_bytes(b"\n"), SecretFailure.FILE_EMPTY),
        (lambda path: path.write_bytes(b" \n"), SecretFailure.BLANK),
        (lambda path: path.write_bytes(b"\xff"), SecretFailure.NOT_TEXT),
    ],
)
def test_a_named_file_that_cannot_be_used_is_an_error_even_if_the_variable_is_set(
    tmp_path: Path, make: Callable[[Path], None], failure_class: SecretFailure
) -> None:
    """Configuration contract: there is no fall-through."""
    make(tmp_path / "s")
    assert failure(SecretReference(file="s", env="NAME"), tmp_path, NAME="x") is failure_class


def test_a_path_that_no_file_can_have_is_unreadable(tmp_path: Path) -> None:
    """Ours: the system refuses it as it refuses a file without permission."""
    assert failure(SecretReference(file="x" * 5000), tmp_path) is SecretFailure.FILE_UNREADABLE
    (tmp_path / "s").write_text("x")
    assert failure(SecretReference(file="s/t"), tmp_path) is SecretFailure.FILE_UNREADABLE


def test_a_variable_that_is_missing_or_blank_is_an_error(tmp_path: Path) -> None:
    """Configuration contract."""
    assert failure(SecretReference(env="NAME"), tmp_path) is SecretFailure.ENV_REF_MISSING
    assert failure(SecretReference(env="NAME"), tmp_path, NAME="") is SecretFailure.BLANK
    assert failure(SecretReference(env="NAME"), tmp_path, NAME=" \t\n") is SecretFailure.BLANK
    assert failure(SecretReference(env="NAME"), tmp_path, NAME="\udcff") is SecretFailure.NOT_TEXT


def test_a_secret_that_we_sign_with_has_32_bytes(tmp_path: Path) -> None:
    """Configuration contract: secrets we verify or sign with under 32 bytes are refused."""
    assert failure(StrongSecretReference(env="NAME"), tmp_path, NAME="x" * 31) is SecretFailure.TOO_SHORT
    assert failure(StrongSecretReference(env="NAME"), tmp_path, NAME="x" * 32) == "x" * 32
    assert failure(StrongSecretReference(env="NAME"), tmp_path, NAME="ä" * 16) == "ä" * 16
    assert failure(SecretReference(env="NAME"), tmp_path, NAME="x") == "x"
    found = resolve(SecretReference(env="NAME"), tmp_path, {"NAME": "x" * 31}, minimum_bytes=32)
    assert isinstance(found, Unresolved)


def test_a_secret_shows_nothing_of_itself() -> None:
    """Conventions: never in a log, a repr or an exception."""
    secret = Secret(CANARY)
    for shown in (repr(secret), str(secret), f"{secret}", repr([secret]), repr(dir(secret))):
        assert CANARY not in shown
    assert secret.reveal() == CANARY
    assert secret == secret  # noqa: PLR0124 (identity is what equality means here)
    assert secret != Secret(CANARY)
    for write in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="not written"):
            write(secret)
    with pytest.raises(AttributeError, match="does not change"):
        secret._value = ""


def test_a_model_made_by_hand_does_not_show_a_literal() -> None:
    """Conventions: never in an exception."""
    with pytest.raises(ValidationError) as caught:
        SecretReference.model_validate(CANARY)
    assert CANARY not in str(caught.value)


def test_the_file_resolves_every_reference_and_keeps_the_secrets_apart(tmp_path: Path, loaded: Loading) -> None:
    """Conventions: resolved once per generation, never in a repr."""
    (tmp_path / "s").write_text(CANARY * 2)
    file = loaded(
        "vaults: {a.b: {key: {file: s}, several: [{file: s}, {env: E}], named: {x: {env: E}}}, c: {strong: {file: s}}}",
        VAULTS,
        environ={"E": CANARY},
    )
    assert {path: secret.reveal() for path, secret in file.secrets.items()} == {
        ("vaults", "a.b", "key"): CANARY * 2,
        ("vaults", "a.b", "several", 0): CANARY * 2,
        ("vaults", "a.b", "several", 1): CANARY,
        ("vaults", "a.b", "named", "x"): CANARY,
        ("vaults", "c", "strong"): CANARY * 2,
    }
    assert file.secret("vaults", "c", "strong").reveal() == CANARY * 2
    for shown in (repr(file), str(file.secrets), repr(file.require(VAULTS)), file.require(VAULTS).model_dump_json()):
        assert CANARY not in shown


def test_every_failure_comes_at_once_with_its_class_and_place(tmp_path: Path, problems: Refusing) -> None:
    """Configuration contract: messages name the key, never the value; all errors come in one run."""
    (tmp_path / "empty").touch()
    found = problems(
        f"vaults:\n  a:\n    key: {{file: {CANARY}, env: E}}\n    strong: {{env: E}}\n"
        "    several:\n    - {file: empty}\n"
        f"    - {{env: {CANARY}}}\n    - {{file: .}}\n",
        VAULTS,
        environ={"E": CANARY},
    )
    told = [(str(problem.where).rpartition("/")[2], problem.key, problem.failure_class) for problem in found]
    assert told == [
        ("ostiary.yaml:4:10", "vaults.a.key", "config.secret.file_missing"),
        ("ostiary.yaml:5:13", "vaults.a.strong", "config.secret.too_short"),
        ("ostiary.yaml:7:7", "vaults.a.several[0]", "config.secret.file_empty"),
        ("ostiary.yaml:8:7", "vaults.a.several[1]", "config.secret.env_ref_missing"),
        ("ostiary.yaml:9:7", "vaults.a.several[2]", "config.secret.file_unreadable"),
    ]
    assert CANARY not in "".join(map(str, found))
    assert "[config.secret.file_missing]" in str(found[0])


@pytest.mark.parametrize(
    "literal", [CANARY, "12345678", "true", "''", f"[{CANARY}]", f'"{CANARY}"', f"|\n      {CANARY}"]
)
def test_a_literal_secret_is_refused(problems: Refusing, literal: str) -> None:
    """Configuration contract: a literal secret is refused."""
    (problem,) = problems(f"vaults:\n  a:\n    key: {literal}\n", VAULTS)
    assert problem.failure_class == "config.secret.direct_value_forbidden"
    assert problem.key == "vaults.a.key"
    assert CANARY not in str(problem)


@pytest.mark.parametrize(
    "written",
    [
        f"{{{CANARY}}}",
        f"{{value: {CANARY}}}",
        f"{{file: x, {CANARY}: y}}",
        f"{{{CANARY}: x, {CANARY}: y}}",
        f"{{{CANARY}: &a x}}",
        f"{{{CANARY}: *a}}",
        f"{{{CANARY}: !!str x}}",
        f"{{{CANARY}: {{{CANARY}: 99999999999999999999}}}}",
        f"{{&{CANARY} file: x}}",
        f"!{CANARY} x",
        f"!<{CANARY}> x",
        f"!{CANARY}!x x",
        f"&{CANARY} x",
        f"*{CANARY}",
        f"{{file: {{{CANARY}: 1}}}}",
        f"{{file: [{CANARY}]}}",
        f"{{env: 1{CANARY}}}",
        f"{{env: '{CANARY} '}}",
        "{env: ''}",
        "{file: ''}",
        "{file: null, env: null}",
        "{}",
        f"@{CANARY}",
        f"'{CANARY}",
        f"{CANARY}: {CANARY}: {CANARY}",
        f"%{CANARY}",
        f'"\\{CANARY}"',
        f"[{CANARY}",
    ],
)
def test_no_way_of_writing_a_secret_into_the_file_shows_it(tmp_path: Path, written: str) -> None:
    """Configuration contract: messages name the key, never the value."""
    text = f"version: 1\nvaults: {{a: {{key: {written}}}}}\n"
    with pytest.raises(ConfigurationError) as caught:
        load_bytes(text.encode(), [VAULTS], {}, origin=tmp_path / "x.yaml")
    error: BaseException | None = caught.value
    while error is not None:
        assert CANARY not in f"{error} {error!r} {getattr(error, 'problems', '')}"
        error = error.__cause__ or error.__context__


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_no_content_of_a_variable_raises(content: str) -> None:
    """Ours."""
    found = resolve(SecretReference(env="NAME"), Path(), {"NAME": content})
    assert isinstance(found, Unresolved) == (not content.strip())
