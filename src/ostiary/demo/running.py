"""The demo as a whole: everything is started, the tour is walked and shown, then it serves or ends."""

from __future__ import annotations

import asyncio
import json
import signal
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.text import Text

from ostiary.demo.asking import NoAnswer
from ostiary.demo.page import ASCII_GLYPHS, GLYPHS, Page
from ostiary.demo.stage import Stage, stage
from ostiary.demo.tour import TOUR
from ostiary.demo.visit import Token
from ostiary.demo.walking import walk
from ostiary.diagnostics.logs import LogLevel, configure_logging
from ostiary.gateway import StartFault

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from rich.console import Console

    from ostiary.demo.visit import Chapter
    from ostiary.demo.visited import Visited

_FAILED = 1


async def run_demo(
    console: Console,
    *,
    serve: bool,
    as_json: bool = False,
    timed: bool = True,
    log: TextIO,
    tour: Sequence[Chapter] = TOUR,
) -> int:
    """Start everything, walk the tour, and serve until told to end if `serve`; the exit code.

    Args:
        console: where the tour is shown.
        serve: whether to keep serving afterwards.
        as_json: one JSON document instead of the page.
        timed: whether durations are shown.
        log: what the processes say meanwhile; the terminal is the tour's.
        tour: what is walked.

    Returns:
        0; 1 if an answer was not the expected one, or something did not start.
    """
    _end_when_told()
    lines = configure_logging(LogLevel.INFO, log)
    page = Page(width=console.width, glyphs=GLYPHS if _is_unicode(console) else ASCII_GLYPHS, timed=timed)
    if not as_json:
        console.print(Text("Starting Envoy, an authorization server, two APIs and an MCP server …", "dim"))
    try:
        async with stage() as ready:
            visited = await _walk(ready, console if not as_json else None, page, tour)
            if as_json:
                console.file.write(json.dumps([_as_json(each) for each in visited]) + "\n")
            if serve:
                await _serve(ready, console)
    except (StartFault, NoAnswer, OSError) as error:
        _raise_if_interrupted(error)
        console.print(Text(f"error: {error}", "bold red"))
        return _FAILED
    finally:
        lines.close()
    return _FAILED if any(each.unexpected for each in visited) else 0


def _end_when_told() -> None:
    """Not by Ctrl-C alone: a closed terminal and a service manager want nothing left behind either."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    if task is not None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, task.cancel)


def _raise_if_interrupted(error: Exception) -> None:
    """Ctrl-C takes everything down at once: what fails meanwhile is its consequence, and no fault of its own."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError from error


async def _walk(ready: Stage, console: Console | None, page: Page, tour: Sequence[Chapter]) -> list[Visited]:
    began = monotonic()
    visited: list[Visited] = []
    if console is not None:
        console.print(page.opening(ready.origin))
    for chapter in tour:
        if console is not None:
            console.print(page.heading(chapter))
        for visit in chapter.visits:
            if console is not None and visit.before is not None:
                console.print(page.incident(visit.before))
            made = await asyncio.to_thread(walk, visit, ready)
            visited.append(made)
            if console is not None:
                console.print(page.visit(made))
    if console is not None:
        console.print(page.closing(visited, monotonic() - began))
    return visited


async def _serve(ready: Stage, console: Console) -> None:
    """Print what to copy, and wait for Ctrl-C."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, ended.set)
    console.print()
    console.print(Text("Still serving. To copy:", "bold"))
    for title, line in _lines(ready):
        console.print(Padding(Text(title, "dim"), (1, 0, 0, 2)))
        console.out("  " + line, highlight=False)  # never wrapped: it is to be copied
    console.print(Text("\nCtrl-C ends it, and leaves nothing behind.", "dim"))
    with suppress(asyncio.CancelledError):
        await ended.wait()


def _lines(ready: Stage) -> tuple[tuple[str, str], ...]:
    orders = f"{ready.origin}/shop/prod/orders"
    good = ready.mint(Token(audience=("gateway:shop/api:*",), fresh="curl"))
    metadata = f"{ready.origin}/.well-known/oauth-protected-resource/shop/prod/orders"
    other = ready.mint(Token(audience=("gateway:warehouse/api:*",), fresh="curl"))
    return (
        ("no credentials: 401, and where to get some", f"curl -i {orders}"),
        ("a good token", f"curl -i {orders} -H 'Authorization: Bearer {good}'"),
        ("a token for another gateway: 403", f"curl -i {orders} -H 'Authorization: Bearer {other}'"),
        ("what the resource says of itself", f"curl {metadata}"),
        ("why? with the X-Request-ID of an answer", f".venv/bin/ostiary explain REFERENCE -c {ready.path}"),
    )


def _as_json(visited: Visited) -> dict[str, object]:
    visit, record = visited.visit, visited.record
    return {
        "title": visit.title,
        "method": visit.method,
        "target": visit.target,
        "shows": list(visit.shows),
        "status": visited.answer.status,
        "reference": visited.answer.reference,
        "verdict": None if record is None else record.verdict,
        "reason": None if record is None else record.reason,
        "unexpected": [str(each) for each in visited.unexpected],
    }


def _is_unicode(console: Console) -> bool:
    return console.encoding.lower().replace("-", "").startswith("utf")
