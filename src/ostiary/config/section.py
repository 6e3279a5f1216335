"""A section of the file as its room describes it, and the file as checks and rooms see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from ostiary.config.document import Positions
    from ostiary.config.problems import Complaint, KeyPath
    from ostiary.config.secrets import Secret

ModelT = TypeVar("ModelT", bound=BaseModel)


def _no_complaints(_settings: object, _file: Configuration) -> Iterable[Complaint]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Section(Generic[ModelT]):
    """One top-level key of the file.

    `model` is a `Settings` or `RootSettings`. `check` says what a model cannot see; it runs when the section itself is
    valid, and is handed the section and the file as far as it is valid. `default` stands for the section where the file
    has none; a default is not checked. `required`: the hint for a file without the section, where none does without.
    """

    name: str
    model: type[ModelT]
    check: Callable[[ModelT, Configuration], Iterable[Complaint]] = _no_complaints
    default: ModelT | None = None
    required: str | None = None


AnySection = Section[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """One file as a frozen value. Secrets lie apart from the models and never show.

    `path` is the original file, absolute; `bytes_sha256` is hexadecimal. `unresolved` holds the names of sections whose
    secrets are another process's, `broken` those of sections with errors: only a check ever sees it filled.
    """

    path: Path
    version: int
    data_dir: Path
    sections: Mapping[str, BaseModel]
    secrets: Mapping[KeyPath, Secret] = field(repr=False)
    positions: Positions = field(repr=False)
    bytes_sha256: str
    unresolved: frozenset[str] = frozenset()
    broken: frozenset[str] = frozenset()

    @property
    def base_dir(self) -> Path:
        """Where relative paths begin."""
        return self.path.parent

    def find(self, section: Section[ModelT]) -> ModelT | None:
        """The section, its default if the file has none, or None. In a check, None also for a broken one."""
        found = self.sections.get(section.name)
        if isinstance(found, section.model):
            return found
        return None if section.name in self.broken else section.default

    def require(self, section: Section[ModelT]) -> ModelT:
        """The section or its default.

        Raises:
            LookupError: the file has no such section. Whoever needs one lets a check say so first.
        """
        found = self.find(section)
        if found is None:
            raise LookupError(f"{self.path} has no section {section.name!r}")
        return found

    def secret(self, *path: str | int) -> Secret:
        """The secret behind the reference at a path, such as `("authorization_servers", "corp", "client_secret")`.

        Raises:
            KeyError: no reference stands there.
        """
        return self.secrets[path]

    def resolve_path(self, text: str) -> Path:
        """A path of the file, absolute. Relative ones begin at the file's folder; links are not followed."""
        return self.base_dir / text

    def resolve_sqlite_url(self, url: str) -> str:
        """A database URL, where three slashes and a relative path become four and an absolute one; others unchanged."""
        scheme, slashes, rest = url.partition(":///")
        if scheme.partition("+")[0] != "sqlite" or not slashes or rest.startswith(("/", ":memory:", "?")) or not rest:
            return url
        return f"{scheme}:///{self.resolve_path(rest)}"
