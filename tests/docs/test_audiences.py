"""The table of `docs/concepts/audiences.md`, judged by the code for the routes that stand above it."""

from __future__ import annotations

import re
from typing import Final

import pytest
from tests.docs.markdown import ROOT, split
from tests.docs.test_examples import FILLING, AnySecret

from ostiary.config import load_bytes
from ostiary.decision.audience import judge_audience
from ostiary.judge.loading import LATER_SECTIONS, judge_sections
from ostiary.judge.route_rules import build_routes
from ostiary.judge.routing import RouteTable

_PROSE, _BLOCKS = split(ROOT / "docs" / "concepts" / "audiences.md")
ROWS: Final = re.findall(r"^\| (?:`([^`]+)`|none) \| `(/[^`]*)` \| (?:`([a-z-]+)`|in) \|$", _PROSE, re.MULTILINE)


@pytest.fixture(scope="module")
def routes() -> RouteTable:
    """What the page's file says."""
    (block,) = (block for block in _BLOCKS if block.language == "yaml")
    text = "\n".join([*FILLING.values(), block.text])
    configuration = load_bytes(
        text.encode(), judge_sections({}), AnySecret(), origin=ROOT / "ostiary.yaml", later=LATER_SECTIONS
    )
    return RouteTable(build_routes(configuration, {}))


@pytest.mark.parametrize(("entry", "path", "reason"), ROWS)
def test_an_entry_opens_what_the_page_says(routes: RouteTable, entry: str, path: str, reason: str) -> None:
    """Conventions: docs are executed."""
    route = routes.match(host="bkapi.example.com", path=path, method="GET")
    assert route is not None
    assert (judge_audience((entry,) if entry else None, route, path).refusal or "") == reason


def test_every_row_of_the_page_is_read() -> None:
    """Ours: a row of another form would be left out in silence."""
    table = _PROSE.split("| the token's audience |")[1].split("\n\n")[0]
    assert len(ROWS) == table.count("\n") - 1 > 0
