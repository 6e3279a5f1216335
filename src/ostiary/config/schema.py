"""The JSON Schema (draft 2020-12) of the whole file, for editors and for the reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import create_model

from ostiary.config.addresses import LISTEN_PATTERN, ListenAddress
from ostiary.config.loading import Frame
from ostiary.config.quantities import DURATION_PATTERN, SIZE_PATTERN, duration_text, size_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ostiary.config.section import AnySection

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TITLE = "The configuration file of Ostiary"

# What a default is inside is not what stands in the file.
_WRITTEN: dict[str, Callable[[Any], str]] = {
    DURATION_PATTERN: duration_text,
    SIZE_PATTERN: size_text,
    LISTEN_PATTERN: lambda address: str(ListenAddress(**address)),
}


def schema(sections: Iterable[AnySection]) -> dict[str, Any]:
    """What the file may hold, as far as a schema can say it: what it accepts may still fail a section's check."""
    sections = tuple(sections)
    fields: dict[str, Any] = {section.name: (section.model, None) for section in sections}
    whole = create_model("File", __base__=Frame, **fields).model_json_schema()
    for name in fields:
        # A section that is not there has no value, which null would claim.
        del whole["properties"][name]["default"]
    whole["required"] += [section.name for section in sections if section.required is not None]
    _write_defaults(whole)
    return {"$schema": DIALECT, **whole, "title": TITLE, "description": TITLE}


def _write_defaults(node: object) -> None:
    match node:
        case dict():
            default = node.get("default")
            if isinstance(default, dict) and "$ref" in node:
                del node["default"]  # each key of it says its own, and as it is written
            elif not isinstance(default, str | None):
                for written in node, *node.get("anyOf", ()):
                    if text := _WRITTEN.get(written.get("pattern", "")):
                        node["default"] = text(default)
            for inner in node.values():
                _write_defaults(inner)
        case list():
            for inner in node:
                _write_defaults(inner)
        case _:
            return
