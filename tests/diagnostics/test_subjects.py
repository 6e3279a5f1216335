"""The key under which subjects are hidden: one for a `data_dir`, whoever comes first."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from ostiary.diagnostics.subjects import SubjectMask, load_subject_key

if TYPE_CHECKING:
    from pathlib import Path


def test_all_who_begin_at_once_have_one_key(tmp_path: Path) -> None:
    """`operator.md`: HMAC under a key in `data_dir`."""
    with ThreadPoolExecutor(16) as pool:
        keys = set(pool.map(load_subject_key, [tmp_path] * 64))

    assert len(keys) == 1
    (path,) = tmp_path.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_subject_key(tmp_path) in keys


def test_a_key_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    """Ours: an empty key would hide nothing."""
    (tmp_path / "subject.key").write_bytes(b"short")

    with pytest.raises(OSError, match=r"subject\.key") as refused:
        load_subject_key(tmp_path)

    assert "short" not in str(refused.value).replace("is shorter", "")


def test_a_mask_shows_neither_key_nor_subject_and_tells_people_apart() -> None:
    """Ours: same person, same mask, under the same key only."""
    mask, other = SubjectMask(b"k" * 32), SubjectMask(b"l" * 32)

    assert mask.name("alice") == mask.name("alice")
    assert len({mask.name("alice"), mask.name("bob"), other.name("alice")}) == 3
    assert "alice" not in mask.name("alice")
    assert "kkk" not in repr(mask)
    assert mask.name("\ud800").startswith("hmac:")
