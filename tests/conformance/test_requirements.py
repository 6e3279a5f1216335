"""The manifest, in both directions."""

from __future__ import annotations

import re

import pytest
from tests.conformance.requirements import GAPS, REQUIREMENTS
from tests.conformance.traceability import collect, render, tags_of

from ostiary.plugins.chain import SHIPPED

pytestmark = pytest.mark.timeout(120)  # the whole suite is collected
WHOLE = {gap.requirement for gap in GAPS if gap.whole}


def test_every_requirement_has_a_test_or_is_a_known_gap() -> None:
    """Conventions 20."""
    assert [name for name in REQUIREMENTS if name not in collect() and name not in WHOLE] == []


def test_every_tag_names_a_requirement() -> None:
    """Conventions 20: a misspelt tag would show nothing."""
    assert {name: tests for name, tests in collect().items() if name not in REQUIREMENTS} == {}


def test_a_gap_that_got_closed_is_no_gap() -> None:
    """Conventions 20: a known gap is data; it goes when its part comes."""
    assert [name for name in WHOLE if name in collect()] == []
    assert [gap.requirement for gap in GAPS if gap.plugin in SHIPPED] == []
    assert {gap.requirement for gap in GAPS} <= set(REQUIREMENTS)
    assert len({gap.requirement for gap in GAPS}) == len(GAPS)


def test_the_ids_are_the_specs_and_none_is_left_out() -> None:
    """002: 17 functional requirements, 7 outcomes, 15 scenarios of 4 stories, 6 edge cases."""
    counts = {"FR-": 17, "SC-": 7, "edge-": 6, "US1-": 3, "US2-": 5, "US3-": 3, "US4-": 4}
    expected = {
        prefix + (f"{number:03}" if prefix in {"FR-", "SC-"} else str(number))
        for prefix, count in counts.items()
        for number in range(1, count + 1)
    }
    assert set(REQUIREMENTS) == expected


def test_the_page_names_every_requirement_every_test_and_every_gap() -> None:
    """Ours: `docs/reference/traceability.md`."""
    page = render({"FR-013": ["tests/a/test_b.py::TestC::test_d_is_e"]})
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == list(REQUIREMENTS)
    assert "- d is e ([tests/a/test_b.py](../../tests/a/test_b.py))\n" in page
    assert all(gap.missing in page for gap in GAPS)
    assert "\n\n\n" not in page


@pytest.mark.parametrize("number", [1, 2])
def test_a_tag_is_read_from_the_mark_without_parameters(number: int, request: pytest.FixtureRequest) -> None:
    """Ours: the reader of tags is itself tested."""
    request.node.add_marker(pytest.mark.requirement("edge-1", "FR-013"))
    name = "tests/conformance/test_requirements.py::test_a_tag_is_read_from_the_mark_without_parameters"
    assert tags_of([request.node, request.node]) == {"FR-013": [name], "edge-1": [name]}
