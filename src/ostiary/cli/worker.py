"""`ostiary worker`: a decision worker; started by the gateway, never by a person."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ostiary.authz.process import run_worker_process
from ostiary.cli.ending import environ_of
from ostiary.diagnostics.logs import LogLevel


def worker(
    context: typer.Context,
    data_dir: Annotated[Path, typer.Option("--data-dir")],
    index: Annotated[int, typer.Option("--index", min=0)],
    control_fd: Annotated[int, typer.Option("--control-fd", min=0)],
    log_level: Annotated[LogLevel, typer.Option("--log-level")] = LogLevel.INFO,
) -> None:
    """Judge what Envoy asks. Started by `ostiary serve`."""
    raise typer.Exit(
        run_worker_process(
            data_dir=data_dir, index=index, control_fd=control_fd, environ=environ_of(context), log_level=log_level
        )
    )
