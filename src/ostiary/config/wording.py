"""pydantic's errors in plain words: one table from its error types to what is expected and a hint.

Only what the model says is repeated (bounds, allowed values), never what the file says.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ostiary.config.problems import KeyPath, key_text, tell_unknown
from ostiary.config.settings import EXPECTED, REFUSED
from ostiary.config.shape import Shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

_LIST = ("a list", "Write `[…]`, or lines that begin with `- `.")
_MAPPING = ("a mapping", "Write `{key: value}`, or indented lines of `key: value`.")

# pydantic's type → what goes on after "must be", and the hint. Braces are filled from the model's side of the error.
PHRASES: Mapping[str, tuple[str, str]] = {
    "string_type": ("text", "If it looks like a number, true, false or null, write it in quotes."),
    "string_too_short": ("at least {min_length} characters long", "Leave the key out if there is nothing to say."),
    "string_too_long": ("at most {max_length} characters long", "Shorten it."),
    "string_pattern_mismatch": ("text that matches {pattern}", "Compare it with the pattern, character by character."),
    "int_type": ("a whole number", "Write digits, without quotes."),
    "int_from_float": ("a whole number", "Leave out the fraction."),
    "float_type": ("a number", "Write digits, without quotes."),
    "finite_number": ("a finite number", "Infinity and NaN are no settings."),
    "bool_type": ("true or false", "`on`, `off`, `yes` and `no` are text in YAML 1.2."),
    "none_required": ("null", "Leave the key out, or write `null`."),
    "literal_error": ("{expected}", "Other values are not known here."),
    "enum": ("{expected}", "Other values are not known here."),
    "dict_type": _MAPPING,
    "mapping_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "dataclass_type": _MAPPING,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "set_type": _LIST,
    "frozen_set_type": _LIST,
    "too_short": ("a list or mapping of at least {min_length}", "Add what is missing."),
    "too_long": ("a list or mapping of at most {max_length}", "Remove what is too much."),
    "greater_than": ("greater than {gt}", "Choose a greater number."),
    "greater_than_equal": ("at least {ge}", "Choose a greater number."),
    "less_than": ("less than {lt}", "Choose a smaller number."),
    "less_than_equal": ("at most {le}", "Choose a smaller number."),
    "multiple_of": ("a multiple of {multiple_of}", "Choose a multiple."),
    "union_tag_invalid": ("{expected_tags}", "Other kinds are not known here."),
}
_ANYTHING_ELSE = ("of another form", "`ostiary schema` prints what may stand here.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One error of shape: `path` is below the section, `what` goes on where the key ends.

    `named` is how much of the path a message may name.
    """

    path: KeyPath
    named: KeyPath
    at_key: bool
    what: str
    hint: str
    failure_class: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """A fault, and what comes after "must be" if that is all it says."""

    path: KeyPath
    named: KeyPath | None = None
    at_key: bool = False
    what: str = ""
    phrase: str | None = None
    hint: str
    failure_class: str | None = None


def faults(model: type[BaseModel], error: ValidationError) -> list[Fault]:
    """All that pydantic found, each place once: the alternatives of a union become one sentence."""
    shape = Shape(model)
    found: dict[KeyPath, list[_Said]] = {}
    errors = error.errors(include_url=False, include_input=False)
    spoiled = {details["loc"][:-1] for details in errors}
    for details in errors:
        if details["type"] == "too_short" and details["loc"] in spoiled:
            continue  # only the good ones were counted
        said = _say(shape, details)
        found.setdefault(said.path, []).append(said)
    return [fault for said in found.values() for fault in _join(said)]


def _join(said: list[_Said]) -> Iterable[Fault]:
    phrases = dict.fromkeys(each.phrase for each in said if each.phrase)
    whole = {each.what: each for each in said if not each.phrase}
    for each in whole.values():
        yield Fault(
            path=each.path,
            named=each.path if each.named is None else each.named,
            at_key=each.at_key,
            what=each.what,
            hint=each.hint,
            failure_class=each.failure_class,
        )
    if phrases and not whole:
        first = next(each for each in said if each.phrase)
        yield Fault(
            path=first.path,
            named=first.path,
            at_key=first.at_key,
            what=f"must be {' or '.join(phrases)}",
            hint=first.hint if len(phrases) == 1 else " ".join(dict.fromkeys(each.hint for each in said)),
            failure_class=None,
        )


def _say(shape: Shape, details: ErrorDetails) -> _Said:
    kind = details["type"]
    context: Mapping[str, Any] = details.get("ctx", {})
    spot = shape.spot(details["loc"], unknown_key=kind == "extra_forbidden")
    match kind:
        case "missing":
            return _Said(path=spot.path, what="is missing", hint="Add the key; it has no default.")
        case "extra_forbidden":
            hint = nearest_key(str(details["loc"][-1]), spot.known)
            named, what = tell_unknown(spot.path)
            return _Said(path=spot.path, named=named, at_key=True, what=what, hint=hint)
        case "union_tag_not_found":
            tag = str(context["discriminator"]).strip("'")
            return _Said(path=(*spot.path, tag), what="is missing", hint="It says which keys may stand beside it.")
        case "union_tag_invalid":
            spot_path = (*spot.path, str(context["discriminator"]).strip("'"))
        case _:
            spot_path = spot.path
    if kind == REFUSED:
        return _Said(
            path=spot_path,
            at_key=spot.at_key,
            what=context["what"],
            hint=context["hint"],
            failure_class=context["failure_class"],
        )
    if kind == EXPECTED:
        phrase, hint = context["phrase"], context["hint"]
    else:
        # No row for `value_error`: the text of an exception that is neither of ours may hold the value.
        template, hint = PHRASES.get(kind, _ANYTHING_ELSE)
        phrase = template.format_map({name: _shown(name, value) for name, value in context.items()})
    return _Said(path=spot_path, at_key=spot.at_key, phrase=phrase, hint=hint)


def _shown(name: str, value: object) -> str:
    if name in {"expected", "expected_tags"}:
        return str(value).replace("'", "`").replace(", ", " or ")
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def nearest_key(key: str, known: Iterable[str]) -> str:
    """A hint for an unknown key."""
    known = tuple(known)
    close = difflib.get_close_matches(key[:80], known, n=1)
    if close:
        return f"Did you mean `{close[0]}`?"
    return f"Known here: {', '.join(key_text(each) for each in known)}." if known else "No key is known here."
