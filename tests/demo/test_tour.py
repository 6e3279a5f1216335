"""The tour as data, and the demo as people and scripts run it."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rich.console import Console
from tests.conformance.requirements import GAPS, REQUIREMENTS

from ostiary.cli import run
from ostiary.demo.running import run_demo
from ostiary.demo.tour import TOUR
from ostiary.demo.visit import Chapter

if TYPE_CHECKING:
    from pathlib import Path

# Whoever is started in the background inherits a SIGINT that is ignored; at a terminal it is not.
_DEMO = """
import runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv[1:] = ["demo"]
runpy.run_module("ostiary", run_name="__main__")
"""
_AT_A_TERMINAL = [sys.executable, "-c", _DEMO]
VISITS = [visit for chapter in TOUR for visit in chapter.visits]


def test_every_story_and_every_edge_case_has_a_visit() -> None:
    """Ours: the demo shows every user story and edge case of spec 002."""
    shown = {requirement for visit in VISITS for requirement in visit.shows}
    assert shown <= set(REQUIREMENTS)
    wanted = {name for name in REQUIREMENTS if name.startswith(("US", "edge"))}
    assert wanted - shown - {gap.requirement for gap in GAPS} == set()


def test_a_title_stands_once() -> None:
    """Ours: a failed visit is named by its title."""
    titles = [visit.title for visit in VISITS]
    assert len(set(titles)) == len(titles)


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `piped` leaves the picture."""
    return tmp_path_factory.mktemp("picture") / "tour.svg"


@pytest.fixture(scope="module")
def piped(tmp_path_factory: pytest.TempPathFactory, picture: Path) -> subprocess.CompletedProcess[str]:
    """`ostiary demo` as a script runs it."""
    environ = {**os.environ, "TMPDIR": str(tmp_path_factory.mktemp("d")), "COLUMNS": "200"}
    command = [sys.executable, "-m", "ostiary", "demo", "--svg", str(picture)]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=55, check=False)  # noqa: S603 - ours


def test_the_demo_ends_with_0_when_every_answer_is_the_expected_one(piped: subprocess.CompletedProcess[str]) -> None:
    """`configuration.md`: exits 0 where it is no terminal."""
    assert piped.returncode == 0, piped.stdout + piped.stderr
    assert f"{len(VISITS)} of {len(VISITS)} answers" in piped.stdout


def test_piped_it_is_plain_and_fits_80_columns(piped: subprocess.CompletedProcess[str]) -> None:
    """Conventions: output is plain when piped."""
    assert "\x1b" not in piped.stdout
    assert max(map(len, piped.stdout.splitlines())) <= 80
    assert not piped.stderr


def test_as_json_each_visit_has_its_reference_and_reason(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Conventions: `--json` wherever a script may read it."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert run(["demo", "--json"], {}) == 0
    visits = json.loads(capsys.readouterr().out)
    assert [visit["title"] for visit in visits] == [visit.title for visit in VISITS]
    assert all(visit["reference"] for visit in visits)
    assert [visit["unexpected"] for visit in visits] == [[]] * len(visits)


def test_an_unexpected_answer_is_named_and_ends_with_1() -> None:
    """Ours: a tour that cannot fail shows nothing."""
    first = VISITS[0]
    wrong = replace(first, expected={**first.expected, "status": "200"})
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=False)
    tour = [Chapter(title="One", question="?", visits=(wrong,))]
    assert asyncio.run(run_demo(console, serve=False, log=io.StringIO(), tour=tour)) == 1
    assert "status: expected '200', found '401'" in out.getvalue()
    assert repr(first.title) in out.getvalue()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_without_a_traceback(tmp_path: Path, number: signal.Signals) -> None:
    """Ours: it leaves nothing behind."""
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(_AT_A_TERMINAL, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # noqa: S603 - ours
    assert process.stdout is not None
    for line in process.stdout:
        if "No credentials" in line:
            break
    process.send_signal(number)
    printed, said = process.communicate(timeout=30)
    assert process.returncode == 130, printed + said
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("piped")
def test_the_picture_is_self_contained(picture: Path) -> None:
    """Ours: README shows it, and fetches nothing for it."""
    text = picture.read_text(encoding="utf-8")
    assert set(re.findall(r"https?://([a-z0-9.-]+)", text)) <= {"127.0.0.1", "www.w3.org"}
    assert "@font-face" not in text
