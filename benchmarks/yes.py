"""A decision worker that says yes to everything: the least that can stand behind the same Envoy.

The server and its settings are the real worker's; only nobody judges. Started by the gateway, as a worker is.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final

import uvloop

from ostiary.authz.serving import Server, bind
from ostiary.decision.headers import IDENTITY
from ostiary.judge.generations import Drain, Load, Loaded, parse_line, to_line

if TYPE_CHECKING:
    from ostiary.integrations.wire import Receive, Scope, Send

_YES: Final = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-length", b"0"),
        (b"x-ostiary-verdict", b"allow"),
        *((name.encode("ascii"), b"") for name in IDENTITY),
    ],
}
_NO_BODY: Final = {"type": "http.response.body", "body": b""}


async def say_yes(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - the shape of ASGI
    """Every request is allowed."""
    await send(_YES)
    await send(_NO_BODY)


async def run(data_dir: Path, index: int, control: socket.socket) -> None:
    """Serve, and take every generation for loaded, until the supervisor says otherwise or is gone."""
    reader, writer = await asyncio.open_unix_connection(sock=control)
    servers = [Server(say_yes) for _ in range(2)]
    names = ("decision", "metadata")
    serving = [
        asyncio.create_task(server.serve([bind(data_dir / f"{name}-{index}.sock")]))
        for name, server in zip(names, servers, strict=True)
    ]
    for server in servers:
        await server.begun.wait()
    while line := await reader.readline():
        match parse_line(line):
            case Load(number=number):
                writer.write(to_line(Loaded(number=number)))
            case Drain():
                break
            case _:
                pass
    for server in servers:
        server.should_exit = True
    await asyncio.wait(serving)


def main() -> None:
    """Run it, as the gateway asks."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.yes", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--index", type=int, required=True)
    parser.add_argument("--control-fd", type=int, required=True)
    given = parser.parse_args()
    with (
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        socket.socket(fileno=given.control_fd) as control,
    ):
        runner.run(run(given.data_dir, given.index, control))


if __name__ == "__main__":
    main()
