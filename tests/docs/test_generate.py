"""The reference says what the code says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.docs.commands_page import commands as cli_commands
from tests.docs.generate import PAGES, stale, write
from tests.docs.markdown import table
from tests.docs.metrics_page import TYPES

from ostiary.decision.reasons import Reason
from ostiary.diagnostics.metrics import Metrics
from ostiary.judge.route_settings import RouteSettings
from ostiary.plugins.chain import SHIPPED
from ostiary.plugins.exchange import CONTEXT_VARIABLES

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.timeout(120)  # one of them collects the whole suite
@pytest.mark.parametrize("name", PAGES)
def test_every_generated_page_is_current(name: str) -> None:
    """Conventions 21; `make fix` renders them."""
    assert list(stale({name: PAGES[name]})) == []


def test_every_reason_plugin_and_variable_has_its_row() -> None:
    """Conventions 21: each must appear in the reference."""
    reasons, plugins = PAGES["docs/reference/reasons.md"](), PAGES["docs/reference/plugins.md"]()
    assert [reason for reason in Reason if f"| `{reason}` |" not in reasons] == []
    assert [name for name in (*SHIPPED, *CONTEXT_VARIABLES) if f"| `{name}` |" not in plugins] == []


def test_every_setting_and_command_says_something() -> None:
    """Conventions 21: each must appear in the reference."""
    settings, commands = PAGES["docs/reference/settings.md"](), PAGES["docs/reference/commands.md"]()
    rows = [line for line in settings.splitlines() if line.startswith("| `")]
    assert [row for row in rows if row.endswith("|  |")] == []
    assert [name for name in RouteSettings.model_fields if f"| `[].{name}` |" not in settings] == []
    assert [words for words in cli_commands() if f"Usage: ostiary {' '.join(words)} [OPTIONS]" not in commands] == []


def test_every_metric_of_an_exposition_has_its_row_with_its_type() -> None:
    """Conventions 21, for metrics: what is scraped is what the reference names."""
    metrics = Metrics()
    metrics.count_cache_entries(lambda: 0)
    families = text_string_to_metric_families(metrics.exposition().decode())
    shown = {(family.name, family.type) for family in families}
    # The parser leaves out the suffix that the type brings.
    assert shown == {(row.name.removesuffix("_total"), kind) for kind, rows in TYPES.items() for row in rows}


def test_a_page_that_is_out_of_date_is_found_and_written(tmp_path: Path) -> None:
    """Ours: the check is itself tested."""
    name = str(tmp_path / "reference" / "page.md")
    pages = {name: lambda: "new\n"}
    found = stale(pages)
    assert list(found) == [name]
    write(found)
    assert stale(pages) == {}
    assert list(stale({name: lambda: "newer\n"})) == [name]


def test_a_bar_in_a_cell_is_escaped() -> None:
    """Ours: it would be a column."""
    assert table(("a",), [("b|c",)]) == "| a |\n| --- |\n| b\\|c |"
