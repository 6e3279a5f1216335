"""The pages that are made from the code: `--write` makes them anew, `--check` says which are out of date."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from tests.conformance.traceability import collect, render
from tests.docs import commands_page, metrics_page, settings_page
from tests.docs.markdown import ROOT, table

from ostiary.decision.reasons import CONSEQUENCES
from ostiary.plugins.chain import DEFAULT_CHAIN, SHIPPED
from ostiary.plugins.drivers import CredentialedLink
from ostiary.plugins.exchange import CONTEXT_VARIABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_MADE: Final = "Made from the code by `make fix`; edit that instead."


def traceability() -> str:
    """Requirement → its sentence → the tests that show it."""
    return render(collect())


def reasons() -> str:
    """Every reason, and what it does."""
    rows = [
        (
            f"`{reason}`",
            "as sent" if row.status is None else str(row.status),
            row.text or "operators only",
            row.error or ("without error code" if row.challenge else "none"),
            row.meaning,
        )
        for reason, row in CONSEQUENCES.items()
    ]
    intro = "Why a request was refused. The text is what a client may read where the route discloses reasons."
    heads = ("reason", "status", "text", "challenge", "what it means")
    return "\n\n".join(["# Reasons", f"{intro} {_MADE}", table(heads, rows)]) + "\n"


def plugins() -> str:
    """The chain."""
    links = [SHIPPED[name] for name in DEFAULT_CHAIN]
    rows = [
        (
            str(link.plugin.priority),
            f"`{link.plugin.name}`",
            link.terms.runs,
            ", ".join([f"`{question.__name__}`" for question in link.terms.questions]) or "nothing",
            "yes" if isinstance(link, CredentialedLink) else "no",
            (type(link.plugin).__doc__ or "").splitlines()[0],
        )
        for link in links
    ]
    variables = [(f"`{name}`", meaning) for name, meaning in CONTEXT_VARIABLES.items()]
    return "\n\n".join(
        [
            "# Plugins",
            f"The default chain, in its order: higher priority runs first. {_MADE}",
            table(("priority", "plugin", "runs when", "asks", "is handed credentials", "does"), rows),
            "## Context variables",
            table(("variable", "says"), variables),
        ]
    )


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "docs/reference/traceability.md": traceability,
    "docs/reference/reasons.md": reasons,
    "docs/reference/plugins.md": plugins,
    "docs/reference/metrics.md": lambda: metrics_page.render(_MADE),
    "docs/reference/settings.md": lambda: settings_page.render(_MADE),
    "docs/reference/commands.md": lambda: commands_page.render(_MADE),
}


def stale(pages: Mapping[str, Callable[[], str]]) -> dict[str, str]:
    """The pages that are not what the code says, and what they should be; a path is relative to the project."""
    made = {path: make() for path, make in pages.items()}
    return {path: text for path, text in made.items() if not _is_current(ROOT / path, text)}


def write(found: Mapping[str, str]) -> None:
    """Write pages."""
    for path, text in found.items():
        page = ROOT / path
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(text, encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Write or check; the exit code."""
    if arguments not in (["--write"], ["--check"]):
        sys.stderr.write("usage: python -m tests.docs.generate --write | --check\n")
        return 2
    found = stale(PAGES)
    writes = arguments == ["--write"]
    if writes:
        write(found)
    for path in found:
        sys.stderr.write(f"{path} {'written' if writes else 'is out of date: run make fix'}\n")
    return int(bool(found) and not writes)


def _is_current(page: Path, text: str) -> bool:
    return page.exists() and page.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
