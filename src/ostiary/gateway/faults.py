"""How this room fails to start, and how it says what happens afterwards."""

from __future__ import annotations

from typing import Protocol


class StartFault(Exception):  # noqa: N818 - a fault of the surroundings, not of ours
    """The gateway cannot start as it is configured, here and now; the text is for the operator. Exit code 2."""


class Log(Protocol):
    """Where events go: one structured line each."""

    def __call__(self, level: str, event: str, /, **fields: object) -> None:
        """Say it. `level` is `debug`, `info`, `warning` or `error`; fields never hold a credential."""
        ...
