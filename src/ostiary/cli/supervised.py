"""A service manager's two wishes: to be told when we serve (sd_notify(3)), and no surprise before that."""

from __future__ import annotations

import signal
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ostiary.cli.ending import Environ


def be_patient() -> None:
    """Until `serve` has its own handlers: a reload that comes too early is none, and the end is one in peace.

    The default of both ends the process, which for SIGHUP a service manager takes for a wish, and starts nothing again.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


def notify_ready(environ: Environ) -> None:
    """Say that we serve, to whoever left an address for it in `NOTIFY_SOCKET`."""
    address = environ.get("NOTIFY_SOCKET", "")
    if address.startswith(("/", "@")):
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.settimeout(1)
            manager.connect("\0" + address[1:] if address.startswith("@") else address)
            manager.send(b"READY=1")
