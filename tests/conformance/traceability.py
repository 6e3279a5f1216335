"""Which tests there are, and which requirement they show: asked of pytest itself, so that no text is searched for tags.

Pytest collects the whole suite in a process of its own, so that the answer does not depend on what the caller was
asked to run.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypedDict

import pytest
from tests.conformance.requirements import GAPS, REQUIREMENTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROOT: Final = Path(__file__).resolve().parents[2]


def tags_of(items: Iterable[pytest.Item]) -> dict[str, list[str]]:
    """Requirement → its tests, `file::name` without parameters, in order."""
    found: dict[str, set[str]] = {}
    for item in items:
        for mark in item.iter_markers("requirement"):
            for requirement in mark.args:
                found.setdefault(requirement, set()).add(item.nodeid.partition("[")[0])
    return {requirement: sorted(tests) for requirement, tests in sorted(found.items())}


class Suite(TypedDict):
    """The whole suite: `file::name` of every test, and the tags."""

    tests: list[str]
    tags: dict[str, list[str]]


@cache
def suite() -> Suite:
    """What pytest collects, long tests too.

    Raises:
        CalledProcessError: a file of the suite cannot be collected; its error is on standard error.
    """
    asked = [sys.executable, "-m", "tests.conformance.traceability"]
    done = subprocess.run(asked, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=110, check=True)  # noqa: S603 - ours
    found: Suite = json.loads(done.stdout)
    return found


def collect() -> Mapping[str, list[str]]:
    """The tags of the whole suite, as `suite` has them."""
    return suite()["tags"]


def render(tags: Mapping[str, list[str]]) -> str:
    """The page: each requirement, its sentence, the tests that show it, and what nothing shows yet."""
    gaps = {gap.requirement: gap for gap in GAPS}
    intro = (
        "Specification 002's sentences in our words. Made from the tags of the tests by `make fix`; edit those instead."
    )
    parts = ["# Requirements and the tests that show them", intro]
    for requirement in REQUIREMENTS.values():
        parts += [f"## {requirement.id}", requirement.sentence]
        gap = gaps.get(requirement.id)
        if gap is not None:
            parts.append(f"**Open**: {gap.missing}. Closed by {gap.closed_by}.")
        tests = tags.get(requirement.id)
        if tests:
            parts.append("\n".join(map(_sentence, tests)))
    return "\n\n".join(parts) + "\n"


def _sentence(test: str) -> str:
    """A test's name is a sentence."""
    file, _, name = test.partition("::")
    words = name.rpartition("::")[2].removeprefix("test_").replace("_", " ")
    return f"- {words} ([{file}](../../{file}))"


class _Collected:
    """Keeps what was collected, before anything is deselected."""

    def __init__(self) -> None:
        self.suite: Suite = {"tests": [], "tags": {}}

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self.suite = {"tests": sorted({item.nodeid.partition("[")[0] for item in items}), "tags": tags_of(items)}


def _main() -> int:
    collected = _Collected()
    said = StringIO()
    with redirect_stdout(said):
        code = pytest.main(["--collect-only", str(ROOT / "tests")], plugins=[collected])
    if code:
        sys.stderr.write(said.getvalue())
    sys.stdout.write(json.dumps(collected.suite))
    return code


if __name__ == "__main__":
    sys.exit(_main())
