"""The way of a record from its door to the writer: one datagram each."""

from __future__ import annotations

import select
import socket
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

SOCKET_NAME: Final = "records.sock"
# Linux holds some ten datagrams for a reader (net.unix.max_dgram_qlen): a burst is longer, the reader is quick.
_PATIENCE_SECONDS: Final = 0.2


class Outlet:
    """Sends to `data_dir/records.sock`. For one thread, off the request path: it waits a little for a busy reader."""

    __slots__ = ("_path", "_peer", "_stalled")

    def __init__(self, data_dir: Path) -> None:
        self._path = str(data_dir / SOCKET_NAME)
        self._peer: socket.socket | None = None
        self._stalled = False

    def offer(self, data: bytes) -> bool:
        """Send one datagram; False: nobody reads there, or nobody in time."""
        deadline = time.monotonic() + (0 if self._stalled else _PATIENCE_SECONDS)
        while (peer := self._peer or self._connect()) is not None:
            try:
                peer.send(data)
            except BlockingIOError:
                left = deadline - time.monotonic()
                if left <= 0 or not _is_writable(peer, left):
                    self._stalled = True
                    return False
            except OSError:  # the reader has gone; perhaps another is there
                self.close()
            else:
                self._stalled = False
                return True
        return False

    def close(self) -> None:
        """Close the socket; the next record opens another."""
        if self._peer is not None:
            self._peer.close()
            self._peer = None

    def _connect(self) -> socket.socket | None:
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        peer.settimeout(0)
        try:
            peer.connect(self._path)
        except OSError:
            peer.close()
            return None
        self._peer = peer
        return peer


def _is_writable(peer: socket.socket, seconds: float) -> bool:
    ready = select.poll()
    ready.register(peer, select.POLLOUT)
    return bool(ready.poll(seconds * 1000))
