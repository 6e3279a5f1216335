"""The page of the commands: what each one's `--help` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from ostiary.cli.main import command_line

if TYPE_CHECKING:
    from collections.abc import Iterator


def commands() -> Iterator[tuple[str, ...]]:
    """The words of every command that a person may give, in the order of `ostiary --help`."""
    yield from _below(get_command(command_line()), ())


def _below(command: object, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if not isinstance(command, TyperGroup):
        yield words
        return
    for name, inner in command.commands.items():
        if not inner.hidden:
            yield from _below(inner, (*words, name))


def render(made: str) -> str:
    """The page.

    Args:
        made: the sentence that says how it is made.
    """
    app = command_line()
    parts = ["# Commands", f"What `--help` says. {made}"]
    for words in commands():
        shown = CliRunner().invoke(app, [*words, "--help"], prog_name="ostiary", env={"COLUMNS": "80"})
        parts += [f"## ostiary {' '.join(words)}", f"```text\n{shown.output.strip()}\n```"]
    return "\n\n".join(parts) + "\n"
