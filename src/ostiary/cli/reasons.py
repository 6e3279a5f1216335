"""`ostiary reasons`: each way to be refused, from the table that refuses."""

from __future__ import annotations

import json

import typer

from ostiary.cli.ending import JsonOption
from ostiary.cli.printing import show_table
from ostiary.decision.reasons import CONSEQUENCES


def show_reasons(*, as_json: JsonOption = False) -> None:
    """Show every reason for which a request can be refused: its status and what it means."""
    if as_json:
        rows = [
            {"reason": reason, "status": row.status, "text": row.text or None, "meaning": row.meaning}
            for reason, row in CONSEQUENCES.items()
        ]
        typer.echo(json.dumps(rows))
        return
    show_table(
        ("REASON", "STATUS", "MEANING"),
        [
            (reason, "as sent" if row.status is None else str(row.status), row.meaning)
            for reason, row in CONSEQUENCES.items()
        ],
    )
