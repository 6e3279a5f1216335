"""Bytes → values with positions."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostiary.config import ConfigurationError
from ostiary.config.document import MAXIMUM_BYTES, MAXIMUM_DEPTH, Document, Value, read

# What stands raw in the file: everything printable but the line breaks of YAML 1.1.
PRINTABLE = st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"), exclude_characters="\ufeff\ufffe\uffff")
TEXT = st.text(PRINTABLE | st.sampled_from("\t\n\r"), max_size=20)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
VALUES: st.SearchStrategy[Value] = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12
)
# What a YAML scanner has rules for.
PIECES = st.sampled_from(
    [
        "a",
        "b: ",
        "- ",
        "\n",
        "  ",
        "\t",
        "\r",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        " ",
        "'",
        '"',
        "&x ",
        "*x",
        "!t ",
        "!<a",
        "!%",
        "%",
        "%YAML 1.1\n",
        "%YAML 1.10\n",
        "%TAG ! x\n",
        "---",
        "...",
        "? ",
        "| ",
        "|9",
        "|-2",
        ">",
        "#",
        "\\",
        "\\x",
        "\\U",
        "ffffffff",
        "<<: ",
        "~",
        "@",
        "`",
        "\ufeff",
        "\u2028",
        "\x00",
        "99999999999999999999",
    ]
)


def refused(text: str | bytes) -> list[tuple[int, int, str]]:
    data = text.encode() if isinstance(text, str) else text
    return [(each.where.line, each.where.column, each.what) for each in read(data, "f").refused]


def alone(text: str | bytes) -> str:
    data = text.encode() if isinstance(text, str) else text
    with pytest.raises(ConfigurationError) as caught:
        read(data, "f")
    (problem,) = caught.value.problems
    return f"{problem.where} {problem.what}"


def doc(text: str) -> Document:
    return read(text.encode(), "f")


@given(st.dictionaries(TEXT, VALUES, max_size=4))
@settings(deadline=None)
def test_json_means_the_same(value: dict[str, Value]) -> None:
    """YAML 1.2.2 §1.3: every JSON file is also a YAML file. Python's own reader is the oracle."""
    assert doc(json.dumps(value, ensure_ascii=False)).value == value


@given(st.lists(PIECES, max_size=25).map("".join) | st.text(max_size=40))
@settings(deadline=None, max_examples=500)
def test_no_text_raises_anything_but_a_configuration_error_with_a_position(text: str) -> None:
    """Ours."""
    try:
        read(text.encode("utf-8", "surrogatepass"), "f")
    except ConfigurationError as error:
        assert all(problem.where is not None for problem in error.problems)  # noqa: PT017 (it may as well be valid)


@given(st.binary(max_size=60))
@settings(deadline=None)
def test_no_bytes_raise_anything_but_a_configuration_error(data: bytes) -> None:
    """Ours."""
    try:
        read(data, "f")
    except ConfigurationError as error:
        assert str(error)  # noqa: PT017 (it may as well be valid)


def test_every_value_knows_the_place_of_its_key_and_its_own() -> None:
    """Configuration contract: every error says where."""
    positions = doc("# first\na:\n  - x\n  - {b: 1, 'c': [ä, 2]}\nd: |\n  text\n").positions
    places = {path: (str(place.key), str(place.value)) for path, place in positions.places.items()}
    assert places == {
        (): ("f:2:1", "f:2:1"),
        ("a",): ("f:2:1", "f:3:3"),
        ("a", 0): ("f:3:5", "f:3:5"),
        ("a", 1): ("f:4:5", "f:4:5"),
        ("a", 1, "b"): ("f:4:6", "f:4:9"),
        ("a", 1, "c"): ("f:4:12", "f:4:17"),
        ("a", 1, "c", 0): ("f:4:18", "f:4:18"),
        ("a", 1, "c", 1): ("f:4:21", "f:4:21"),
        ("d",): ("f:5:1", "f:5:4"),
    }
    assert positions.nearest(("a", 1, "z", 3)) == positions.places["a", 1]


def test_quoted_text_is_text() -> None:
    """YAML 1.2.2 §10.3.2: only plain scalars are resolved."""
    assert doc("a: '1'\nb: \"true\"\nc: |-\n  null\nd: ''\ne: 1\n").value == {
        "a": "1",
        "b": "true",
        "c": "null",
        "d": "",
        "e": 1,
    }


def test_all_duplicate_keys_are_found_at_once_also_inside_a_duplicate() -> None:
    """Configuration contract: duplicate keys refused."""
    text = "a: 1\nb: {x: 1, x: 2}\na: {y: 1, y: 2}\n'a': 3\n"
    assert refused(text) == [
        (2, 11, "has a key twice; the first stands in line 2"),
        (3, 1, "has a key twice; the first stands in line 1"),
        (3, 11, "has a key twice; the first stands in line 3"),
        (4, 1, "has a key twice; the first stands in line 1"),
    ]
    assert doc(text).value["a"] == 1


def test_the_same_key_in_two_mappings_is_no_duplicate() -> None:
    """Ours."""
    assert refused("a: {x: 1}\nb: {x: 1}\nc: [{x: 1}, {x: 1}]\n") == []


def test_all_that_makes_yaml_more_than_a_tree_is_refused_at_once() -> None:
    """Configuration contract: no anchors, tags or %YAML lines."""
    text = (
        "%YAML 1.1\n# a comment\n%TAG ! tag:x\n%OTHER x\n---\n"
        "a: &x 1\nb: *x\nc: !!str 3\n<<: {z: 1}\n&k d: 1\n*k : 2\n!t e: 1\n? [f]\n: 1\n7: 1\nyes: 1\n---\ng: 1\n"
    )
    assert refused(text) == [
        (1, 1, "has a directive, which is not allowed"),
        (3, 1, "has a directive, which is not allowed"),
        (4, 1, "has a directive, which is not allowed"),
        (17, 1, "has a second document"),
        (6, 4, "has an anchor, which is not allowed"),
        (7, 4, "has an alias, which is not allowed"),
        (8, 4, "has a tag, which is not allowed"),
        (9, 1, "has a merge key, which is not allowed"),
        (10, 1, "has a key with an anchor, alias or tag, which is not allowed"),
        (11, 1, "has a key with an anchor, alias or tag, which is not allowed"),
        (12, 1, "has a key with an anchor, alias or tag, which is not allowed"),
        (13, 3, "has a key that is not text"),
        (15, 1, "has a key that is not text"),
    ]


def test_a_quoted_merge_key_and_a_percent_sign_inside_are_text() -> None:
    """Ours."""
    assert doc("'<<': 1\na: '\n\n  %YAML'\nb: |\n  %x\n").value == {"<<": 1, "a": "\n%YAML", "b": "%x\n"}


def test_what_no_path_or_header_can_hold_is_refused() -> None:
    """Ours."""
    assert refused('a: "\\0"\nb: "\\ud800"\n"\\0": 1\nc: 9223372036854775808\n') == [
        (1, 4, "has the character U+0000 or half a character"),
        (2, 4, "has the character U+0000 or half a character"),
        (3, 1, "has a key with the character U+0000 or half a character"),
        (4, 4, "is a number over 64 bits"),
    ]


def test_a_value_that_could_not_be_kept_is_named_as_lost() -> None:
    """Ours: a type error about the null that stands in its place would mislead."""
    assert doc("a: [*x, 1]\nb: !t 2\nc: &y 3\nd: 9223372036854775808\n").lost == {("a", 0), ("b",), ("d",)}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "f:1:1 the file is empty"),
        (b"# nothing\n\n", "f:1:1 the file is empty"),
        (b"- a\n", "f:1:1 the file is not a mapping"),
        (b"---\n", "f:2:1 the file is not a mapping"),
        (b"\n  text", "f:2:3 the file is not a mapping"),
        (b"a: 1\nb: \xff\n", "f:2:4 the file is not UTF-8 text"),
        ("a: 1\n".encode("utf-16"), "f:1:1 the file is not UTF-8 text"),
        (b"a: 1\nb: \0\n", "f:2:4 the file has the character U+0000, which is not allowed"),
        ("a: ä\u2028b\n", "f:1:5 the file has the character U+2028, which is not allowed"),
        ("a: 1\n\ufeffb: 2\n", "f:2:1 the file has the character U+FEFF, which is not allowed"),
        (b"a: 1\n b: 2\n", "f:2:3 the file is not valid YAML: mapping values are not allowed here"),
        (b"a: [1,\nb: 2\n", "f:3:1 the file is not valid YAML: expected ',' or ']', but got '<stream end>'"),
        (b'a: "\\Uffffffff"\n', "f:1:1 the file is not valid YAML here or just behind"),
        (b"a: 1\n...\n%YAML 1.10\n---\n", "f:2:1 the file is not valid YAML here or just behind"),
    ],
)
def test_what_makes_the_rest_meaningless_stands_alone(text: str | bytes, told: str) -> None:
    """Configuration contract: a syntax error stands alone."""
    assert alone(text).startswith(told)


def test_one_byte_order_mark_at_the_beginning_is_allowed() -> None:
    """YAML 1.2.2 §5.2."""
    document = doc("\ufeffa: 1\n")
    assert document.value == {"a": 1}
    assert str(document.positions.places["a",].key) == "f:1:1"


def test_windows_line_ends_are_line_ends() -> None:
    """YAML 1.2.2 §5.4."""
    document = doc("%X\r\n---\r\na: 1\r\nb: 2\r\n")
    assert document.value == {"a": 1, "b": 2}
    assert str(document.positions.places["b",].key) == "f:4:1"


def test_a_file_that_is_too_large_is_not_read() -> None:
    """Ours."""
    assert alone(b"#" * (MAXIMUM_BYTES + 1)) == f"f:1:1 the file is over {MAXIMUM_BYTES} bytes"


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_a_file_that_is_too_deep_is_not_read(opening: str) -> None:
    """Ours: recursion is bounded before Python's own bound."""
    assert "nested more than" in alone(opening * 100_000)
    nested = "a: " + "[" * (MAXIMUM_DEPTH - 1) + "]" * (MAXIMUM_DEPTH - 1)
    assert refused(nested) == []
    assert "nested more than" in alone(nested.replace("a: ", "a: [") + "]")


@pytest.mark.parametrize("text", ["a: &", "a: *", "a: !<"])
def test_the_end_of_the_file_is_called_so(text: str) -> None:
    """Ours: the scanner's own character for it is in no file."""
    assert "found the end of the file" in alone(text)


def test_a_syntax_error_does_not_repeat_a_tag() -> None:
    """Ours: what looks like a tag may be a secret."""
    assert "hunter2" not in alone("a: !hunter2!x 1\n")
