"""Laws that hold for every plugin that ships, read from its source."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest
from tests.decision_table import ROWS

import ostiary.plugins
from ostiary.decision.reasons import CONSEQUENCES, Reason
from ostiary.plugins import questions
from ostiary.plugins.chain import SHIPPED
from ostiary.plugins.plugin import TERMS

# The two modules that speak the protocol itself: a question yields itself, the drivers pass it on.
MECHANISM = {"drivers.py", "questions.py"}
SOURCES = sorted(Path(ostiary.plugins.__path__[0]).glob("*.py"))
PLUGINS = [path for path in SOURCES if path.name not in MECHANISM]


def _yields(path: Path) -> list[ast.Yield | ast.YieldFrom]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.Yield | ast.YieldFrom)]


def _question(node: ast.Yield | ast.YieldFrom) -> str | None:
    """X of `yield from X(…).ask()`; None for any other form."""
    match node:
        case ast.YieldFrom(
            value=ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id=name)), attr="ask"), args=[], keywords=[])
        ):
            return name
        case _:
            return None


@pytest.mark.parametrize("path", PLUGINS, ids=lambda path: path.name)
def test_a_plugin_asks_in_one_way_alone(path: Path) -> None:
    """architecture.md, the keystone: a bare `yield` is typed as every fact and proves nothing."""
    asked = [_question(node) for node in _yields(path)]
    assert None not in asked
    assert all(hasattr(questions, name) for name in asked if name is not None)


def test_what_a_plugin_asks_is_what_its_terms_list() -> None:
    """architecture.md: the table says which questions it may ask."""
    for name, link in SHIPPED.items():
        source = Path(inspect.getfile(type(link.plugin)))
        asked = {_question(node) for node in _yields(source)}
        assert asked == {question.__name__ for question in TERMS[name].questions}


def test_the_law_is_read_from_all_of_the_room() -> None:
    """Ours: a file that was moved would be judged by nobody."""
    assert {Path(inspect.getfile(type(link.plugin))) for link in SHIPPED.values()} <= set(PLUGINS)
    assert {path.name for path in SOURCES} >= MECHANISM


NOT_OF_THE_CHAIN = {
    Reason.ROUTE_UNMATCHED,  # the router's
    Reason.TARGET_NOT_CANONICAL,  # a door's
    Reason.GENERATION_UNKNOWN,  # the worker's
    Reason.JUDGE_FAILED,  # the judge's
}


def test_every_reason_that_the_chain_can_come_to_has_a_row_of_the_table() -> None:
    """Ours: a reason that no request shows is a promise that nobody tried."""
    shown = {row.reason for row in ROWS if row.reason is not None}
    edge = {reason for reason in Reason if CONSEQUENCES[reason].status is None}
    assert shown == set(Reason) - edge - NOT_OF_THE_CHAIN
