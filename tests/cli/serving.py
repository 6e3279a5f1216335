"""`ostiary serve` as a process, as an operator runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def start(file: Path, environ: Mapping[str, str], *, folder: Path | None = None) -> subprocess.Popen[str]:
    """Start it; in a folder, if one is given."""
    command = [sys.executable, "-P", "-m", "ostiary", "serve", "-c", str(file)]
    return subprocess.Popen(  # noqa: S603 - ours
        command,
        env={**os.environ, **environ},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
    )


def wait_serving(process: subprocess.Popen[str]) -> None:
    """Read its lines until it serves."""
    wait_said(process, '"serving"')


def wait_said(process: subprocess.Popen[str], words: str) -> str:
    """Read its lines until one has these words; that line."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if words in line:
            return line
    pytest.fail(f"it did not say {words}: " + "".join(said))
