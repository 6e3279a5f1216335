"""The shape of a section: what every model of the file has in common, and what its validators may say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    JsonValue,
    RootModel,
    SerializerFunctionWrapHandler,
    WrapSerializer,
)
from pydantic_core import PydanticCustomError, core_schema

if TYPE_CHECKING:
    from pydantic.json_schema import JsonSchemaValue

RootT = TypeVar("RootT")
ValueT = TypeVar("ValueT")

EXPECTED = "ostiary.expected"
REFUSED = "ostiary.refused"
NOT_IN_THIS_VERSION = "is not in this version"
LATER_HINT = "Remove it; a later version may have it."

_COMMON = ConfigDict(
    frozen=True,
    strict=True,
    use_attribute_docstrings=True,
    allow_inf_nan=False,
    hide_input_in_errors=True,  # a value may be a secret in the wrong place
    arbitrary_types_allowed=False,
)


class Settings(BaseModel):
    """A mapping of the file: frozen, strict, no unknown keys.

    It is validated as JSON, so strictness means what a text file can mean: a list becomes a tuple or a set, text an
    address or a member of an enumeration, a whole number a float; text never becomes a number.
    Behind a validator that runs before a type this ends: there a list is no tuple, so let validators run after.
    """

    model_config = ConfigDict(extra="forbid", **_COMMON)


class RootSettings(RootModel[RootT], Generic[RootT]):
    """A section that is a list, or a mapping with names of the operator's choice: `RootSettings[tuple[Route, ...]]`."""

    model_config = _COMMON


def _as_dict(table: Mapping[str, object], dump: SerializerFunctionWrapHandler) -> object:
    return dump(dict(table))


Table = Annotated[Mapping[str, ValueT], AfterValidator(MappingProxyType), WrapSerializer(_as_dict)]
"""A mapping from names of the operator's choice, frozen. A default: `Field(default={}, validate_default=True)`."""


def expected(phrase: str, hint: str) -> PydanticCustomError:
    """For a validator to raise: the value must be `phrase`. Alternatives of a union are joined by "or".

    The phrase and the hint are shown as they are: neither may repeat the value.
    """
    return PydanticCustomError(EXPECTED, "must be {phrase}", {"phrase": phrase, "hint": hint})


def refused(what: str, hint: str, failure_class: str | None = None) -> PydanticCustomError:
    """For a validator to raise: `what` goes on where the key ends ("has no end"), and may not repeat the value."""
    return PydanticCustomError(REFUSED, "{what}", {"what": what, "hint": hint, "failure_class": failure_class})


@dataclass(frozen=True, slots=True)
class Later:
    """The part behind a field is not built: values other than the allowed ones are refused as not in this version."""

    allowed: tuple[JsonValue, ...]

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Look before the type does, so that a value is not first found malformed; after it at a literal.

        A literal may be the discriminator of a union, where pydantic allows nothing before.
        """
        schema = handler(source)
        if schema["type"] == "literal":
            return core_schema.no_info_after_validator_function(self._judge, schema)
        return core_schema.no_info_before_validator_function(self._judge, schema)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """An editor shows what is allowed today."""
        return {"enum": list(self.allowed)} if self.allowed else {"not": {}}

    def _judge(self, value: Any) -> Any:
        written = list(value) if isinstance(value, tuple) else value
        # By type too: False equals 0.
        if any(type(written) is type(allowed) and written == allowed for allowed in self.allowed):
            # Behind a validator the type is strict as with Python values: a list is no tuple.
            return tuple(written) if isinstance(written, list) else written
        raise refused(NOT_IN_THIS_VERSION, LATER_HINT)


def later(*allowed: JsonValue) -> Later:
    """Mark a field whose part is not built: `Annotated[JsonValue, …]` with `None` allowed accepts null alone.

    Args:
        allowed: the values that may be written today, as in the file; usually the default alone.
    """
    return Later(allowed)
