"""The page of the settings, from the JSON Schema that editors get."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tests.docs.markdown import table

from ostiary.config import schema
from ostiary.judge.loading import judge_sections

if TYPE_CHECKING:
    from collections.abc import Iterator

Node = dict[str, Any]
_WORD = r'"([A-Za-z0-9][^",{}\[\]]*|\./[a-z]+)"'
_LATER = "not in this version"


def render(made: str) -> str:
    """The page: a table for each section of the file.

    Args:
        made: the sentence that says how it is made.
    """
    whole = schema(judge_sections({}))
    definitions: Node = whole["$defs"]
    intro = (
        "The file is YAML 1.2. Durations are `300s`, `5m`, `200ms`; sizes `64KiB`. Relative paths are relative to the "
        "file. A secret is `{file: PATH}`, `{env: NAME}` or both. `NAME` below is of the operator's choice, `[]` an "
        "entry of a list."
    )
    parts = ["# Settings", f"{intro} {made}"]
    top: Node = {"properties": {}, "required": whole["required"]}
    for name, node in whole["properties"].items():
        if "$ref" not in node:
            top["properties"][name] = node
    parts += ["## The top", _rows(top, definitions)]
    for name, node in whole["properties"].items():
        if "$ref" in node:
            section = definitions[node["$ref"].rpartition("/")[2]]
            parts += [f"## {name}", section["description"], _rows(section, definitions)]
    return "\n\n".join(parts) + "\n"


def _rows(section: Node, definitions: Node) -> str:
    return table(("key", "value", "default", "says"), _keys(section, definitions, ""))


def _keys(node: Node, definitions: Node, at: str) -> Iterator[tuple[str, str, str, str]]:
    """A row for each key of a mapping, and those of the mappings in it."""
    if "items" in node:
        yield from _keys(_resolved(node["items"], definitions), definitions, "[]")
        return
    if node.get("additionalProperties"):
        of = node["additionalProperties"]
        for kind in of.get("oneOf", (of,)):
            inner = _resolved(kind, definitions)
            kind_of = inner.get("properties", {}).get("kind", {}).get("const")
            says = "mapping" if kind_of is None else f"mapping, `kind: {kind_of}`"
            yield (f"`{_join(at, 'NAME')}`", says, "", inner.get("description", ""))
            yield from _keys(inner, definitions, _join(at, "NAME"))
        return
    required = node.get("required", ())
    for name, raw in node.get("properties", {}).items():
        key = _join(at, name)
        inner = _resolved(raw, definitions)
        is_mapping = "properties" in inner and "minProperties" not in inner
        default = "required" if name in required else _default(raw, is_mapping=is_mapping and "anyOf" not in raw)
        yield (f"`{key}`", _kind(raw, definitions), default, inner.get("description", ""))
        if is_mapping or isinstance(inner.get("additionalProperties"), dict):
            yield from _keys(inner, definitions, key)
        for choice in inner.get("anyOf", ()):
            if "properties" in (mapping := _resolved(choice, definitions)) and "minProperties" not in mapping:
                yield from _keys(mapping, definitions, key)


def _join(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def _resolved(node: Node, definitions: Node) -> Node:
    """A node with what it refers to, be it beside null; its own words win."""
    reference = next((each["$ref"] for each in (node, *node.get("anyOf", ())) if "$ref" in each), None)
    return node if reference is None else {**definitions[reference.rpartition("/")[2]], **node}


def _default(node: Node, *, is_mapping: bool) -> str:
    return "" if is_mapping or "default" not in node else _written(node["default"])


def _written(value: object) -> str:
    """A value as YAML has it, in one line: words need no quotes there."""
    text = re.sub(_WORD, r"\1", json.dumps(value))
    return f"`{text}`"


def _kind(raw: Node, definitions: Node) -> str:
    node = _resolved(raw, definitions)
    kind = node.get("type")
    if "anyOf" in node:
        kinds = [_kind(inner, definitions) for inner in node["anyOf"]]
        return " or ".join(dict.fromkeys(kinds))
    if "const" in node:
        return f"`{node['const']}`"
    if "enum" in node:
        allowed = ", ".join(map(_written, node["enum"]))
        return allowed if kind == "string" else f"{allowed}; others: {_LATER}"
    if "minProperties" in node:
        return "secret reference"
    if kind == "array":
        return f"list of {_kind(node['items'], definitions)}"
    return {"object": "mapping", "integer": "number", "null": "null", "string": _text(node)}.get(str(kind), str(kind))


def _text(node: Node) -> str:
    pattern = node.get("pattern", "")
    named = {"ms|s|m": "duration", "KiB|MiB": "size", "https?": "URL"}
    return next((name for part, name in named.items() if part in pattern), "text")
