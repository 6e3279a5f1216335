"""A secret is only ever a reference: `{file: PATH}`, `{env: NAME}` or both; the file wins and there is no fall-through.

Failure classes are the closed list `SecretFailure`. No message repeats what stands in the file: not even a path or a
variable's name, because a secret may have been written there.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from pydantic import ConfigDict, Field, model_validator

from ostiary.config.files import read_regular
from ostiary.config.settings import Settings, expected, refused
from ostiary.config.shape import REFERENCE_MARK

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

STRONG_BYTES = 32
MAXIMUM_SECRET_BYTES = 1024 * 1024
_KEYS = frozenset({"file", "env"})
_ENVIRONMENT_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
_REFERENCE_HINT = "Write `{file: PATH}` or `{env: NAME}`."


class SecretFailure(StrEnum):
    """Why a secret cannot be had."""

    DIRECT_VALUE_FORBIDDEN = "config.secret.direct_value_forbidden"
    FILE_MISSING = "config.secret.file_missing"
    FILE_UNREADABLE = "config.secret.file_unreadable"
    FILE_EMPTY = "config.secret.file_empty"
    ENV_REF_MISSING = "config.secret.env_ref_missing"
    BLANK = "config.secret.blank"
    NOT_TEXT = "config.secret.not_text"
    TOO_SHORT = "config.secret.too_short"


class Secret:
    """A secret in memory. It prints as `Secret(…)` and equals only itself: contents are compared in constant time.

    No dataclass, so that `asdict` does not unpack it.
    """

    __slots__ = ("_value",)

    _value: str

    def __init__(self, value: str) -> None:
        object.__setattr__(self, "_value", value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a secret does not change")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written anywhere")

    def __repr__(self) -> str:
        return "Secret(…)"

    def reveal(self) -> str:
        """The secret itself. Never into a log, a repr or an exception."""
        return self._value


@dataclass(frozen=True, slots=True, kw_only=True)
class Unresolved:
    """A reference that leads to no usable secret. `what` goes on where the key ends."""

    failure_class: SecretFailure
    what: str
    hint: str


class SecretReference(Settings):
    """Where a secret that was issued to us lies. Refused when empty or blank, however short."""

    model_config = ConfigDict(json_schema_extra={REFERENCE_MARK: True, "minProperties": 1})
    minimum_bytes: ClassVar[int] = 0

    file: str | None = Field(default=None, min_length=1)
    """A file; one line end behind the secret is removed. It wins over `env`, and there is no fall-through."""
    env: str | None = Field(default=None, pattern=_ENVIRONMENT_NAME)
    """An environment variable."""

    @model_validator(mode="before")
    @classmethod
    def _is_a_reference(cls, value: Any) -> Any:
        if isinstance(value, SecretReference):
            return value
        if value is None:
            raise expected("a secret reference", _REFERENCE_HINT)
        if not isinstance(value, dict):
            raise refused(
                "is a value, but only a reference to a secret may stand here",
                f"{_REFERENCE_HINT} Treat the value that stood here as known to others.",
                SecretFailure.DIRECT_VALUE_FORBIDDEN,
            )
        if not value.keys() <= _KEYS:
            # An unknown key is not named: in `{hunter2}` it would be the secret itself.
            raise refused("has a key other than `file` and `env`", _REFERENCE_HINT)
        if value.get("file") is None and value.get("env") is None:
            raise refused("names neither a file nor an environment variable", _REFERENCE_HINT)
        return value


class StrongSecretReference(SecretReference):
    """Where a secret lies that we verify or sign with: under 32 bytes it is refused."""

    minimum_bytes: ClassVar[int] = STRONG_BYTES


def resolve(
    reference: SecretReference, base_dir: Path, environ: Mapping[str, str], minimum_bytes: int | None = None
) -> Secret | Unresolved:
    """Read the secret that a reference names.

    Args:
        reference: what the file says.
        base_dir: where relative paths begin: the folder of the configuration file.
        environ: the environment, handed in.
        minimum_bytes: 0, or 32 where we verify or sign with the secret; the reference's own demand unless given.
    """
    minimum = reference.minimum_bytes if minimum_bytes is None else minimum_bytes
    if reference.file is not None:
        found = _from_file(base_dir / reference.file)
    else:
        found = _from_environment(reference.env or "", environ)
    if isinstance(found, Unresolved):
        return found
    return _judge(found, minimum)


def _judge(text: str, minimum_bytes: int) -> Secret | Unresolved:
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        return _not_text()
    if not text.strip():
        return Unresolved(
            failure_class=SecretFailure.BLANK,
            what="leads to a blank secret",
            hint="Put the secret where the reference points.",
        )
    if length < minimum_bytes:
        return Unresolved(
            failure_class=SecretFailure.TOO_SHORT,
            what=f"leads to a secret under {minimum_bytes} bytes",
            hint="`ostiary secret new PATH` writes a strong one.",
        )
    return Secret(text)


def _from_environment(name: str, environ: Mapping[str, str]) -> str | Unresolved:
    value = environ.get(name)
    if value is None:
        return Unresolved(
            failure_class=SecretFailure.ENV_REF_MISSING,
            what="names an environment variable that is not set",
            hint="Set the variable for this process, or use `file`.",
        )
    return value


def _from_file(path: Path) -> str | Unresolved:
    try:
        content = read_regular(path, MAXIMUM_SECRET_BYTES + 1)
    except FileNotFoundError:
        return Unresolved(
            failure_class=SecretFailure.FILE_MISSING,
            what="names a file that does not exist",
            hint="A relative path begins at the folder of this file; `env` is not asked when `file` is there.",
        )
    except OSError as error:
        return _unreadable(error.strerror or "not readable")
    if len(content) > MAXIMUM_SECRET_BYTES:
        return _unreadable(f"over {MAXIMUM_SECRET_BYTES} bytes")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return _not_text()
    text = text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
    if not text:
        return Unresolved(
            failure_class=SecretFailure.FILE_EMPTY, what="names an empty file", hint="Put the secret into the file."
        )
    return text


def _unreadable(why: str) -> Unresolved:
    return Unresolved(
        failure_class=SecretFailure.FILE_UNREADABLE,
        what=f"names a file that cannot be read ({why.lower()})",
        hint="It must be a regular file that this user may read.",
    )


def _not_text() -> Unresolved:
    return Unresolved(
        failure_class=SecretFailure.NOT_TEXT, what="leads to a secret that is not UTF-8 text", hint="Write it as text."
    )
