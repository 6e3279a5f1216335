"""The index of the attack table, in both directions."""

from __future__ import annotations

from tests.conformance.attacks.index import OPEN, ROWS
from tests.conformance.traceability import suite

# Tests of the tests.
_NO_ATTACKS = {
    "test_server_side_requests.py::test_the_trap_can_be_sprung",
}


def _named() -> set[str]:
    return {test for row in ROWS.values() for tests in row.values() for test in tests}


def test_every_row_of_the_table_is_shown() -> None:
    """Attack table: each row becomes at least one test in this folder, and every test that is named exists."""
    assert _named() - set(suite()["tests"]) == set()
    assert all(tests for row in ROWS.values() for tests in row.values())
    assert set(OPEN) <= set(ROWS)
    for name, row in ROWS.items():
        here = [test for tests in row.values() for test in tests if test.startswith("tests/conformance/attacks/")]
        assert here, name


def test_every_attack_is_in_a_row() -> None:
    """Ours: what is shown here is found there."""
    here = {test for test in suite()["tests"] if test.startswith("tests/conformance/attacks/")}
    assert {test.removeprefix("tests/conformance/attacks/") for test in here - _named()} == _NO_ATTACKS
