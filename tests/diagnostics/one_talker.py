"""A process that logs, for tests of its end: `python -m tests.diagnostics.one_talker LINES`.

A number is said once by us, once by a library, so that there are two lines of each; then it says `said` and ends.
"""

from __future__ import annotations

import logging
import sys

import structlog

from ostiary.diagnostics.logs import LogLevel, configure_logging


def main(lines: int) -> None:
    """Log, and end."""
    configure_logging(LogLevel.INFO, sys.stderr)
    ours, library = structlog.get_logger("ostiary.x"), logging.getLogger("library")
    for number in range(lines):
        ours.info("ours", number=number)
        library.warning("a library's %d", number)
    sys.stdout.write("said\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
