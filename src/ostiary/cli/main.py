"""The command line as a whole."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import typer

from ostiary.cli import check, decide, demo, explain, reference, secret, serve, worker
from ostiary.cli.printing import UNWRITABLE, flush_output, prepare_streams
from ostiary.cli.shared import Exit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

app = typer.Typer(
    name="ostiary",
    help="Guards the resource side of OAuth 2.0: a gateway on Envoy, and an answer to every why.",
    epilog="Begin with `ostiary demo`. Every command has --help.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command()(demo.demo)
app.command()(serve.serve)
app.command()(check.check)
app.command()(decide.decide)
app.command()(explain.explain)
app.command("routes")(reference.show_routes)
app.command("reasons")(reference.show_reasons)
app.command("schema")(reference.show_schema)
app.add_typer(secret.app, name="secret")
app.command(hidden=True)(worker.worker)


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one command.

    Args:
        arguments: without the program's name.
        environ: the environment; nothing below reads the process's own.

    Returns:
        The exit code.
    """
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
        app(list(arguments), prog_name="ostiary", obj=dict(environ))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return Exit.OK
