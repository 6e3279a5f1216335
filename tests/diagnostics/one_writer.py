"""A process with one writer, for tests that kill it: `python -m tests.diagnostics.one_writer DATA_DIR [FILE_BYTES]`.

It says `listening` when it is the one, logs to stderr, and ends when its stdin is closed. `FILE_BYTES` is how large
any file of it may become: what a full disk is like.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from ostiary.diagnostics.logs import LogLevel, configure_logging
from ostiary.diagnostics.settings import DecisionLogSettings
from ostiary.diagnostics.writer import RecordWriter


def main(data_dir: Path, file_bytes: int | None) -> None:
    """Write until stdin ends; then say how many were dropped."""
    if file_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
    configure_logging(LogLevel.INFO, sys.stderr)
    dropped: list[int] = []
    writer = RecordWriter(
        data_dir=data_dir,
        url=f"sqlite:///{data_dir / 'decisions.sqlite'}",
        settings=DecisionLogSettings(),
        dropped=dropped.append,
    )
    writer.start()
    if writer.wait_listening(10):
        sys.stdout.write("listening\n")
        sys.stdout.flush()
    sys.stdin.read()
    writer.close()
    sys.stdout.write(f"dropped {sum(dropped)}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else None)
