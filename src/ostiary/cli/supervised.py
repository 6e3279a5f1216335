"""What a service manager wants to hear of us: that we serve (sd_notify(3))."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ostiary.cli.ending import Environ


def notify_ready(environ: Environ) -> None:
    """Say that we serve, to whoever left an address for it in `NOTIFY_SOCKET`; one that is none is passed over."""
    address = environ.get("NOTIFY_SOCKET", "")
    if address.startswith(("/", "@")):
        with suppress(OSError, ValueError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.settimeout(1)
            manager.connect("\0" + address[1:] if address.startswith("@") else address)
            manager.send(b"READY=1")
