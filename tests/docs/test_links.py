"""Links lead somewhere."""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

import pytest
from tests.docs.markdown import ROOT, anchors, links, pages, split

if TYPE_CHECKING:
    from pathlib import Path

SOURCE: Final = ROOT / "src" / "ostiary"


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_inside_the_project_leads_somewhere(page: Path) -> None:
    """Ours: file and heading exist, spelt like that. Links to other places are not asked for: tests have no network."""
    prose, _ = split(page)
    assert [target for target in links(prose) if not _leads_somewhere(page, target)] == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_module_that_a_page_names_is_there(page: Path) -> None:
    """Ours: `room/file.py` in prose is a place in the source, or a path from the root."""
    prose, _ = split(page)
    named = re.findall(r"`([a-z_]+/[a-z_/]+\.py)`", prose)
    assert [name for name in named if not any((root / name).is_file() for root in (SOURCE, ROOT))] == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_test_that_a_page_names_is_there(page: Path) -> None:
    """Ours: `tests/room/test_x.py::test_y` in prose is a test."""
    prose, _ = split(page)
    named = re.findall(r"`(tests/[a-z0-9_/]+\.py)::(\w+)`", prose)
    assert [f"{file}::{name}" for file, name in named if name not in _functions(file)] == []


def test_every_room_has_its_row_in_the_architecture() -> None:
    """Ours: a room that is not on the plan is not found."""
    prose, _ = split(ROOT / "ARCHITECTURE.md")
    rooms = {folder.parent.name for folder in SOURCE.glob("*/__init__.py")}
    assert rooms == set(re.findall(r"^\| `([a-z]+)` \| `", prose, re.MULTILINE))


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    """Ours: the test above is itself tested."""
    page = tmp_path / "page.md"
    page.write_text("# A `b` c\n\n[x](page.md#a-b-c) [y](page.md#d) ![z](no.svg) [u]\n\n[u]: none.md\n\n`[n](n.md)`\n")
    prose, _ = split(page)
    assert [target for target in links(prose) if not _leads_somewhere(page, target)] == [
        "page.md#d",
        "no.svg",
        "none.md",
    ]


@cache
def _functions(file: str) -> frozenset[str]:
    nodes = ast.parse((ROOT / file).read_text(encoding="utf-8")).body if (ROOT / file).is_file() else []
    return frozenset(node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _leads_somewhere(page: Path, target: str) -> bool:
    url = urlsplit(target)
    if url.scheme or url.netloc:
        return url.scheme in {"http", "https", "mailto"}
    file = (page.parent / unquote(url.path)).resolve() if url.path else page
    if not file.exists():
        return False
    return not url.fragment or (file.suffix == ".md" and url.fragment in anchors(split(file)[0]))
