"""Files in `data_dir`: private, replaced by renaming, locked by one supervisor."""

from __future__ import annotations

import fcntl
import os
import re
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from ostiary.gateway.faults import StartFault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PRIVATE_DIRECTORY: Final = 0o700
_PRIVATE_FILE: Final = 0o600
_OTHERS: Final = 0o077
# Rendered files, and copies of the configuration; with what a replacement is called until it is in its place.
_WRITTEN: Final = re.compile(r"((bootstrap|cds|lds|rds|sds)\.json|[0-9]+\.yaml)(\.(new|old|tmp))?")


def claim(directory: Path, marker: str) -> None:
    """Make a private directory for good, or find the one that was made: `marker` lies in it.

    Raises:
        StartFault: see `make_private`; or others look into it, and it is in use for something else.
    """
    with suppress(OSError):  # it is not there yet, or cannot be used: that is said below
        if directory.stat().st_mode & _OTHERS and any(directory.iterdir()) and not (directory / marker).exists():
            raise StartFault(
                f"{directory} is open to others and not empty: choose a `data_dir` of its own, or `chmod 700` this one"
            )
    make_private(directory)


def make_private(directory: Path) -> None:
    """Make a directory, and it nobody else's.

    Raises:
        StartFault: it cannot be made, or is somebody else's.
    """
    try:
        directory.mkdir(mode=_PRIVATE_DIRECTORY, parents=True, exist_ok=True)
        directory.chmod(_PRIVATE_DIRECTORY)
    except OSError as error:
        raise StartFault(f"{directory} cannot be used: {error.strerror}") from None


def make_anew(directory: Path) -> None:
    """Make a private directory without what an earlier run wrote there; nothing else is ever deleted.

    Raises:
        StartFault: see `make_private`.
    """
    make_private(directory)
    for path in directory.iterdir():
        if _WRITTEN.fullmatch(path.name) and path.is_file():
            path.unlink()


def replace(path: Path, content: bytes) -> None:
    """Write a file as a whole or not at all. Envoy notices renames, and nothing else."""
    write_private(beside := path.with_name(path.name + ".tmp"), content)
    beside.replace(path)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that nobody else may read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _PRIVATE_FILE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a lock while the block runs. It is the kernel's, so it ends with the process, however that ends.

    Raises:
        StartFault: another process holds it.
    """
    # A second Envoy on the same files would take the first one's admin socket over without a word.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE_FILE)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StartFault(f"already running: another process holds {path}") from None
        yield
    finally:
        os.close(descriptor)
