"""Lines as they reach an operator: from us and from libraries, on a pipe and at a terminal."""

from __future__ import annotations

import json
import logging
import os
import pty
from io import StringIO
from typing import TYPE_CHECKING, NoReturn

import pytest
import structlog
from tests.diagnostics.records import made

from ostiary.decision.reasons import Reason
from ostiary.diagnostics.logs import LogLevel, configure_logging
from ostiary.diagnostics.settings import DecisionLogSettings
from ostiary.diagnostics.sink import RecordSink

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.diagnostics.conftest import Lines

CANARY = "canary-8Vd.x_Q~t+z/1"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("ostiary")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    structlog.reset_defaults()


def test_a_line_says_who_when_and_how_grave(lines: Lines) -> None:
    """Ours: the line's form is stable."""
    structlog.get_logger("ostiary.somewhere").warning("it broke", number=3)

    (event,) = lines.events
    assert event.pop("timestamp").endswith("Z")
    assert event == {"event": "it broke", "number": 3, "level": "warning", "logger": "ostiary.somewhere"}


def test_libraries_are_heard_from_warning_upwards_and_ours_by_the_level() -> None:
    """`attacks.md`: no level that is offered shows a token; libraries at `info` write down what they send."""
    stream = StringIO()
    lines = configure_logging(LogLevel.DEBUG, stream)

    logging.getLogger("httpx2").info("sent Bearer %s", CANARY)
    logging.getLogger("httpx2").warning("sent Bearer %s", CANARY)
    logging.getLogger("ostiary.authorities").debug("ours")
    structlog.get_logger("ostiary.judge").debug("ours, too")
    lines.close()

    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(event["logger"], event["level"], event["event"]) for event in events] == [
        ("httpx2", "warning", "sent Bearer [redacted]"),
        ("ostiary.authorities", "debug", "ours"),
        ("ostiary.judge", "debug", "ours, too"),
    ]


@pytest.mark.parametrize("level", LogLevel)
def test_a_request_that_is_no_http_makes_no_line(level: LogLevel) -> None:
    """Ours: a client must not fill the log, and a listener that fails is heard."""
    stream = StringIO()
    lines = configure_logging(level, stream)

    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    logging.getLogger("uvicorn.error").error("Exception in ASGI application")
    lines.close()

    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["Exception in ASGI application"]


@pytest.mark.parametrize("level", LogLevel)
def test_no_level_shows_a_credential(level: LogLevel) -> None:
    """`attacks.md`: canary tokens at every log level offered."""
    stream = StringIO()
    lines = configure_logging(level, stream)

    for logger in (structlog.get_logger("ostiary.x"), logging.getLogger("ostiary.y"), logging.getLogger("z")):
        for say in (logger.debug, logger.info, logger.warning, logger.error):
            say(f"got Bearer {CANARY}")
    structlog.get_logger("ostiary.x").error("failed", headers=[(b"authorization", f"Bearer {CANARY}".encode())])
    try:
        _fail(CANARY)
    except RuntimeError:
        structlog.get_logger("ostiary.x").exception("failed")
        logging.getLogger("z").exception("failed")
    lines.close()

    assert "RuntimeError" in stream.getvalue()
    assert "canary" not in stream.getvalue()


def test_a_terminal_gets_readable_rows_without_local_variables() -> None:
    """Ours: rich tracebacks show local variables, and one of those may be a token."""
    seen = at_a_terminal()

    assert "deny 403 token-inactive" in seen
    assert "RuntimeError" in seen
    assert "canary" not in seen


def test_a_closed_or_broken_stream_stops_nobody() -> None:
    """Ours: a decision does not fail because its line cannot be written."""
    closed = StringIO()
    lines = configure_logging(LogLevel.INFO, closed)
    closed.close()
    structlog.get_logger("ostiary.x").error("nobody hears")
    lines.drain()

    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(os.dup(writer), "w", buffering=1) as broken:
        lines = configure_logging(LogLevel.INFO, broken)
        structlog.get_logger("ostiary.x").error("nobody hears")
        lines.drain()
        os.dup2(writer_again := os.open(os.devnull, os.O_WRONLY), broken.fileno())
        structlog.get_logger("ostiary.x").error("somebody hears")
        lines.close()
        os.close(writer_again)
    os.close(writer)


def at_a_terminal() -> str:
    """What a refusal and a traceback look like there."""
    outer, inner = pty.openpty()
    with os.fdopen(inner, "w", buffering=1) as terminal:
        lines = configure_logging(LogLevel.INFO, terminal)
        sink = RecordSink(data_dir=None, settings=DecisionLogSettings())
        sink.send(made(reason=Reason.TOKEN_INACTIVE))
        sink.close()
        try:
            _fail(CANARY)
        except RuntimeError:
            structlog.get_logger("ostiary.x").exception("failed")
        lines.close()
        seen = os.read(outer, 65536).decode()
        while "RuntimeError" not in seen:
            seen += os.read(outer, 65536).decode()
    os.close(outer)
    return seen


def _fail(token: str) -> NoReturn:
    raise RuntimeError(f"cannot use {len(token)} bytes, Bearer {token}")
