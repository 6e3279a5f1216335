"""The command line as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from ostiary.cli import check, decide, demo, explain, reference, secret, serve, worker

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
    try:
        app(list(arguments), prog_name="ostiary", obj=dict(environ))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0
