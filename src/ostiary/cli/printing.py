"""What is printed, and what becomes of it where nobody sees colours, nothing but ASCII fits, or nothing fits at all."""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ostiary.diagnostics.record import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import TextIO

UNWRITABLE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""What writing to a stream comes to that takes no more. (A reader who has gone, EPIPE, is no error.)"""

_LIKE_ASCII: Final = "ostiary.like-ascii"
# What our own texts have beyond ASCII; anything else becomes an escape.
_MARKS: Final[Mapping[str, str]] = {
    "✓": "+",
    "✗": "x",
    "·": "-",
    "…": "...",
    "—": "-",
    "→": "->",
    "§": "section ",
}


def _like_ascii(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    end = error.start + 1
    mark = _MARKS.get(error.object[error.start])
    if mark is not None:
        return mark, end
    return codecs.backslashreplace_errors(UnicodeEncodeError("ascii", error.object, error.start, end, error.reason))


codecs.register_error(_LIKE_ASCII, _like_ascii)


def closed_streams() -> str:
    """Which of the two the process was started without (`>&-`), or "": what it opens first would be in their place."""
    streams = {"standard output": sys.stdout, "standard error": sys.stderr}
    return " and ".join(name for name, stream in streams.items() if stream is None)


def prepare_streams() -> None:
    """From here on nothing that is printed fails for its characters, whatever the streams' encoding is."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_LIKE_ASCII)


def flush_output() -> OSError | None:
    """Hand over all that was printed; why it could not be written, and then what is left of it is thrown away."""
    failed = None
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError as error:
            failed = error
            _divert(stream)
    return failed


def _divert(stream: TextIO) -> None:
    """Let what the stream still holds go nowhere, or Python tries again at the end of the process, and complains."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def is_terminal() -> bool:
    """Whether a person looks at what is printed."""
    return sys.stdout is not None and sys.stdout.isatty()


def show_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows: at a terminal in columns of its width, otherwise a line each, with tabs between the columns."""
    shown = [[visible(cell, sys.maxsize) for cell in row] for row in rows]
    if not is_terminal():
        typer.echo("\n".join("\t".join(cells).rstrip() for cells in ([*titles], *shown)))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(title, overflow="fold")
    for cells in shown:
        table.add_row(*map(Text, cells))  # what stands in the file is text, never markup
    Console(highlight=False).print(table)
