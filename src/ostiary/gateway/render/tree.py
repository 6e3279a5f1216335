"""What Envoy's files are made of: JSON, in the words of its protocol buffers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

# Covariant, so that a list of mappings is a node without saying so.
Node: TypeAlias = "bool | int | float | str | Sequence[Node] | Mapping[str, Node] | None"
Tree: TypeAlias = Mapping[str, Node]


def typed(kind: str, **fields: Node) -> Tree:
    """A message that says its own type (`google.protobuf.Any` in JSON)."""
    return {"@type": "type.googleapis.com/" + kind, **fields}


def duration(seconds: float) -> str:
    """`google.protobuf.Duration` in JSON: seconds, up to nine digits behind the point."""
    return f"{seconds:.9f}".rstrip("0").rstrip(".") + "s"


def literal(text: str) -> str:
    """A fixed text where Envoy reads a format: a lone `%` refuses the whole listener."""
    return text.replace("%", "%%")


def to_text(tree: Tree) -> str:
    """A file's content. JSON is YAML, and nothing in it can be taken for a date, a number or a `yes`."""
    return json.dumps(tree, indent=1, ensure_ascii=True) + "\n"
