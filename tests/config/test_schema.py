"""The JSON Schema of the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships no types
from pydantic import Field, JsonValue

from ostiary.config import (
    ConfigurationError,
    Duration,
    IssuerUrl,
    LiftableSize,
    Listen,
    ListenAddress,
    RootSettings,
    SecretReference,
    Section,
    Settings,
    Size,
    Table,
    later,
    load_bytes,
    schema,
)


class Server(Settings):
    kind: Literal["rfc7662"]
    issuer: IssuerUrl
    secret: SecretReference
    timeout: Duration = 2.0


class Other(Settings):
    kind: Literal["bkauth"]


class Servers(RootSettings[Table[Annotated[Server | Other, Field(discriminator="kind")]]]):
    pass


class Limits(Settings):
    size: Size = 1 << 10


class Gate(Settings):
    listen: Listen | None = ListenAddress(host="127.0.0.1", port=8080)
    names: tuple[str, ...] = ()
    size: Size = 1 << 20
    lifted: LiftableSize | None = 512
    shared: Annotated[JsonValue, later(None)] = None
    mode: Annotated[Literal["none", "all"], later("none")] = "none"
    limits: Limits = Limits()


ISSUER = {"kind": "rfc7662", "issuer": "https://x"}
SECTIONS = (Section(name="servers", model=Servers), Section(name="gate", model=Gate))
SCHEMA = schema(SECTIONS)
VALIDATOR = Draft202012Validator(SCHEMA)

VALID: list[dict[str, Any]] = [
    {"version": 1},
    {"version": 1, "data_dir": "/x", "gate": {"listen": "[::1]:80", "size": "64KiB", "lifted": "none"}},
    {
        "version": 1,
        "gate": {"listen": None, "names": ["a"], "lifted": None, "shared": None, "mode": "none"},
    },
    {
        "version": 1,
        "servers": {"a": {**ISSUER, "secret": {"env": "E"}, "timeout": "5m"}},
    },
    {"version": 1, "servers": {"a": {"kind": "bkauth"}}},
]
INVALID: list[dict[str, Any]] = [
    {},
    {"version": 2},
    {"version": 1, "extra": 1},
    {"version": 1, "gate": None},
    {"version": 1, "gate": {"listen": "localhost:80"}},
    {"version": 1, "gate": {"size": 64}},
    {"version": 1, "gate": {"size": "64KB"}},
    {"version": 1, "gate": {"shared": {}}},
    {"version": 1, "gate": {"mode": "all"}},
    {"version": 1, "gate": {"extra": 1}},
    {"version": 1, "servers": {"a": {"kind": "other"}}},
    {"version": 1, "servers": {"a": {**ISSUER, "secret": "hunter2"}}},
    {"version": 1, "servers": {"a": {**ISSUER, "secret": {}}}},
    {"version": 1, "servers": {"a": {"kind": "rfc7662", "issuer": "https://u@x", "secret": {"env": "E"}}}},
    {"version": 1, "servers": {"a": {**ISSUER, "secret": {"env": "E"}, "timeout": 5}}},
]


def accepted(value: dict[str, Any], folder: Path) -> bool:
    try:
        load_bytes(json.dumps(value).encode(), SECTIONS, {"E": "x"}, origin=folder / "o.yaml")
    except ConfigurationError:
        return False
    return True


def test_it_is_a_schema_of_draft_2020_12() -> None:
    """Configuration contract: `ostiary schema` prints the JSON Schema."""
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


@pytest.mark.parametrize("value", VALID)
def test_it_accepts_what_the_loader_accepts(value: dict[str, Any], tmp_path: Path) -> None:
    """Ours: an editor must not mark a valid file."""
    assert accepted(value, tmp_path)
    VALIDATOR.validate(value)


@pytest.mark.parametrize("value", INVALID)
def test_it_refuses_what_a_schema_can_refuse(value: dict[str, Any], tmp_path: Path) -> None:
    """Ours: an editor marks it before the loader does."""
    assert not accepted(value, tmp_path)
    assert not VALIDATOR.is_valid(value)


def test_defaults_are_shown_as_the_file_writes_them() -> None:
    """Ours: a default of 1048576 could not be copied into the file."""
    gate, server = SCHEMA["$defs"]["Gate"]["properties"], SCHEMA["$defs"]["Server"]["properties"]
    assert gate["listen"]["default"] == "127.0.0.1:8080"
    assert gate["size"]["default"] == "1MiB"
    assert gate["lifted"]["default"] == "512B"
    assert gate["names"]["default"] == []
    assert "default" not in gate["limits"], "its keys say it"
    assert SCHEMA["$defs"]["Limits"]["properties"]["size"]["default"] == "1KiB"
    assert server["timeout"]["default"] == "2s"
    assert SCHEMA["properties"]["data_dir"]["default"] == "./var"
    assert "default" not in SCHEMA["properties"]["gate"]


def test_a_section_that_no_file_does_without_is_required() -> None:
    """Ours: an editor says it as well."""
    needed = Section(name="needed", model=Gate, required="Write it.")
    assert schema([needed])["required"] == ["version", "needed"]
    assert SCHEMA["required"] == ["version"]


WRITTEN: st.SearchStrategy[object] = st.sampled_from(
    [None, 1, "1", "1s", "1KiB", "none", "all", "127.0.0.1:80", [], ["a"], {}, "x"]
)


@given(st.dictionaries(st.sampled_from([*Gate.model_fields, "extra"]), WRITTEN, max_size=3))
def test_whatever_the_loader_accepts_the_schema_accepts(gate: dict[str, Any]) -> None:
    """Ours: an editor must not mark a valid file."""
    value = {"version": 1, "gate": gate}
    assert VALIDATOR.is_valid(value) or not accepted(value, Path("/o"))
