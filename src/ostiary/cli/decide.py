"""`ostiary decide`: a dry run. Asks the real authorities, remembers nothing, shows each step."""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ostiary.cli.ending import Exit, JsonOption
from ostiary.cli.explanation import show
from ostiary.cli.shared import FileOption, load_or_fail, refuse
from ostiary.decision.facts import Door, RequestFacts
from ostiary.decision.reasons import Reason
from ostiary.decision.verdict import Deny, VerdictLabel
from ostiary.diagnostics.explanation import explain
from ostiary.diagnostics.settings import DECISION_LOG
from ostiary.diagnostics.subjects import KEY_NAME, SubjectMask, load_subject_key
from ostiary.judge.loading import SYSTEM_CLOCKS, load_judge
from ostiary.judge.paths import normalise
from ostiary.judge.recording import compose_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import TextIO

    from ostiary.config import Configuration
    from ostiary.decision.facts import Headers
    from ostiary.diagnostics.record import DecisionRecord
    from ostiary.plugins.plugin import Plugin

_EXITS = {
    VerdictLabel.ALLOW: Exit.OK,
    VerdictLabel.DENY: Exit.DENIED,
    VerdictLabel.UNAVAILABLE: Exit.UNAVAILABLE,
}


def decide(
    context: typer.Context,
    file: FileOption,
    path: Annotated[str, typer.Option("--path", metavar="PATH", help="The request's path; a query is ignored.")],
    method: Annotated[str, typer.Option("--method", metavar="METHOD", help="The request's method.")] = "GET",
    host: Annotated[str, typer.Option("--host", metavar="HOST", help="The request's Host.")] = "",
    header: Annotated[
        list[str] | None,
        typer.Option(
            "--header",
            metavar="'NAME: VALUE'|@FILE|@-",
            help="A header; may be repeated. A file keeps a token out of the process list.",
        ),
    ] = None,
    body: Annotated[str | None, typer.Option("--body", metavar="@FILE", help="Not in this version.")] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Judge a request that nobody sent: the verdict, and each plugin's step.

    Exit code 0 allow, 1 deny, 3 could not tell.
    """
    if body is not None:
        refuse(context, "--body is not in this version", "Leave it out: no route has its bodies judged yet.")
    configuration, third_party = load_or_fail(context, file)
    facts_path = path.partition("?")[0]
    normal = normalise(facts_path)
    facts = RequestFacts(
        door=Door.CLI,
        reference=str(uuid.uuid4()),
        method=method,
        host=host,
        path=facts_path if normal is None else normal,
        headers=_headers(context, header or ()),
    )
    record = _refused_path(facts) if normal is None else asyncio.run(_decide(configuration, third_party, facts))
    if record is None:  # nothing is judged on such a route, so there is nothing to explain
        note = "the route is `unsafe_anonymous`: nothing is judged"
        typer.echo(json.dumps({"verdict": "allow", "note": note}) if as_json else f"allow\n  {note}")
        return
    explanation = explain(record, _mask(configuration))
    if as_json:
        typer.echo(json.dumps(explanation.members))
    else:
        show(explanation)
    raise typer.Exit(_EXITS[record.verdict])


async def _decide(
    configuration: Configuration, third_party: Mapping[str, Plugin], facts: RequestFacts
) -> DecisionRecord | None:
    judge = load_judge(configuration, third_party=third_party)
    try:
        return (await judge.decide(facts, remember=False)).record
    finally:
        await judge.aclose()


def _refused_path(facts: RequestFacts) -> DecisionRecord:
    """What Envoy refuses before anyone is asked."""
    verdict = Deny(Reason.TARGET_NOT_CANONICAL)  # the other doors' word for it, with the same status
    record = compose_record(
        facts, route=None, verdict=verdict, walked=None, told=None, time=SYSTEM_CLOCKS.wall(), seconds=0.0
    )
    return record._replace(reason=Reason.EDGE_PATH)


def _mask(configuration: Configuration) -> Callable[[str], str] | None:
    """Subjects as the decision log names them, where its key can be read; otherwise by a key of the moment."""
    if configuration.require(DECISION_LOG).show_subjects:
        return None
    with suppress(OSError):
        if (configuration.data_dir / KEY_NAME).exists():
            return SubjectMask(load_subject_key(configuration.data_dir)).name
    return SubjectMask(load_subject_key(None)).name


def _headers(context: typer.Context, options: Iterable[str]) -> Headers:
    """Header lines of the options and of the files they name.

    A line is `Name: value`; names in lower case, blanks around the value removed (RFC 9110 §5.5).
    """
    lines = [line for option in options for line in _lines(context, option)]
    pairs = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip() or name != name.strip():
            hint = "--header 'Authorization: Bearer …', or --header @FILE."
            refuse(context, "a header is not `NAME: VALUE`", hint)
        try:
            pairs.append((name.lower().encode("ascii"), value.strip(" \t").encode("latin-1")))
        except UnicodeEncodeError:
            refuse(context, "a header has a character that no header can carry", "names are ASCII, values Latin-1.")
    return tuple(pairs)


def _lines(context: typer.Context, option: str) -> list[str]:
    if not option.startswith("@"):
        return [option]
    try:
        data = _standard_input(context) if option == "@-" else Path(option[1:]).read_bytes()
    except OSError as error:
        refuse(context, f"{option[1:]} cannot be read: {(error.strerror or 'nobody says why').lower()}")
    return [line.decode("latin-1") for line in data.splitlines() if line.strip()]


def _standard_input(context: typer.Context) -> bytes:
    # Where it is closed, Python has none.
    stream: TextIO | None = sys.stdin
    if stream is None:
        refuse(context, "standard input is closed", "lead a file or a pipe to it.")
    return stream.buffer.read()
