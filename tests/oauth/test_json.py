"""JSON that two readers cannot read in two ways."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.oauth.json import MAX_DEPTH, MAX_VALUES, JsonFault, JsonValue, parse_object

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**300), 10**300)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
NAMES = st.text(st.characters(exclude_categories=["Cs"]))
OBJECTS = st.dictionaries(
    NAMES,
    st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4)),
)


@given(OBJECTS, st.booleans())
def test_every_unambiguous_object_is_read_as_it_was_written(value: dict[str, JsonValue], ascii_only: bool) -> None:  # noqa: FBT001 - drawn
    """RFC 8259: escaped or not."""
    assert parse_object(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(st.binary())
def test_no_bytes_make_the_reader_fail_in_another_way(body: bytes) -> None:
    """Ours: an object or a fault, never another exception."""
    with suppress(JsonFault):
        assert isinstance(parse_object(body), dict)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"{}{}", "not JSON"),
        (b'{"a":1}\x00', "not JSON"),
        (b"{'a':1}", "not JSON"),
        (b'{"a":01}', "not JSON"),
        (b'{"a":"\n"}', "not JSON"),
        (b"<html>", "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),  # a byte-order mark
        (b'{"a":"\xff"}', "not UTF-8"),
        ('{"a":1}'.encode("utf-16"), "not UTF-8"),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'"{}"', "not a JSON object"),
        (b'[{"active":true}]', "not a JSON object"),
        (b'{"a":1,"a":2}', "a member name twice"),
        (b'{"a":1,"\\u0061":1}', "a member name twice"),
        (b'{"x":{"a":1,"a":1}}', "a member name twice"),
        (b'{"x":[{"a":1,"a":1}]}', "a member name twice"),
        (b'{"a":NaN}', "NaN or Infinity"),
        (b'{"a":[Infinity]}', "NaN or Infinity"),
        (b'{"a":-Infinity}', "NaN or Infinity"),
        (b'{"a":1e999}', "a number beyond a double"),
        (b'{"a":-1e999}', "a number beyond a double"),
        (b'{"a":' + b"9" * 400 + b"}", "a number beyond a double"),
        (b'{"a":' + b"9" * 1_000_000 + b"}", "a number beyond a double"),
        (b'{"a":"\\ud800"}', "half of a surrogate pair"),
        (b'{"a":"\\uDFFFx"}', "half of a surrogate pair"),
        (b'{"\\udc00\\ud800":1}', "half of a surrogate pair"),
        (b'{"a":[{"b":"\\uD800\\u0041"}]}', "half of a surrogate pair"),
    ],
)
def test_what_can_be_read_in_two_ways_is_no_json(body: bytes, fault: str) -> None:
    """RFC 8259 §4, RFC 7493 §2: gateway.md has each of these as *could not tell*."""
    with pytest.raises(JsonFault, match=f"^{fault}$"):
        parse_object(body)


@pytest.mark.parametrize("body", [b'{"a":"\\ud83d\\ude00"}', b'{"a":"\\\\ud800"}', '{"a":"😀 \\u00e9"}'.encode()])
def test_a_whole_surrogate_pair_is_text(body: bytes) -> None:
    """RFC 8259 §7: and so is an escaped backslash before what looks like half of one."""
    assert parse_object(body) == json.loads(body)


def nested(depth: int, opening: bytes, closing: bytes) -> bytes:
    """An object with `depth` levels in all."""
    return b'{"a":' + opening * (depth - 1) + b"1" + closing * (depth - 1) + b"}"


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_nesting_ends_at_thirty_two(opening: bytes, closing: bytes) -> None:
    """gateway.md: nesting over 32 is *could not tell*."""
    assert parse_object(nested(MAX_DEPTH, opening, closing))
    for depth in (MAX_DEPTH + 1, 1_000, 100_000):
        with pytest.raises(JsonFault):
            parse_object(nested(depth, opening, closing))


def test_empty_containers_count_as_levels() -> None:
    """Ours: what nobody filled is a level too."""
    assert parse_object(b'{"a":' + b"[" * 31 + b"]" * 31 + b"}")
    with pytest.raises(JsonFault, match="nested too deep"):
        parse_object(b'{"a":' + b"[" * 32 + b"]" * 32 + b"}")


@pytest.mark.parametrize("item", ["1", '"x"', "[]", "{}", '"n%d":0'])
def test_no_more_values_are_read_than_an_event_loop_has_time_for(item: str) -> None:
    """Ours: a mebibyte of numbers or members holds up everybody."""

    def of(number: int) -> bytes:
        text = ",".join(item % n if "%" in item else item for n in range(number))
        return (f"{{{text}}}" if ":" in item else f'{{"aud":[{text}]}}').encode()

    assert parse_object(of(MAX_VALUES // 2 - 1))
    with pytest.raises(JsonFault, match="too many values"):
        parse_object(of(MAX_VALUES + 1))


@given(st.text(min_size=4))
def test_a_fault_quotes_nothing_of_the_text(text: str) -> None:
    """Conventions 11: an answer may hold what no log may."""
    canary = "Canary-7f3a9c"
    with pytest.raises(JsonFault) as caught:
        parse_object((canary + text).encode("utf-8", "replace"))
    assert canary not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
