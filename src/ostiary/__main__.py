"""`python -m ostiary`, and the entry point `ostiary`."""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """Run the command line with the process's arguments and environment; ends the process with its exit code."""
    if sys.argv[1:2] == ["serve"]:
        _be_patient()
    from ostiary.cli import run  # noqa: PLC0415 - it takes a while, in which a signal may come

    # The one place where the environment enters: everything below is handed it.
    sys.exit(run(sys.argv[1:], dict(os.environ)))


def _be_patient() -> None:
    """Until `serve` has its own handlers: a reload that comes too early is none, and the end is one in peace.

    The default of each ends the process, which for SIGHUP a service manager takes for a wish, and starts nothing again.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))


if __name__ == "__main__":
    main()
