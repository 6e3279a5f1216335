"""A gateway as a program: `serve_double.py DATA_DIR PORT UPSTREAM_PORT`. Says `ready` and the pids, then serves."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.gateway.doubles import WORKER, routes_to

from ostiary.gateway import Gateway, Plan, StartFault


def _log(level: str, event: str, /, **fields: object) -> None:
    if level == "error":
        print(event, fields, flush=True)  # noqa: T201


async def _main(data_dir: str, port: int, upstream_port: int) -> int:
    gateway = Gateway(
        Plan(listen=("127.0.0.1", port), data_dir=Path(data_dir), routes=routes_to(upstream_port)),
        worker_command=WORKER,
        configuration=b"one",
        origin=Path(data_dir) / "ostiary.yaml",
        on_edge_line=lambda _: None,
        log=_log,
    )
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    try:
        async with gateway:
            print("ready", *gateway.pids, flush=True)  # noqa: T201
            await ended.wait()
    except StartFault as fault:
        print(fault, flush=True)  # noqa: T201
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(_main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
