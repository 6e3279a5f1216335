"""Become another program that ends when its parent does: `launch.py PARENT_PID PROGRAM [ARGUMENT…]`.

A program of its own, run without the package: code between fork and exec is not safe in a process with threads.
On Linux the kernel sends SIGKILL as soon as the parent's thread that started it is gone; elsewhere nothing does.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1
_DESCRIPTORS = 65_536


def _allow_descriptors() -> None:
    """A connection is one. The soft limit is usually 1,024, for programs that still use select(2)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def main(parent: int, command: list[str]) -> None:
    """Never returns: exec, or an exception."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:  # it ended before the line above
        sys.exit(1)
    os.setpgid(0, 0)  # Ctrl-C is for the supervisor, which drains first
    os.umask(0o077)
    _allow_descriptors()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and exec would hand that on
    os.execvp(command[0], command)  # noqa: S606 - the command line is the supervisor's


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
