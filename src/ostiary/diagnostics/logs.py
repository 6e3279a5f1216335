"""Log lines: JSON on one stream, readable at a terminal, redacted in any case.

Ours come from structlog, those of the libraries from `logging`; libraries are heard from `warning` upwards, since
at `info` and below some write down what they send. All go one way, and in their order: a stream that is full or closed
loses lines; it stops nobody.
"""

from __future__ import annotations

import atexit
import json
import logging
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, TextIO

import structlog

from ostiary.diagnostics.lines import Lines
from ostiary.diagnostics.redaction import RedactingFilter, redact_event, redact_line

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from structlog.typing import Processor

_LEVELS: Final = {"warning": logging.WARNING, "info": logging.INFO, "debug": logging.DEBUG}
_BRIEF: Final = ("reference", "method", "path", "route", "level", "timestamp", "logger")


class LogLevel(StrEnum):
    """The levels that are offered; each is about us alone, and none has a token in it."""

    WARNING = "warning"
    INFO = "info"
    DEBUG = "debug"


class LineLogger:
    """Writes lines under a name."""

    def __init__(self, lines: Lines, name: str) -> None:
        self._lines = lines
        self.name = name

    def msg(self, message: str) -> None:
        """Write one line."""
        self._lines.write(message + "\n")

    log = debug = info = warning = error = critical = exception = msg


def configure_logging(level: LogLevel, stream: TextIO) -> Lines:
    """Say where lines go, for the whole process; what is on its way there is written when the process ends.

    Args:
        level: from which on our own lines are written; decisions are at `info`, those that nobody could make at
            `warning`.
        stream: usually stderr. JSON lines, unless it is a terminal.

    Returns:
        The lines on their way: to be closed by who ends the process without running its exit functions.
    """
    shared: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,  # no local variables: one may be a token
        redact_event,
    ]
    render: list[Processor] = [*(_for_people() if stream.isatty() else [_to_json]), redact_line]

    def lost(number: int) -> str:
        said: Any = {"event": "log lines were lost: nobody read them in time", "lines": number}
        for process in (_name, *shared, *render):
            said = process(LineLogger(lines, __name__), "warning", said)
        return f"{said}\n"

    lines = Lines(stream, lost)
    atexit.register(lines.close)
    structlog.configure(
        processors=[_name, *shared, *render],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=lambda *names: LineLogger(lines, *(names or ("ostiary",))),
        cache_logger_on_first_use=False,
    )
    _configure_libraries(_LEVELS[level], lines, [structlog.stdlib.add_logger_name, *shared], render)
    return lines


def _configure_libraries(level: int, lines: Lines, before: list[Processor], render: list[Processor]) -> None:
    handler = logging.StreamHandler(lines)
    handler.addFilter(RedactingFilter())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old, logging.StreamHandler) and isinstance(old.stream, Lines):
            root.removeHandler(old)
            old.stream.close()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("ostiary").setLevel(level)
    # A client's request that is no HTTP is a warning there, and none to us.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)


_encode: Final = json.JSONEncoder(default=repr).encode


def _to_json(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    """ASCII: a terminal or a log shipper of any encoding takes it."""
    return _encode(event)


def _for_people() -> list[Processor]:
    # The default formatter of exceptions shows local variables.
    plain = structlog.dev.plain_traceback
    return [_brief, structlog.dev.ConsoleRenderer(exception_formatter=plain)]


def _name(logger: LineLogger, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event["logger"] = logger.name
    return event


def _brief(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A decision in one row of a terminal; the log and `ostiary explain` have the rest."""
    if event.get("logger") != "ostiary.decision":
        return event
    answer = " ".join([str(event[name]) for name in ("verdict", "status", "reason") if name in event])
    return {name: event[name] for name in _BRIEF if name in event} | {"event": answer}
