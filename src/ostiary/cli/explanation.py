"""How a decision is shown: coloured at a terminal, otherwise plain lines that nothing has folded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ostiary.cli.printing import is_terminal
from ostiary.diagnostics.explanation import milliseconds
from ostiary.plugins.drivers import StepOutcome

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

    from ostiary.diagnostics.explanation import Explanation

_STYLES: Final[Mapping[str, str]] = {"allow": "bold green", "deny": "bold red", "unavailable": "bold yellow"}
_MARKS: Final[Mapping[StepOutcome, tuple[str, str]]] = {
    StepOutcome.PASSED: ("✓", "green"),
    StepOutcome.SKIPPED: ("·", "dim"),
    StepOutcome.DENIED: ("✗", "red"),
    StepOutcome.UNAVAILABLE: ("?", "yellow"),
}


def show(explanation: Explanation) -> None:
    """Print it. What comes from the wire is text, never markup."""
    if not is_terminal():
        typer.echo(explanation.to_text(), nl=False)
        return
    console = Console(highlight=False, soft_wrap=False)
    verdict = explanation.answer.partition(" ")[0]
    console.print(Text(explanation.answer, style=_STYLES.get(verdict, "bold")))
    if explanation.meaning:
        console.print(Padding(Text(explanation.meaning), (0, 0, 0, 2)))
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    for label, value in explanation.facts:
        facts.add_row(label, Text(value))
    console.print(Padding(facts, (1, 0)))
    steps = Table.grid(padding=(0, 2))
    for step in explanation.steps:
        mark, style = _MARKS[step.outcome]
        steps.add_row(
            Text(mark, style=style),
            Text(step.outcome, style=style),
            Text(step.plugin),
            Text(milliseconds(step.seconds), justify="right", style="dim"),
            Text(step.note),
        )
    console.print(steps)
