"""One file → one frozen value, or all that is wrong with it in one exception."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, Field, RootModel, ValidationError

from ostiary.config.document import MAXIMUM_BYTES, Document, Value, read
from ostiary.config.files import read_regular
from ostiary.config.problems import ConfigurationError, KeyPath, Problem, dotted, sentence, tell_unknown
from ostiary.config.secrets import Secret, SecretReference, Unresolved, resolve
from ostiary.config.section import AnySection, Configuration
from ostiary.config.settings import LATER_HINT, NOT_IN_THIS_VERSION, Settings, expected
from ostiary.config.shape import Shape
from ostiary.config.wording import Fault, faults, nearest_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

ModelT = TypeVar("ModelT", bound=BaseModel)

VERSION = 1
DEFAULT_DATA_DIR = "./var"
# unix(7): 108 bytes with the closing NUL. Up to a hundred workers have a socket each.
MAXIMUM_SOCKET_PATH_BYTES = 107
LONGEST_SOCKET_NAME = "decision-00.sock"


def _our_version(version: int) -> int:
    if version != VERSION:
        raise expected(f"{VERSION}", "This is the only version of the file that this program reads.")
    return version


class Frame(Settings):
    """What belongs to no room: the keys of the top that are not sections."""

    version: Annotated[int, AfterValidator(_our_version), Field(json_schema_extra={"const": VERSION})]
    """Of the file's format."""
    data_dir: str = Field(default=DEFAULT_DATA_DIR, min_length=1)
    """Sockets, Envoy's files and SQLite; made on first use, for this user alone (0700)."""


def load(
    path: Path, sections: Iterable[AnySection], environ: Mapping[str, str], *, later: Iterable[str] = ()
) -> Configuration:
    """Read a file.

    Args:
        path: the file; messages show it as it is given here.
        sections: what the file may hold.
        environ: the environment that `{env: NAME}` looks into.
        later: names of sections that the contract knows and this version does not have.

    Raises:
        ConfigurationError: with every problem at once.
    """
    return load_bytes(read_file(path), sections, environ, origin=path, later=later)


def read_file(path: Path) -> bytes:
    """The bytes of a file, for `load_bytes`; of one that is too large a byte more than may be.

    Raises:
        ConfigurationError: it cannot be read, or is no regular file but a pipe, perhaps.
    """
    try:
        return read_regular(path, MAXIMUM_BYTES + 1)
    except OSError as error:
        what = f"the file {path} cannot be read: {(error.strerror or 'nobody says why').lower()}"
    raise ConfigurationError([Problem(where=None, key="", what=what, hint="Name another file with `-c FILE`.")])


def load_bytes(
    data: bytes,
    sections: Iterable[AnySection],
    environ: Mapping[str, str],
    *,
    origin: Path,
    later: Iterable[str] = (),
    unresolved: Iterable[str] = (),
) -> Configuration:
    """Read the bytes of a file, perhaps an older copy of it.

    Args:
        data: of the file.
        sections, environ, later: as in `load`.
        origin: where relative paths and messages belong to.
        unresolved: names of sections whose secrets are another process's: they are not looked for.

    Raises:
        ConfigurationError: with every problem at once.
    """
    document = read(data, str(origin))
    run = _Run(document=document, origin=origin.absolute(), environ=environ, unresolved=frozenset(unresolved))
    configuration = run.configuration(tuple(sections), frozenset(later), hashlib.sha256(data).hexdigest())
    if run.problems:
        raise ConfigurationError(run.problems)
    return configuration


@dataclass(slots=True)
class _Run:
    document: Document
    origin: Path
    environ: Mapping[str, str]
    unresolved: frozenset[str]
    problems: list[Problem] = field(default_factory=list)

    def configuration(self, sections: Sequence[AnySection], later: frozenset[str], digest: str) -> Configuration:
        value = self.document.value
        models = {section.name: section.model for section in sections}
        self.unknown_keys(models.keys(), later)
        self.refusals(models)
        frame = self.validated(Frame, {name: value[name] for name in Frame.model_fields if name in value}, ())
        valid: dict[str, BaseModel] = {}
        for name, model in models.items():
            if name in value:
                found = self.validated(model, value[name], (name,))
                if found is not None:
                    valid[name] = found
        resolved = [settings for settings in valid.items() if settings[0] not in self.unresolved]
        secrets = {path: secret for name, settings in resolved for path, secret in self.secrets(settings, (name,))}
        for section in sections:
            if section.required is not None and section.name not in value:
                self.add((section.name,), "is missing", section.required)
        configuration = Configuration(
            path=self.origin,
            version=VERSION,
            data_dir=self.data_dir(frame),
            sections=valid,
            secrets=secrets,
            positions=self.document.positions,
            bytes_sha256=digest,
            unresolved=self.unresolved,
            broken=frozenset(models.keys() & value.keys() - valid.keys()),
        )
        for section in sections:
            if section.name in valid:
                for each in section.check(valid[section.name], configuration):
                    self.add(each.path, each.what, each.hint, each.failure_class)
        return configuration

    def add(
        self,
        path: KeyPath,
        what: str,
        hint: str,
        failure_class: str | None = None,
        *,
        at_key: bool = False,
        named: KeyPath | None = None,
    ) -> None:
        """Note a problem at `path`; the message names it, or only as much of it as `named` is."""
        named = path if named is None else named
        place = self.document.positions.nearest(path)
        # A missing key points at its parent: at the parent's key, so that an editor shows the name.
        absent = path not in self.document.positions.places
        where = place.key if at_key or absent else place.value
        self.problems.append(
            Problem(where=where, key=dotted(named), what=sentence(named, what), hint=hint, failure_class=failure_class)
        )

    def unknown_keys(self, names: Iterable[str], later: frozenset[str]) -> None:
        known = (*Frame.model_fields, *names)
        for key in self.document.value:
            if key in later:
                self.add((key,), NOT_IN_THIS_VERSION, LATER_HINT, at_key=True)
            elif key not in known:
                named, what = tell_unknown((key,))
                self.add((key,), what, nearest_key(key, known), at_key=True, named=named)

    def refusals(self, models: Mapping[str, type[BaseModel]]) -> None:
        """What the reader refused, named no further than it is known, nor than where a secret reference begins."""
        shape_of = cache(lambda name: Shape(models[name]))
        for each in self.document.refused:
            path: KeyPath = ()
            if each.path:
                name = str(each.path[0])
                if name in models:
                    path = (name, *shape_of(name).known(each.path[1:]))
                elif name in Frame.model_fields:
                    path = (name,)
            self.problems.append(
                Problem(where=each.where, key=dotted(path), what=sentence(path, each.what), hint=each.hint)
            )

    def validated(self, model: type[ModelT], value: Value, at: KeyPath) -> ModelT | None:
        """The model, or None with its faults noted."""
        found: list[Fault] = []
        try:
            # As JSON: see `Settings`.
            settings = model.model_validate_json(json.dumps(value))
        except ValidationError as error:
            found = faults(model, error)
        else:
            refused = any(each.path[: len(at)] == at for each in self.document.refused)
            return None if refused else settings
        for fault in found:
            path = (*at, *fault.path)
            if not any(path[:depth] in self.document.lost for depth in range(1, len(path) + 1)):
                named = (*at, *fault.named)
                self.add(path, fault.what, fault.hint, fault.failure_class, at_key=fault.at_key, named=named)
        return None

    def data_dir(self, frame: Frame | None) -> Path:
        path = self.origin.parent / (frame.data_dir if frame else DEFAULT_DATA_DIR)
        longest = len(os.fsencode(path / LONGEST_SOCKET_NAME))
        if longest > MAXIMUM_SOCKET_PATH_BYTES:
            self.add(
                ("data_dir",),
                f"makes socket paths of {longest} bytes; the system allows {MAXIMUM_SOCKET_PATH_BYTES}",
                "Choose a shorter folder, such as one below `/run`.",
            )
        return path

    def secrets(self, found: object, at: KeyPath) -> Iterator[tuple[KeyPath, Secret]]:
        """Resolve every reference inside a valid section."""
        match found:
            case SecretReference():
                secret = resolve(found, self.origin.parent, self.environ)
                if isinstance(secret, Unresolved):
                    self.add(at, secret.what, secret.hint, secret.failure_class)
                else:
                    yield at, secret
            case RootModel():
                yield from self.secrets(found.root, at)
            case BaseModel():
                for name, about in type(found).model_fields.items():
                    key = about.validation_alias if isinstance(about.validation_alias, str) else name
                    yield from self.secrets(getattr(found, name), (*at, key))
            case Mapping():
                for key, inner in found.items():
                    yield from self.secrets(inner, (*at, key))
            case list() | tuple():
                for index, inner in enumerate(found):
                    yield from self.secrets(inner, (*at, index))
            case _:
                return
