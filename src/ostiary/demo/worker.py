"""The demo's decision worker: the ordinary one, but it believes the embedded authorization server. No file says so."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import redirect_stderr
from pathlib import Path
from typing import Final

from ostiary.authz.process import run_worker_process

LOG_NAME: Final = "demo.log"


def main() -> int:
    """Run it, as the gateway asks; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m ostiary.demo.worker", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--index", type=int, required=True)
    parser.add_argument("--control-fd", type=int, required=True)
    given = parser.parse_args()
    # The terminal is the tour's.
    with (given.data_dir / LOG_NAME).open("a", buffering=1, encoding="utf-8") as log, redirect_stderr(log):
        return run_worker_process(
            data_dir=given.data_dir,
            index=given.index,
            control_fd=given.control_fd,
            environ=dict(os.environ),  # a process of its own: this is its command line
            allow_development_issuer=True,
        )


if __name__ == "__main__":
    sys.exit(main())
