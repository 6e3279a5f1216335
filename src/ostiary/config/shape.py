"""Which place of the file an error of pydantic means, found by walking the model's JSON Schema along its location.

A location also holds labels that the file does not have: the tag of a discriminated union, the branch of a plain one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic import BaseModel

    from ostiary.config.problems import KeyPath

Schema = dict[str, Any]
REFERENCE_MARK = "x-ostiary-secret"
_NAME_OF_A_KEY = "[key]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A path below the section; the keys known in its last mapping; whether the key is meant and not its value."""

    path: KeyPath
    known: tuple[str, ...]
    at_key: bool


class Shape:
    """A model as JSON Schema."""

    def __init__(self, model: type[BaseModel]) -> None:
        self._root: Schema = model.model_json_schema()

    def spot(self, location: tuple[str | int, ...], *, unknown_key: bool) -> Spot:
        """The location without its labels. `unknown_key`: its last step is a key that the schema does not have."""
        path: list[str | int] = []
        known: tuple[str, ...] = ()
        here = [self._open(self._root)]
        for step in location:
            if any(_choices(schema) for schema in here):
                here = [self._open(chosen) for schema in here for chosen in self._labelled(schema, step)]
                continue
            known = tuple(dict.fromkeys(key for schema in here for key in schema.get("properties", {})))
            inner = [self._open(found) for schema in here for found in _inside(schema, step)]
            if inner:
                path.append(step)
                here = inner
        if unknown_key and location:
            path.append(location[-1])
        return Spot(path=tuple(path), known=known, at_key=unknown_key or location[-1:] == (_NAME_OF_A_KEY,))

    def known(self, path: KeyPath) -> KeyPath:
        """The path as far as the schema knows it, cut where a secret reference begins: behind it a key may be one."""
        here = list(self._spread(self._root))
        for depth, step in enumerate(path):
            if any(REFERENCE_MARK in schema for schema in here):
                return path[:depth]
            here = [spread for schema in here for found in _inside(schema, step) for spread in self._spread(found)]
            if not here:
                return path[:depth]
        return path

    def _open(self, schema: Schema) -> Schema:
        """Follow references, and see through "or null", for which pydantic writes no label."""
        while True:
            if "$ref" in schema:
                schema = self._root["$defs"][schema["$ref"].rpartition("/")[2]]
            elif len(choices := _choices(schema)) == 1 and "discriminator" not in schema:
                schema = choices[0]
            else:
                return schema

    def _labelled(self, schema: Schema, label: str | int) -> Iterable[Schema]:
        mapping = schema.get("discriminator", {}).get("mapping", {})
        if label in mapping:
            return [{"$ref": mapping[label]}]
        return _choices(schema) or [schema]

    def _spread(self, schema: Schema) -> Iterator[Schema]:
        schema = self._open(schema)
        choices = _choices(schema)
        if not choices:
            yield schema
        for choice in choices:
            yield from self._spread(choice)


def _choices(schema: Schema) -> list[Schema]:
    choices = schema.get("anyOf") or schema.get("oneOf") or []
    return [choice for choice in choices if choice.get("type") != "null"]


def _inside(schema: Schema, step: str | int) -> Iterator[Schema]:
    """What the schema says of the value at `step`."""
    if isinstance(step, int):
        prefix = schema.get("prefixItems", [])
        if step < len(prefix):
            yield prefix[step]
        elif isinstance(items := schema.get("items"), dict):
            yield items
        return
    if step == _NAME_OF_A_KEY:
        return
    if step in schema.get("properties", {}):
        yield schema["properties"][step]
        return
    yield from schema.get("patternProperties", {}).values()
    rest = schema.get("additionalProperties")
    if isinstance(rest, dict):
        yield rest
    elif rest is True:
        yield {}
