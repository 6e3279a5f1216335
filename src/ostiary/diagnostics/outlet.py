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
SHORT_PATIENCE: Final = 0.2


class Outlet:
    """Sends to `data_dir/records.sock`. For one thread, off the request path.

    Args:
        data_dir: whose writer reads.
        patience: how many seconds a busy reader is waited for. One that has used them up is not waited for again before
            it has read something.
    """

    __slots__ = ("_path", "_patience", "_peer", "_stalled")

    def __init__(self, data_dir: Path, *, patience: float = SHORT_PATIENCE) -> None:
        self._patience = patience
        self._path = str(data_dir / SOCKET_NAME)
        self._peer: socket.socket | None = None
        self._stalled = False

    def offer(self, data: bytes) -> bool:
        """Send one datagram; False: nobody reads there, or nobody in time."""
        began = time.monotonic()
        while (peer := self._peer or self._connect()) is not None:
            try:
                peer.send(data)
            except BlockingIOError:
                left = 0 if self._stalled else began + self._patience - time.monotonic()
                if left <= 0:
                    self._stalled = True
                    return False
                _wait_until_writable(peer, min(left, SHORT_PATIENCE))
            except OSError:  # the reader has gone; perhaps another is there
                self.close()
            else:
                self._stalled = False
                return True
        return False

    def hurry(self) -> None:
        """Be patient no longer, in the middle of `offer` too; from any thread."""
        self._patience = min(self._patience, SHORT_PATIENCE)

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


def _wait_until_writable(peer: socket.socket, seconds: float) -> None:
    ready = select.poll()
    ready.register(peer, select.POLLOUT)
    ready.poll(seconds * 1000)
