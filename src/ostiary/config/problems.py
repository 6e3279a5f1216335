"""What is wrong with the file: what, where and a hint, all of it at once.

No problem repeats a value of the file, because a value may be a secret in the wrong place; the position says where to
look. Every `what` is a sentence that begins with the key: a check writes only how it goes on ("names no route").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

KeyPath = tuple[str | int, ...]
"""The way from the top of the file to a value: keys of mappings, indices of lists."""

# A key, or a name that a person has chosen. Of anything else that stands where a key should the place is told alone:
# where the blank is forgotten (`client_secret:hunter2`), key and secret are one word.
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DOTTED_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HIDDEN = "?"
# No key of the file has a digit, and none is longer.
_LIKE_A_KEY = re.compile(r"[A-Za-z]+(?:[_-][A-Za-z]+)*")
_LONGEST_KEY = 32


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Position:
    """A place in the file. Lines and columns count characters from 1, as editors do."""

    line: int
    column: int
    file: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong. `where` is None only when there is no file to point into."""

    where: Position | None
    key: str
    what: str
    hint: str
    failure_class: str | None = None

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        slug = f" [{self.failure_class}]" if self.failure_class else ""
        return f"{place}{self.what}{slug}\n  hint: {self.hint}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """What a section's check says: a problem that is addressed by path, counted from the top of the file.

    `what` goes on where the key ends, such as "is missing". A path that the file does not have is named all the same,
    and stands where the nearest thing above it stands.
    """

    path: KeyPath
    what: str
    hint: str
    failure_class: str | None = None


class ConfigurationError(Exception):
    """The file cannot be used. The only exception of this room about the file's content."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=_order))
        super().__init__("\n".join(map(str, self.problems)))


def _order(problem: Problem) -> tuple[int, int, str, str]:
    where = problem.where
    return (where.line, where.column, problem.key, problem.what) if where else (0, 0, problem.key, problem.what)


def key_text(key: str) -> str:
    """A key as a message shows it: what is neither a key nor a name is not shown."""
    if _PLAIN_KEY.fullmatch(key):
        return key
    return f'"{key}"' if _DOTTED_NAME.fullmatch(key) else _HIDDEN


def tell_unknown(path: KeyPath) -> tuple[KeyPath, str]:
    """Of a key that is not known: the path to name, and what to say of it. What may be a secret is not named."""
    key = str(path[-1])
    if len(key) <= _LONGEST_KEY and _LIKE_A_KEY.fullmatch(key):
        return path, "is not a known key"
    return path[:-1], "has a key that is not known"


def sentence(path: KeyPath, what: str) -> str:
    """What is wrong, beginning with the key."""
    return f"`{dotted(path)}` {what}" if path else f"the file {what}"


def dotted(path: KeyPath) -> str:
    """The path in one line, such as `routes[0].match.path`; the empty path is the empty string."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{key_text(step)}" if text else key_text(step)
    return text
