"""pydantic's errors in plain words, and at the right place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, get_args

import pytest
from pydantic import Field, StringConstraints
from pydantic_core.core_schema import ErrorType

from ostiary.config import Section, Settings, Table
from ostiary.config.shape import Shape
from ostiary.config.wording import PHRASES, nearest_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostiary.config import Problem

    Refusing = Callable[..., tuple[Problem, ...]]


class Cat(Settings):
    kind: Literal["cat"]
    dog: Inner | None = None
    lives: int = 9


class Dog(Settings):
    kind: Literal["dog"]
    bones: int = 0


class Inner(Settings):
    lives: int = 1


class Zoo(Settings):
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    pets: Table[Annotated[Cat | Dog, Field(discriminator="kind")]] | None = None
    either: Literal["auto"] | Annotated[int, Field(ge=1)] | Inner | None = None
    pairs: tuple[tuple[int, str], ...] = ()
    coded: dict[Annotated[str, StringConstraints(pattern="^[a-z]+$")], int] | None = None
    free: dict[str, object] | None = None
    word: Annotated[str, Field(min_length=2, max_length=3)] = "abc"
    rate: Annotated[float, Field(gt=0, le=0.5)] = 0.5
    few: Annotated[tuple[int, ...], Field(min_length=1, max_length=2)] = (1,)


ZOO = Section(name="zoo", model=Zoo)


def told(problems: tuple[Problem, ...]) -> list[str]:
    return [f"{problem.where.line}:{problem.where.column} {problem.what}" for problem in problems if problem.where]


def test_every_row_belongs_to_an_error_of_pydantic() -> None:
    """Ours: a row that no error reaches is dead."""
    assert set(PHRASES) <= set(get_args(ErrorType))


def test_the_tag_of_a_union_is_not_taken_for_a_key_of_the_same_name(problems: Refusing) -> None:
    """Ours: pydantic puts the tag into the location of an error."""
    text = """\
zoo:
  pet: {kind: dog, dog: {lives: x}, bones: x}
  pets:
    dog: {kind: cat, dog: {lives: x}, lives: x}
"""
    assert told(problems(text, ZOO)) == [
        "3:20 `zoo.pet.dog` is not a known key",
        "3:44 `zoo.pet.bones` must be a whole number",
        "5:35 `zoo.pets.dog.dog.lives` must be a whole number",
        "5:46 `zoo.pets.dog.lives` must be a whole number",
    ]


def test_a_suggestion_comes_from_the_chosen_kind_alone(problems: Refusing) -> None:
    """Configuration contract: a hint that helps."""
    (problem,) = problems("zoo: {pet: {kind: dog, live: 1}}", ZOO)
    assert problem.hint == "Known here: kind, bones."
    (problem,) = problems("zoo: {pet: {kind: cat, live: 1}}", ZOO)
    assert problem.hint == "Did you mean `lives`?"


def test_the_branches_of_a_union_become_one_sentence(problems: Refusing) -> None:
    """Ours."""
    assert told(problems("zoo: {either: 0}", ZOO)) == ["2:15 `zoo.either` must be `auto` or at least 1 or a mapping"]


def test_the_known_keys_of_a_branch_are_known(problems: Refusing) -> None:
    """Ours."""
    found = problems("zoo: {either: {live: 1}}", ZOO)
    assert told(found)[-1] == "2:16 `zoo.either.live` is not a known key"
    assert found[-1].hint == "Did you mean `lives`?"


def test_places_in_lists_and_tables_are_found(problems: Refusing) -> None:
    """Configuration contract: where."""
    text = "zoo:\n  pairs: [[1, a], [1, 2], [1]]\n  coded: {a: x, B: 1}\n  free: {a: [{b: 1}]}\n"
    assert told(problems(text, ZOO)) == [
        "3:23 `zoo.pairs[1][1]` must be text",
        "3:27 `zoo.pairs[2][1]` is missing",
        "4:14 `zoo.coded.a` must be a whole number",
        "4:17 `zoo.coded.B` must be text that matches ^[a-z]+$",
    ]


def test_bounds_are_told_as_the_model_has_them(problems: Refusing) -> None:
    """Ours."""
    assert told(problems("zoo: {word: a, rate: 0, few: []}", ZOO)) == [
        "2:13 `zoo.word` must be at least 2 characters long",
        "2:22 `zoo.rate` must be greater than 0",
        "2:30 `zoo.few` must be a list or mapping of at least 1",
    ]
    assert told(problems("zoo: {word: abcd, rate: 0.6, few: [1, 2, 3]}", ZOO)) == [
        "2:13 `zoo.word` must be at most 3 characters long",
        "2:25 `zoo.rate` must be at most 0.5",
        "2:35 `zoo.few` must be a list or mapping of at most 2",
    ]


def test_a_list_is_not_too_short_for_its_bad_entries(problems: Refusing) -> None:
    """Ours: pydantic counts only the good ones."""
    assert told(problems("zoo: {few: [x]}", ZOO)) == ["2:13 `zoo.few[0]` must be a whole number"]


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("lissten", "Did you mean `listen`?"),
        ("zzz", "Known here: listen, workers."),
        ("l" * 1_000_000, "Known here: listen, workers."),
    ],
)
def test_an_unknown_key_is_compared_with_the_known_ones(key: str, hint: str) -> None:
    """Configuration contract: a hint."""
    assert nearest_key(key, ("listen", "workers")) == hint


def test_where_no_key_is_known_the_hint_says_so() -> None:
    """Ours."""
    assert nearest_key("x", ()) == "No key is known here."


def test_a_location_that_the_schema_does_not_know_ends_where_it_is_still_known() -> None:
    """Ours: a place above the error is better than none."""
    spot = Shape(Zoo).spot(("pairs", 0, "function-wrap[x()]", 1), unknown_key=False)
    assert spot.path == ("pairs", 0, 1)
    assert Shape(Zoo).spot(("nowhere", "at", "all"), unknown_key=False).path == ()
