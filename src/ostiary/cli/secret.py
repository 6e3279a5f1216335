"""`ostiary secret new`: a strong random secret where only its owner can read it."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Annotated

import typer

from ostiary.cli.ending import fail

app = typer.Typer(help="Secrets that Ostiary verifies or signs with.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def group() -> None:
    """Secrets that Ostiary verifies or signs with."""


@app.command("new")
def new(path: Annotated[Path, typer.Argument(metavar="PATH", help="A file that does not exist yet.")]) -> None:
    """Write a new random secret (256 bits, base64url) into a file of mode 0600. The secret is not printed."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        fail(f"error: {path} exists\nhint: a secret is never overwritten; name another file, or remove it first.")
    except OSError as error:
        fail(f"error: {path} cannot be made: {(error.strerror or 'nobody says why').lower()}")
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(32) + "\n")
    typer.echo(f"{path} holds a new secret.")
    typer.echo("In the configuration: {file: PATH}, where a relative PATH begins at the folder of that file.")
