"""`ostiary explain`: the decision behind a reference."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from ostiary.cli.ending import Exit, JsonOption
from ostiary.cli.explanation import show
from ostiary.cli.shared import FileOption, load_or_fail, refuse
from ostiary.diagnostics.decision_log import Unreadable, read_decision
from ostiary.diagnostics.explanation import explain as explained
from ostiary.diagnostics.record import DecisionRecord
from ostiary.diagnostics.settings import decision_log_url


def explain(
    context: typer.Context,
    reference: Annotated[str, typer.Argument(metavar="REFERENCE", help="The X-Request-ID of the answer.")],
    file: FileOption,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show the decision behind a request id: route, reason, who, and the chain step by step.

    An unknown reference is waited for, 3 seconds at most: its record may be under way. Exit code 1 if there is none, 3
    if the log cannot be read.
    """
    configuration, _ = load_or_fail(context, file)
    found = _read(decision_log_url(configuration), reference)
    if isinstance(found, Unreadable):
        refuse(context, f"the decision log cannot be read: {found.what}", code=Exit.UNAVAILABLE)
    if found is None:
        refuse(
            context,
            "no decision has this reference",
            "allows are sampled (decision_log.sample_allows), and records are kept for decision_log.keep.",
            Exit.DENIED,
        )
    explanation = explained(found)
    if as_json:
        typer.echo(json.dumps(explanation.members))
    else:
        show(explanation)


def _read(url: str, reference: str) -> DecisionRecord | Unreadable | None:
    if not reference.isascii():  # no reference is so, and not every such text can be asked for
        return None
    try:
        return read_decision(url, reference)
    except OSError as error:  # a folder that we may not look into
        return Unreadable(what=(error.strerror or type(error).__name__).lower())
