"""`docs/standards.md` names modules and tests that exist: what is done is done somewhere, and shown by something."""

from __future__ import annotations

import re
from typing import Final

import pytest
from tests.docs.markdown import ROOT, split

_PROSE: Final = split(ROOT / "docs" / "standards.md")[0]
_ROW: Final = re.compile(
    r"^\| (?P<standard>[^|]+) \| [^|]+ \| `(?P<module>[^`|]+)` \| `(?P<test>[^`|]+)` \|$", re.MULTILINE
)
ROWS: Final = tuple(_ROW.finditer(_PROSE))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["standard"])
def test_a_row_names_a_module_and_a_test(row: re.Match[str]) -> None:
    """Issue 8: RFC section → module → test; that the test is there, `test_links` sees to."""
    assert (ROOT / "src" / "ostiary" / row["module"]).is_file()
    assert re.fullmatch(r"tests/[a-z0-9_/]+\.py::test_\w+", row["test"])


def test_every_row_of_what_is_done_is_read() -> None:
    """Ours: a row of another form would be left out in silence."""
    done = _PROSE.split("## Done\n")[1].split("\n## ")[0]
    assert len(ROWS) == done.count("\n| ") - 1
