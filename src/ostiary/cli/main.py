"""The command line as a whole."""

from __future__ import annotations

from contextlib import suppress
from pkgutil import resolve_name
from typing import TYPE_CHECKING

import typer

from ostiary.cli.ending import Exit
from ostiary.cli.printing import UNWRITABLE, closed_streams, flush_output, prepare_streams

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# Where each command is. One is imported when it is given: a worker that replaces a dead one loads no database.
COMMANDS = {
    "demo": "ostiary.cli.demo:demo",
    "serve": "ostiary.cli.serve:serve",
    "check": "ostiary.cli.check:check",
    "decide": "ostiary.cli.decide:decide",
    "explain": "ostiary.cli.explain:explain",
    "routes": "ostiary.cli.routes:show_routes",
    "reasons": "ostiary.cli.reasons:show_reasons",
    "schema": "ostiary.cli.routes:show_schema",
    "secret": "ostiary.cli.secret:app",
    "worker": "ostiary.cli.worker:worker",
}
_HIDDEN = frozenset({"worker"})


def command_line(names: Iterable[str] = COMMANDS) -> typer.Typer:
    """The command line with these of `COMMANDS`."""
    app = typer.Typer(
        name="ostiary",
        help="Guards the resource side of OAuth 2.0: a gateway on Envoy, and an answer to every why.",
        epilog="Begin with `ostiary demo`. Every command has --help.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_group)
    for name in names:
        command = resolve_name(COMMANDS[name])
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name, hidden=name in _HIDDEN)(command)
    return app


def _group() -> None:
    """Makes a group of even one command."""


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one command.

    Args:
        arguments: without the program's name.
        environ: the environment; nothing below reads the process's own.

    Returns:
        The exit code.
    """
    if closed := closed_streams():
        with suppress(OSError):
            typer.echo(f"error: {closed} is closed\nhint: lead it to /dev/null where nobody is to read it", err=True)
        return Exit.FAILED
    prepare_streams()
    code, failed = int(Exit.FAILED), None
    try:
        code = _run(arguments, environ)
    except OSError as error:
        if error.errno not in UNWRITABLE or error.filename is not None:
            raise
        failed = error
    failed = flush_output() or failed
    if failed is None:
        return code
    with suppress(OSError):
        typer.echo(f"error: what is printed cannot be written: {(failed.strerror or '').lower()}", err=True)
    return Exit.FAILED


def _run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    try:
        given = [name for name in arguments[:1] if name in COMMANDS]
        command_line(given or COMMANDS)(list(arguments), prog_name="ostiary", obj=dict(environ))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return Exit.OK
