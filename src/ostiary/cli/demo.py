"""`ostiary demo`: everything embedded, a tour of real requests, each with its answer and its explanation."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ostiary.cli.ending import JsonOption, fail

_PIPED_COLUMNS = 80


def demo(
    *,
    as_json: JsonOption = False,
    svg: Annotated[
        Path | None, typer.Option("--svg", metavar="FILE", help="Also write the tour as a picture; then end.")
    ] = None,
    tour_only: Annotated[bool, typer.Option("--tour-only", help="End after the tour, at a terminal too.")] = False,
) -> None:
    """Start a gateway on a real Envoy with everything around it, and walk a tour of real requests.

    An authorization server, two APIs, an MCP server and the gateway run on loopback, on free ports. Each request is
    printed with its answer and with what an operator reads of it. At a terminal it keeps serving afterwards; otherwise
    it ends. Exit code 1 if an answer was not the expected one.
    """
    try:
        from ostiary.demo import picture, running  # noqa: PLC0415 - an extra; nothing else needs it
    except ModuleNotFoundError as error:
        fail(f"error: {error.name} is not installed\nhint: pip install 'ostiary[demo]'")
    is_terminal = sys.stdout.isatty()
    console = Console(
        highlight=False,
        width=_PIPED_COLUMNS if svg is not None or not is_terminal else None,
        record=svg is not None,
    )
    serve = is_terminal and not tour_only and svg is None and not as_json
    with tempfile.TemporaryFile("w+", encoding="utf-8") as log:
        walking = running.run_demo(console, serve=serve, as_json=as_json, timed=svg is None, log=log)
        try:
            code = asyncio.run(walking)
        except (KeyboardInterrupt, asyncio.CancelledError):
            code = 130
        if code == 1:
            log.seek(0)
            typer.echo("".join(log.readlines()[-20:]), err=True)
    if svg is not None:
        svg.write_text(picture.to_svg(console), encoding="utf-8")
    raise typer.Exit(code)
