"""`python -m ostiary`, and the entry point `ostiary`."""

from __future__ import annotations

import os
import sys

from ostiary.cli import run
from ostiary.cli.supervised import be_patient


def main() -> None:
    """Run the command line with the process's arguments and environment; ends the process with its exit code."""
    if sys.argv[1:2] == ["serve"]:
        be_patient()
    # The one place where the environment enters: everything below is handed it.
    sys.exit(run(sys.argv[1:], dict(os.environ)))


if __name__ == "__main__":
    main()
