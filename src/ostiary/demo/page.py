"""How the tour looks: chapters, and for each visit what was asked, what came back, and what an operator reads of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.console import Group
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from ostiary.decision.verdict import VerdictLabel
from ostiary.diagnostics.record import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import RenderableType

    from ostiary.demo.visit import Chapter, Incident
    from ostiary.demo.visited import Visited
    from ostiary.diagnostics.record import DecisionRecord

_NARROWEST: Final = 60
_WIDEST: Final = 100
_ASKED_SHARE: Final = 0.57
_STYLES: Final = {
    VerdictLabel.ALLOW: "green",
    VerdictLabel.DENY: "yellow",
    VerdictLabel.UNAVAILABLE: "magenta",
}
_STATUS_STYLES: Final = {2: "bold green", 4: "bold yellow", 5: "bold magenta"}
_MARGIN: Final = 5  # mark and blanks before what was asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Glyphs:
    """What stands before a line."""

    met: str
    unmet: str
    event: str


GLYPHS: Final = Glyphs(met="✓", unmet="✗", event="●")
ASCII_GLYPHS: Final = Glyphs(met="+", unmet="X", event="*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Makes what is printed.

    Attributes:
        width: of the terminal, in columns.
        glyphs: those that the terminal can show.
        timed: whether durations are shown; a picture that is kept leaves them out.
    """

    width: int
    glyphs: Glyphs = GLYPHS
    timed: bool = True

    @property
    def columns(self) -> int:
        """How wide the page is."""
        return min(max(self.width, _NARROWEST), _WIDEST)

    def opening(self, origin: str) -> RenderableType:
        """What this is, and the heads of the columns."""
        text = Text.assemble(
            ("Real requests to a real Envoy at ", ""),
            (origin, "cyan"),
            (". Beside each answer: what an operator reads of it in the decision log, under the reference", ""),
            (" that the client got.", ""),
        )
        heads = self._columns()
        heads.add_row("", Text("asked", "dim"), Text("got", "dim"), Text("an operator reads", "dim"))
        return Group(Padding(text, (0, 0, 1, 1)), heads)

    def heading(self, chapter: Chapter) -> RenderableType:
        """The head of a chapter."""
        title = Text.assemble((chapter.title, "bold cyan"), ("  " + chapter.question, "italic"))
        return Group("", Rule(title, align="left", style="bright_black"))

    def incident(self, incident: Incident) -> RenderableType:
        """What happens between two visits."""
        return Padding(Text(f"{self.glyphs.event} {incident}", "magenta italic"), (0, 0, 0, 2))

    def visit(self, visited: Visited) -> RenderableType:
        """One visit in two lines, and below them what is worth quoting and what was not expected."""
        unmet = visited.unexpected
        mark = Text(self.glyphs.unmet, "bold red") if unmet else Text(self.glyphs.met, "green")
        asked = Text.assemble(visited.visit.title, "\n", (f"{visited.visit.method} {visited.visit.target}", "dim"))
        status = visited.answer.status
        table = self._columns()
        table.add_row(mark, asked, Text(str(status), _STATUS_STYLES.get(status // 100, "")), self._read(visited))
        return Group(table, *self._below(visited))

    def closing(self, visits: Sequence[Visited], seconds: float) -> RenderableType:
        """How it went."""
        failed = [visited for visited in visits if visited.unexpected]
        spent = f" in {seconds:.1f} s" if self.timed else ""
        if not failed:
            text = Text.assemble(
                (f"{self.glyphs.met} {len(visits)} of {len(visits)} answers", "bold green"),
                f" were the expected ones{spent}, each explained by its reference.",
            )
        else:
            names = ", ".join([repr(visited.visit.title) for visited in failed])
            text = Text.assemble(
                (f"{self.glyphs.unmet} {len(failed)} of {len(visits)} answers", "bold red"),
                f" were not the expected ones: {names}",
            )
        return Group("", Rule(style="bright_black"), Padding(text, (0, 0, 0, 1)))

    def _columns(self) -> Table:
        asked = round((self.columns - 9) * _ASKED_SHARE)
        table = Table.grid(padding=(0, 1))
        table.add_column(width=2, justify="right")
        table.add_column(width=asked, overflow="fold")
        table.add_column(width=4)
        table.add_column(width=self.columns - 9 - asked, overflow="fold")
        return table

    def _read(self, visited: Visited) -> Text:
        if visited.record is None:
            return Text.assemble("no decision", "\n", (visited.visit.unjudged, "dim"))
        lines = list(_explain(visited.record, timed=self.timed))
        first = Text(lines[0], _STYLES[visited.record.verdict])
        return Text("\n").join([first, *(Text(line, "dim") for line in lines[1:])])

    def _below(self, visited: Visited) -> Iterator[RenderableType]:
        quoted = visited.visit.quoted
        if quoted is not None:
            value = visited.answer.headers.get(quoted, "")
            name = "-".join([word.capitalize() if word != "www" else "WWW" for word in quoted.split("-")])
            yield self._line(Text.assemble((f"{name}: ", "dim cyan"), (visible(value, 1000), "dim")))
        for each in visited.unexpected:
            yield self._line(Text(str(each), "red"))

    def _line(self, text: Text) -> RenderableType:
        text.overflow = "fold"
        return Padding(text, (0, 0, 0, _MARGIN - 1))


def _explain(record: DecisionRecord, *, timed: bool) -> Iterator[str]:
    """The verdict in a line, who decided in another, and the notes."""
    notes = [step.note for step in record.steps if step.note]
    if record.verdict is VerdictLabel.ALLOW:
        yield ", ".join(_how(record, timed=timed))
        yield f"app {visible(record.client_id or '')}" + (" for a user" if record.subject else "")
    else:
        yield record.reason or record.verdict
        yield record.steps[-1].plugin if record.steps else "Envoy, before anybody is asked"
    yield from (visible(note) for note in notes)


def _how(record: DecisionRecord, *, timed: bool) -> Iterable[str]:
    yield record.verdict
    if record.cache is not None:
        yield f"cache {record.cache}"
    if timed:
        yield f"{record.total_seconds * 1000:.1f} ms"
