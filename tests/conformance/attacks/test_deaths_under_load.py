"""Failing open: what judges is killed or stopped while strangers and good clients ask without a pause.

Every answer is counted. While a worker is gone, the other one judges, and nobody notices; while all are, it is 503;
while Envoy is gone, nobody listens. At no time is a request at the upstream that had not been allowed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections import Counter
from contextlib import contextmanager
from functools import partial
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Final

import pytest
from tests.conformance.attacks.doors import GOOD, UNKNOWN, is_clean, is_judged
from tests.e2e.running import request

from ostiary.gateway.health import is_healthy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tests.conformance.attacks.doors import GatewayDoor

_SECONDS: Final = 20.0
_PAUSE_SECONDS: Final = 0.005  # between two requests of a client: the machine is not what is attacked
_ANSWERS: Final = 20  # until a moment has gone by, in which the supervisor has looked
_LOST: Final = "lost"  # no answer
CLIENTS: Final = {"good": GOOD, "unknown": UNKNOWN, "stranger": None}


class Client(threading.Thread):
    """Asks on one connection after the other until told to stop, and counts what comes."""

    def __init__(self, port: int, name: str, done: threading.Event) -> None:
        super().__init__(name=name)
        self.counted: Counter[int | str] = Counter()
        self._port = port
        self._done = done
        token = CLIENTS[name]
        self._headers = {"X-Client": name} | ({} if token is None else {"Authorization": f"Bearer {token}"})

    def has_had(self, answers: int) -> bool:
        return self.counted.total() >= answers

    def run(self) -> None:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=_SECONDS)
        while not self._done.wait(_PAUSE_SECONDS):
            try:
                connection.request("GET", "/api/load", headers=self._headers)
                response = connection.getresponse()
                response.read()
                self.counted[response.status] += 1
            except (OSError, HTTPException):
                self.counted[_LOST] += 1
                connection.close()
        connection.close()


@contextmanager
def load(port: int) -> Iterator[list[Client]]:
    """Two clients of each kind while the block runs."""
    done = threading.Event()
    clients = [Client(port, name, done) for name in (*CLIENTS, *CLIENTS)]
    for client in clients:
        client.start()
    try:
        yield clients
    finally:
        done.set()
        for client in clients:
            client.join(_SECONDS)


def _until(condition: Callable[[], bool], otherwise: str) -> None:
    give_up = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < give_up, otherwise
        threading.Event().wait(0.01)


def _until_replaced(gateway: GatewayDoor, which: int, pid: int) -> None:
    """Until another process is in its place and all can judge: who has not been seen to answer may still hang."""
    running = gateway.gateway
    pids = running.role.gateway.pids
    _until(lambda: running.role.gateway.pids[which] not in {pid, None}, "nobody took its place")
    _until(lambda: request(running.operator_port, "GET", "/readyz").status == 200, "not ready")
    for index in range(len(pids) - 1):
        socket = running.configuration.data_dir / f"decision-{index}.sock"
        _until(partial(_is_healthy, socket), "a worker does not answer")


def _is_healthy(socket: Path) -> bool:
    return asyncio.run(is_healthy(socket))


def _until_each_was_answered_again(clients: list[Client]) -> None:
    seen = [client.counted.total() for client in clients]
    for client, before in zip(clients, seen, strict=True):
        _until(partial(client.has_had, before + _ANSWERS), "somebody waits for ever")


# Which die, and how → what may come instead of the usual answer.
DEATHS: Final[Mapping[str, tuple[tuple[int, ...], signal.Signals, set[int | str]]]] = {
    "a worker is killed": ((1,), signal.SIGKILL, set()),
    "a worker is stopped": ((1,), signal.SIGSTOP, set()),
    "every worker is killed": ((1, 2), signal.SIGKILL, {503}),
    "Envoy is killed": ((0,), signal.SIGKILL, {_LOST}),
    "Envoy is stopped": ((0,), signal.SIGSTOP, {_LOST}),
}


@pytest.mark.parametrize("name", DEATHS)
def test_nobody_gets_in_while_something_is_dead(gateway: GatewayDoor, name: str) -> None:
    """Attack table; issue: killed with SIGKILL and stopped with SIGSTOP under load, with several workers."""
    places, number, instead = DEATHS[name]
    before = len(gateway.upstream.seen)
    pids = gateway.gateway.role.gateway.pids
    dead = [pid for place in places if (pid := pids[place]) is not None]
    assert len(dead) == len(places)
    with load(gateway.port) as clients:
        _until_each_was_answered_again(clients)
        for pid in dead:
            os.kill(pid, number)
        for place, pid in zip(places, dead, strict=True):
            _until_replaced(gateway, place, pid)
        _until_each_was_answered_again(clients)
    counted = {kind: sum((c.counted for c in clients if c.name == kind), Counter()) for kind in CLIENTS}
    assert {200} <= set(counted["good"]) <= {200, *instead}, counted
    assert {401} <= set(counted["unknown"]) <= {401, *instead}, counted
    assert {401} <= set(counted["stranger"]) <= {401, *instead}, counted
    reached = gateway.upstream.seen[before:]
    assert {value for each in reached for value in each.all("x-client")} == {"good"}
    assert len(reached) >= counted["good"][200] > 0
    for each in reached[-20:]:
        is_judged(gateway, each)
        is_clean(each)
