"""Models of sections: strictness, tables, what is not built, and what validators may say."""

from __future__ import annotations

from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Literal

import pytest
from pydantic import AfterValidator, Field, JsonValue, ValidationError

from ostiary.config import (
    Duration,
    Listen,
    ListenAddress,
    Network,
    RootSettings,
    SecretReference,
    Section,
    Settings,
    Size,
    Table,
    expected,
    later,
    refused,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostiary.config import Configuration, Problem

    Loading = Callable[..., Configuration]
    Refusing = Callable[..., tuple[Problem, ...]]


class Mode(StrEnum):
    OPEN = "open"
    SHUT = "shut"


def _even(number: int) -> int:
    if number % 2:
        raise refused("is odd", "Add one.", "config.things.odd")
    return number


def _short(text: str) -> str:
    if len(text) > 3:
        raise expected("a short word", "Three letters.")
    return text


def _careless(text: str) -> str:
    if text != "fine":
        raise ValueError(f"{text} is not fine")
    return text


class NotBuilt(Settings):
    kind: Annotated[Literal["fleet"], later()]
    url: JsonValue = None


class Built(Settings):
    kind: Literal["static"]


class Things(Settings):
    mode: Mode = Mode.OPEN
    networks: tuple[Network, ...] = ()
    names: frozenset[str] = frozenset()
    ratio: float = 0.5
    table: Table[int] = Field(default={}, validate_default=True)
    even: Annotated[int, AfterValidator(_even)] = 2
    short: Annotated[str, AfterValidator(_short)] | Annotated[int, Field(ge=0)] = "a"
    careless: Annotated[str, AfterValidator(_careless)] = "fine"
    either: Annotated[int, AfterValidator(_even)] | bool = 2
    shared: Annotated[JsonValue, later(None)] = None
    signatures: Annotated[Literal["none", "accepted"], later("none")] = "none"
    limit: Annotated[int | None, later(None, 0)] = None
    plugins: Annotated[tuple[JsonValue, ...], later([])] = ()
    part: Annotated[Built | NotBuilt, Field(discriminator="kind")] | None = None


THINGS = Section(name="things", model=Things)


def told(problems: tuple[Problem, ...]) -> list[str]:
    return [problem.what for problem in problems]


def test_text_becomes_what_text_can_mean_and_lists_become_tuples_and_sets(loaded: Loading) -> None:
    """Ours: a text file has no other way to write them."""
    things = loaded("things: {mode: shut, networks: [10.0.0.0/8, '::1/128'], names: [a, a], ratio: 1}", THINGS)
    assert things.require(THINGS) == Things(
        mode=Mode.SHUT, networks=(IPv4Network("10.0.0.0/8"), IPv6Network("::1/128")), names=frozenset({"a"}), ratio=1.0
    )


def test_nothing_becomes_what_it_does_not_say(problems: Refusing) -> None:
    """Configuration contract: strict types."""
    text = "things: {mode: 1, networks: [3], names: a, ratio: '1', even: 2.5, table: [1], short: null}"
    assert told(problems(text, THINGS)) == [
        "`things.mode` must be `open` or `shut`",
        "`things.networks[0]` must be an IP network such as `192.0.2.0/24`",
        "`things.names` must be a list",
        "`things.ratio` must be a number",
        "`things.even` must be a whole number",
        "`things.table` must be a mapping",
        "`things.short` must be text or a whole number",
    ]


@pytest.mark.parametrize("number", [".inf", "-.inf", ".nan", "1e999"])
def test_a_number_is_finite(problems: Refusing, number: str) -> None:
    """Ours."""
    assert told(problems(f"things: {{ratio: {number}}}", THINGS)) == ["`things.ratio` must be a finite number"]


def test_a_model_is_frozen_with_its_tables(loaded: Loading) -> None:
    """Conventions: frozen values."""
    things = loaded("things: {table: {a: 1}}", THINGS).require(THINGS)
    assert things.table == {"a": 1}
    for table in (things.table, Things().table):
        assert isinstance(table, MappingProxyType)
    with pytest.raises(ValidationError):
        things.ratio = 1.0
    assert things.model_dump(mode="json")["table"] == {"a": 1}
    assert Things.model_validate_json(things.model_dump_json()) == things


def test_a_validator_says_what_goes_on_where_the_key_ends(problems: Refusing) -> None:
    """Ours."""
    odd, short = problems("things: {even: 3, short: longer}", THINGS)
    assert (odd.what, odd.hint, odd.failure_class) == ("`things.even` is odd", "Add one.", "config.things.odd")
    assert short.what == "`things.short` must be a short word or a whole number"
    assert short.hint == "Three letters. Write digits, without quotes."


def test_a_whole_sentence_stands_instead_of_the_alternatives(problems: Refusing) -> None:
    """Ours: who wrote a number means the number's branch."""
    assert told(problems("things: {either: 3}", THINGS)) == ["`things.either` is odd"]
    assert told(problems("things: {either: x}", THINGS)) == ["`things.either` must be a whole number or true or false"]


def test_a_careless_validator_does_not_repeat_the_value(problems: Refusing) -> None:
    """Configuration contract: messages never hold a value."""
    (problem,) = problems("things: {careless: hunter2}", THINGS)
    assert problem.what == "`things.careless` must be of another form"
    assert "hunter2" not in repr(problem)


def test_what_is_not_built_is_refused_at_its_field(problems: Refusing) -> None:
    """Configuration contract: refused as "not in this version", never ignored."""
    text = """\
things:
  shared: {url: redis://x}
  signatures: accepted
  limit: false
  plugins: [1]
  part: {kind: fleet, url: x}
"""
    found = problems(text, THINGS)
    assert [(str(problem.where).rpartition("yaml:")[2], problem.what) for problem in found] == [
        ("3:11", "`things.shared` is not in this version"),
        ("4:15", "`things.signatures` is not in this version"),
        ("5:10", "`things.limit` is not in this version"),
        ("6:12", "`things.plugins` is not in this version"),
        ("7:16", "`things.part.kind` is not in this version"),
    ]


def test_what_is_not_built_may_be_written_as_its_default(loaded: Loading) -> None:
    """Configuration contract: the key names are the contract, the values show the defaults."""
    text = "things: {shared: null, signatures: none, limit: 0, plugins: [], part: {kind: static}}"
    assert loaded(text, THINGS).require(THINGS) == Things(limit=0, plugins=(), part=Built(kind="static"))


def test_what_no_version_has_is_told_from_what_is_not_built(problems: Refusing) -> None:
    """Ours."""
    assert told(problems("things: {signatures: never}", THINGS)) == ["`things.signatures` must be `none` or `accepted`"]


def test_a_section_may_be_a_list(problems: Refusing) -> None:
    """Ours."""

    class Listed(RootSettings[tuple[Built, ...]]):
        pass

    listed = Section(name="listed", model=Listed)
    assert problems("listed: [{kind: static}]", listed) == ()
    assert told(problems("listed: [{kind: static, x: 1}, 5]", listed)) == [
        "`listed[0].x` is not a known key",
        "`listed[1]` must be a mapping",
    ]
    assert told(problems("listed: {a: 1}", listed)) == ["`listed` must be a list"]
    assert told(problems("listed:", listed)) == ["`listed` must be a list"]


class ByHand(Settings):
    listen: Listen
    timeout: Duration
    size: Size
    secret: SecretReference | None
    network: Network


def test_code_may_make_a_model_from_values() -> None:
    """Kit contract: a judge can be made without a file."""
    made = ByHand(
        listen=ListenAddress(host="::1", port=80),
        timeout=0.5,
        size=64,
        secret=SecretReference(env="E"),
        network=ip_network("10.0.0.0/8"),
    )
    assert (made.timeout, made.size, str(made.listen), made.secret) == (0.5, 64, "[::1]:80", SecretReference(env="E"))
    with pytest.raises(ValidationError, match="secret reference"):
        SecretReference.model_validate(None)
