"""`python -m ostiary`, and the entry point `ostiary`."""

from __future__ import annotations

import os
import sys

from ostiary.cli import run


def main() -> None:
    """Run the command line with the process's arguments and environment; ends the process with its exit code."""
    # The one place where the environment enters: everything below is handed it.
    sys.exit(run(sys.argv[1:], dict(os.environ)))


if __name__ == "__main__":
    main()
