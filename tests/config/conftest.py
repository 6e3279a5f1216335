"""Loading text as the file would be loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ostiary.config import AnySection, Configuration, ConfigurationError, Problem, load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

NO_ENVIRONMENT: Mapping[str, str] = {}


@pytest.fixture
def loaded(tmp_path: Path) -> Callable[..., Configuration]:
    """Load text behind a valid first line, from a file in `tmp_path`."""

    def run(
        text: str, *sections: AnySection, environ: Mapping[str, str] = NO_ENVIRONMENT, later: Sequence[str] = ()
    ) -> Configuration:
        path = tmp_path / "ostiary.yaml"
        path.write_text(f"version: 1\n{text}", encoding="utf-8")
        return load(path, sections, environ, later=later)

    return run


@pytest.fixture
def problems(loaded: Callable[..., Configuration]) -> Callable[..., tuple[Problem, ...]]:
    """The same; what is wrong with it, or nothing."""

    def run(
        text: str, *sections: AnySection, environ: Mapping[str, str] = NO_ENVIRONMENT, later: Sequence[str] = ()
    ) -> tuple[Problem, ...]:
        try:
            loaded(text, *sections, environ=environ, later=later)
        except ConfigurationError as error:
            return error.problems
        return ()

    return run
