"""Every decision is listed and has the same form; every dependency has its reasons."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Final

import pytest
from tests.docs.markdown import ROOT, links, split

if TYPE_CHECKING:
    from pathlib import Path

ADR: Final = ROOT / "docs" / "adr"
PAGES: Final = tuple(sorted(page for page in ADR.glob("*.md") if page.name != "README.md"))
PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_index_lists_every_decision_once() -> None:
    """Ours: a decision that nobody finds is taken again."""
    prose, _ = split(ADR / "README.md")
    listed = [target for target in links(prose) if "/" not in target]
    assert sorted(listed) == [page.name for page in PAGES]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_decision_says_what_it_is_and_whether_it_holds(page: Path) -> None:
    """Conventions: one page, in one form."""
    lines = page.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# ")
    assert lines[2].startswith("**Status**: ")
    assert len(lines) <= 90, "one page"


@pytest.mark.parametrize(
    "requirement",
    [
        *PROJECT["project"]["dependencies"],
        *(each for extra in PROJECT["project"]["optional-dependencies"].values() for each in extra),
    ],
)
def test_every_dependency_that_ships_has_its_decision(requirement: str) -> None:
    """Conventions: a dependency is admitted by a page that says what it does, who keeps it and what else there was."""
    name = _name(requirement)
    titles = [page.read_text(encoding="utf-8").splitlines()[0] for page in ADR.glob("dependency-*.md")]
    named = {word.strip(",:`").lower() for title in titles for word in title.split()}
    assert name in named or name == PROJECT["project"]["name"]


@pytest.mark.parametrize("requirement", [each for group in PROJECT["dependency-groups"].values() for each in group])
def test_every_tool_has_its_row(requirement: str) -> None:
    """Conventions, as above; tools are small enough for a row each."""
    assert f"| `{_name(requirement)}`" in (ADR / "dependency-development-tools.md").read_text(encoding="utf-8")


def _name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None
    return found[0].lower()
