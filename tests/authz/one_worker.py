"""A decision worker as a program that believes the development server; with the arguments of the real one."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.integrations.judging import SECRETS

from ostiary.authz.process import run_worker_process


def main() -> int:
    """Run until told to end; the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--index", type=int, required=True)
    parser.add_argument("--control-fd", type=int, required=True)
    given = parser.parse_args()
    return run_worker_process(
        data_dir=given.data_dir,
        index=given.index,
        control_fd=given.control_fd,
        environ=SECRETS,
        allow_development_issuer=True,
    )


if __name__ == "__main__":
    sys.exit(main())
