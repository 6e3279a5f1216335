"""`docs/standards.md` names modules and tests that exist: what is done is done somewhere, and shown by something."""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import Final

import pytest
from tests.docs.markdown import ROOT, split

_PROSE: Final = split(ROOT / "docs" / "standards.md")[0]
_ROW: Final = re.compile(
    r"^\| (?P<standard>[^|]+) \| [^|]+ \| `(?P<module>[^`|]+)` \| `(?P<test>[^`|]+)` \|$", re.MULTILINE
)
ROWS: Final = tuple(_ROW.finditer(_PROSE))


@cache
def names_in(file: str) -> frozenset[str]:
    """The names of a file's tests."""
    nodes = ast.parse((ROOT / file).read_text(encoding="utf-8")).body
    return frozenset(node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["standard"])
def test_a_row_names_a_module_and_a_test_that_are_there(row: re.Match[str]) -> None:
    """Issue 8: RFC section → module → test."""
    assert (ROOT / "src" / "ostiary" / row["module"]).is_file()
    file, _, name = row["test"].partition("::")
    assert name in names_in(file)


def test_every_row_of_what_is_done_is_read() -> None:
    """Ours: a row of another form would be left out in silence."""
    done = _PROSE.split("## Done\n")[1].split("\n## ")[0]
    assert len(ROWS) == done.count("\n| ") - 1
