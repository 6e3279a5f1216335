"""The unit for systemd, judged by systemd."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.docs.markdown import ROOT

UNIT = ROOT / "deploy" / "systemd" / "ostiary.service"
ANALYZE = shutil.which("systemd-analyze")

pytestmark = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not here")


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    assert ANALYZE is not None
    return subprocess.run(  # noqa: S603 - ours
        [ANALYZE, *arguments], capture_output=True, text=True, timeout=30, check=False
    )


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit, with the program where it is here."""
    here = Path(sys.executable).with_name("ostiary")
    path = tmp_path / UNIT.name
    path.write_text(UNIT.read_text(encoding="utf-8").replace("/opt/ostiary/bin/ostiary", str(here)), encoding="utf-8")
    return path


def test_the_unit_has_no_mistake(unit: Path) -> None:
    """Ours: an unknown key is only warned of, and then does nothing."""
    found = analyze("verify", "--man=no", str(unit))
    assert (found.returncode, found.stderr.strip()) == (0, "")


def test_a_mistake_would_be_found(unit: Path) -> None:
    """Ours: the check is itself checked."""
    unit.write_text(unit.read_text(encoding="utf-8").replace("ProtectHome=", "ProtectHomes="), encoding="utf-8")
    assert "ProtectHomes" in analyze("verify", "--man=no", str(unit)).stderr


def test_what_the_service_may_do_is_little(unit: Path) -> None:
    """Ours: systemd's own measure, from 0 (nothing) to 10 (everything)."""
    found = analyze("security", "--offline=yes", "--threshold=20", str(unit))  # tenths
    assert found.returncode == 0, found.stdout[-400:]
