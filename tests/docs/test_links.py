"""Links lead somewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest
from tests.docs.markdown import ROOT, anchors, links, pages, split

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_inside_the_project_leads_somewhere(page: Path) -> None:
    """Ours: file and heading exist, spelt like that. Links to other places are not asked for: tests have no network."""
    prose, _ = split(page)
    assert [target for target in links(prose) if not _leads_somewhere(page, target)] == []


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


def _leads_somewhere(page: Path, target: str) -> bool:
    url = urlsplit(target)
    if url.scheme or url.netloc:
        return url.scheme in {"http", "https", "mailto"}
    file = (page.parent / unquote(url.path)).resolve() if url.path else page
    if not file.exists():
        return False
    return not url.fragment or (file.suffix == ".md" and url.fragment in anchors(split(file)[0]))
