"""Regular files alone: whatever else has a name (a pipe, a device) may have no end, or wait for somebody who writes."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def read_regular(path: Path, most_bytes: int) -> bytes:
    """The bytes of a file, at most so many; whoever wants to know whether there are more asks for one more.

    Raises:
        OSError: it cannot be read, or is no regular file; `strerror` says why.
    """
    # O_NONBLOCK: a FIFO that nobody writes to would hang us.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "not a regular file")
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(most_bytes)
    finally:
        os.close(descriptor)
