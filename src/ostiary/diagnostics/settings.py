"""What the file says about operators: where they look, and what is kept for them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field, JsonValue

from ostiary.config import (
    Complaint,
    Configuration,
    Duration,
    Listen,
    ListenAddress,
    Section,
    Settings,
    StrongSecretReference,
    later,
    within,
)
from ostiary.oauth.credentials import RawToken

if TYPE_CHECKING:
    from collections.abc import Iterable

DATABASE_NAME: Final = "decisions.sqlite"
# On every file system that Linux has; SQLite's own files beside it are called so with `-journal` behind.
_LONGEST_NAME_BYTES: Final = 255 - len("-journal")


class OperatorSettings(Settings):
    """Where operators look: health and metrics, behind one token."""

    listen: Listen = ListenAddress(host="127.0.0.1", port=9180)
    """Where `/healthz`, `/readyz` and `/metrics` are."""
    token: StrongSecretReference
    """What an operator shows as a bearer token; 32 bytes at least."""
    tls: Annotated[JsonValue, later(None)] = None
    """Certificate and key."""


class DecisionLogSettings(Settings):
    """Where records lie, how long, and how many allows are kept."""

    store: Annotated[Literal["sqlite", "postgresql"], later("sqlite")] = "sqlite"
    """The kind of database."""
    url: str | None = Field(default=None, min_length=1)
    """`sqlite:///PATH`. Null: `decisions.sqlite` in `data_dir`."""
    keep: Annotated[Duration, within("1m", "3650d")] = 7 * 86400.0
    """How long a record is kept."""
    rows: int = Field(default=1_000_000, ge=1, le=1_000_000_000)
    """How many records are kept."""
    sample_allows: float = Field(default=0.01, ge=0, le=1)
    """The part of the allows that is recorded; refusals always are."""
    show_subjects: bool = False
    """Subjects stay readable instead of keyed hashes."""


def _check_token(_settings: OperatorSettings, file: Configuration) -> Iterable[Complaint]:
    token = file.secrets.get(("operator", "token"))
    if token is not None and not RawToken(token.reveal()).is_b64token:
        yield Complaint(
            path=("operator", "token"),
            what="leads to a secret that cannot be shown as a bearer token",
            hint="RFC 6750 §2.1: letters, digits and `-._~+/`, then perhaps `=`. `ostiary secret new PATH` writes one.",
        )


def _check_url(settings: DecisionLogSettings, _file: Configuration) -> Iterable[Complaint]:
    path = None if settings.url is None else settings.url.removeprefix("sqlite:///")
    if path is not None and (path in ("", settings.url) or path.startswith(":")):
        yield Complaint(
            path=("decision_log", "url"),
            what="names no SQLite file",
            hint="Write `sqlite:///PATH`, or nothing: the log lies in `data_dir` then. Other stores are not built yet.",
        )
    elif path is not None and not _is_file_name(path.partition("?")[0]):
        yield Complaint(
            path=("decision_log", "url"),
            what="names no file that there can be",
            hint=f"The path ends in the file's name; no name in it is over {_LONGEST_NAME_BYTES} bytes.",
        )


def _is_file_name(path: str) -> bool:
    names = path.split("/")
    return names[-1] not in ("", ".", "..") and all(len(os.fsencode(name)) <= _LONGEST_NAME_BYTES for name in names)


OPERATOR: Final = Section(name="operator", model=OperatorSettings, check=_check_token)
DECISION_LOG: Final = Section(
    name="decision_log", model=DecisionLogSettings, check=_check_url, default=DecisionLogSettings()
)


def decision_log_url(file: Configuration) -> str:
    """The database URL of the decision log, its path absolute."""
    url = file.require(DECISION_LOG).url
    if url is None:
        return f"sqlite:///{file.data_dir.absolute() / DATABASE_NAME}"
    return file.resolve_sqlite_url(url)
