"""What has no business in the tree: where somebody's machine keeps things, and which registry it uses."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Final

import pytest
from tests.docs.markdown import ROOT

if TYPE_CHECKING:
    from pathlib import Path

RULED_OUT: Final = re.compile(
    r"""(?<![\w.}-])/(?:work|root|home|Users)/          # a folder of one machine
    | (?:^|[^-\w])(?:--)?(?:extra-)?index[-]url\b
    | "resolved"\s*:
    | \b(?:files\.pythonhosted|registry\.npmjs|pypi\.python)\b
    | ^registry\s*=
    """,
    re.VERBOSE | re.MULTILINE,
)


def test_no_file_names_a_registry_or_a_folder_of_one_machine() -> None:
    """Ours: the project is set up from whichever registry a machine is told to use, wherever it was cloned to."""
    assert [f"{file}:{found[0]!r}" for file in _files() for found in RULED_OUT.finditer(_text(file))] == []


@pytest.mark.parametrize(
    "line",
    ["cd /ho" + "me/me/ostiary", "pip install --index" + "-url x", '  "reso' + 'lved": "x"', "regis" + "try = x"],
)
def test_what_is_ruled_out_is_found(line: str) -> None:
    """Ours: the test above is itself tested."""
    assert RULED_OUT.search(line) is not None


def _files() -> list[Path]:
    # In an unpacked archive nobody knows which files are the project's.
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git work tree")
    listed = subprocess.run(  # noqa: S603 - a fixed command
        [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=30,
    )
    names = listed.stdout.decode().split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")
