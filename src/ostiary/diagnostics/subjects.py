"""Subjects as records hold them: a keyed hash, so that one person's decisions can be found and nobody can be named."""

from __future__ import annotations

import hmac
import os
import secrets
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

KEY_NAME: Final = "subject.key"
KEY_BYTES: Final = 32
_SHOWN_DIGITS: Final = 32
_PREFIX: Final = "hmac:"


class SubjectMask:
    """Replaces subjects by `hmac:` and the first 32 hex digits of an HMAC-SHA-256. Shows nothing of its key."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __repr__(self) -> str:
        return "SubjectMask(…)"

    def name(self, subject: str) -> str:
        """What a record says instead of a subject."""
        digest = hmac.digest(self._key, subject.encode("utf-8", "surrogatepass"), "sha256")
        return _PREFIX + digest.hex()[:_SHOWN_DIGITS]


def load_subject_key(data_dir: Path | None) -> bytes:
    """The key in `data_dir`, made on first use; without a folder one for this process alone.

    Raises:
        OSError: the folder or the key cannot be read or written, or the key is cut off.
    """
    if data_dir is None:
        return secrets.token_bytes(KEY_BYTES)
    path = data_dir / KEY_NAME
    if not path.exists():
        _make(path)
    key = path.read_bytes()
    if len(key) < KEY_BYTES:
        raise OSError(f"{path} is shorter than {KEY_BYTES} bytes")
    return key


def _make(path: Path) -> None:
    """Whole or not at all, and the first of two wins: a link does not replace what is there."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()
