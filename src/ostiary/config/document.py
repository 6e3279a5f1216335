"""Bytes of YAML 1.2 → plain values, each with its place.

ruamel.yaml's parser delivers events; the tree and the values are built here. Its composer would resolve aliases, and
its constructors stop at the first duplicate key, turn dates into objects and recurse as deep as the text asks.
Refused, all of them in one run: duplicate keys, anchors, aliases, tags, directives, merge keys, a second document, keys
that are not text. A syntax error stands alone, because nothing behind it can be trusted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ruamel.yaml import YAML, events
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from ostiary.config.problems import ConfigurationError, KeyPath, Position, Problem
from ostiary.config.scalars import OutOfRange, Scalar, plain_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAXIMUM_BYTES = 4 * 1024 * 1024
MAXIMUM_DEPTH = 64
BYTE_ORDER_MARK = "\ufeff"

Value = Scalar | list["Value"] | dict[str, "Value"]

# YAML 1.2.2 §5.1 c-printable, from the other side, and what YAML 1.1 took for line breaks: the parser still does.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u2028\u2029\ufeff]")
# "\0" and "\ud800" can be written as escapes: no path, URL or header can hold the one, no encoding the other.
_UNUSABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a value stands. `key` is where its key stands; for an item of a list and for the top it is `value`."""

    key: Position
    value: Position


@dataclass(frozen=True, slots=True)
class Positions:
    """Where everything stands, by path. The top is always there."""

    places: Mapping[KeyPath, Place] = field(repr=False)

    def nearest(self, path: KeyPath) -> Place:
        """The place of `path`, or of the nearest thing above it that the file has."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places[path]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """What YAML could say and this file may not. `what` goes on where the key ends."""

    path: KeyPath
    where: Position
    what: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One file as read. The values at the paths in `lost` could not be kept and are null."""

    value: Mapping[str, Value] = field(repr=False)
    positions: Positions
    refused: tuple[Refused, ...]
    lost: frozenset[KeyPath]


_Content = events.AliasEvent | events.ScalarEvent | events.CollectionStartEvent


@dataclass(slots=True)
class _Node:
    """What stands somewhere, and the nodes inside it: of a mapping, keys and values by turns."""

    event: _Content
    children: list[_Node] = field(default_factory=list)


def read(data: bytes, file: str) -> Document:
    """Read one document.

    Raises:
        ConfigurationError: for what stands alone: not text, too large, too deep, a syntax error, empty, not a mapping.
    """
    text = _decode(data, file)
    reader = _Reader(text=text, file=file)
    root = reader.tree()
    value = reader.placed(root, (), reader.at(root.event))
    if not isinstance(value, dict):
        raise _alone(reader.at(root.event), "the file is not a mapping", "It begins with lines such as `version: 1`.")
    return Document(
        value=value, positions=Positions(reader.places), refused=tuple(reader.refused), lost=frozenset(reader.lost)
    )


def _alone(where: Position | None, what: str, hint: str) -> ConfigurationError:
    return ConfigurationError([Problem(where=where, key="", what=what, hint=hint)])


def _decode(data: bytes, file: str) -> str:
    top = Position(file=file, line=1, column=1)
    if len(data) > MAXIMUM_BYTES:
        raise _alone(top, f"the file is over {MAXIMUM_BYTES} bytes", "Is it the right file?")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
    else:
        # YAML 1.2.2 §5.2: one byte order mark at the very beginning is allowed.
        text = text.removeprefix(BYTE_ORDER_MARK)
        unprintable = _UNPRINTABLE.search(text)
        if unprintable is None:
            return text
        code = ord(unprintable.group())
        raise _alone(
            _end_of(text[: unprintable.start()], file),
            f"the file has the character U+{code:04X}, which is not allowed",
            "Remove it, or write it as an escape inside double quotes.",
        )
    raise _alone(_end_of(before, file), "the file is not UTF-8 text", "Save it as UTF-8.")


def _end_of(text: str, file: str) -> Position:
    lines = f"{text}|".splitlines()
    return Position(file=file, line=len(lines), column=len(lines[-1]))


@dataclass(slots=True)
class _Reader:
    text: str
    file: str
    places: dict[KeyPath, Place] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    lost: set[KeyPath] = field(default_factory=set)

    def at(self, event: events.Event) -> Position:
        return Position(file=self.file, line=event.start_mark.line + 1, column=event.start_mark.column + 1)

    def refuse(self, path: KeyPath, where: Position, what: str, hint: str) -> None:
        self.refused.append(Refused(path=path, where=where, what=what, hint=hint))

    def lose(self, path: KeyPath, where: Position, what: str, hint: str) -> None:
        self.refuse(path, where, what, hint)
        self.lost.add(path)

    def tree(self) -> _Node:
        """The first document's tree. The stack is explicit, so that no text can exhaust Python's."""
        root: _Node | None = None
        stack: list[_Node] = []
        for event in self.parsed():
            match event:
                case events.DocumentStartEvent():
                    if root is not None:
                        self.refuse((), self.at(event), "has a second document", "Write one document per file.")
                        return root
                case events.CollectionEndEvent():
                    stack.pop()
                case events.AliasEvent() | events.ScalarEvent() | events.CollectionStartEvent():
                    node = _Node(event)
                    if stack:
                        stack[-1].children.append(node)
                    else:
                        root = node
                    if isinstance(event, events.CollectionStartEvent):
                        stack.append(node)
                    if len(stack) > MAXIMUM_DEPTH:
                        raise _alone(
                            self.at(event), f"the file is nested more than {MAXIMUM_DEPTH} levels deep", "Nest less."
                        )
                case _:
                    continue
        if root is None:
            top = Position(file=self.file, line=1, column=1)
            raise _alone(top, "the file is empty", "It begins with lines such as `version: 1`.")
        return root

    def parsed(self) -> Iterator[events.Event]:
        problem: ConfigurationError | None = None
        reached = Position(file=self.file, line=1, column=1)
        try:
            for event in YAML(typ="safe", pure=True).parse(self.without_directives()):
                reached = self.at(event)
                yield event
        except MarkedYAMLError as error:
            where = self.marked(error) or reached
            problem = _alone(where, f"the file is not valid YAML: {_syntax(error)}", _syntax_hint(error))
        except (YAMLError, AssertionError, ValueError, OverflowError):
            # The scanner's own conversions and assertions, such as for the escape "\Uffffffff".
            problem = _alone(reached, "the file is not valid YAML here or just behind", "Look for a strange escape.")
        if problem:
            raise problem

    def marked(self, error: MarkedYAMLError) -> Position | None:
        mark = error.problem_mark or error.context_mark
        return mark and Position(file=self.file, line=mark.line + 1, column=mark.column + 1)

    def without_directives(self) -> str:
        """The text with its directives as comments: the parser does not report every one, and trips over some."""
        lines = self.text.splitlines(keepends=True)
        for index, line in enumerate(lines):
            if line.startswith("%"):
                where = Position(file=self.file, line=index + 1, column=1)
                self.refuse((), where, "has a directive, which is not allowed", "Remove the line; this is YAML 1.2.")
                lines[index] = f"#{line[1:]}"
            elif line.strip(" \t\r\n") and not line.lstrip(" \t").startswith("#"):
                break
        return "".join(lines)

    def value(self, node: _Node, path: KeyPath) -> Value:
        event = node.event
        if isinstance(event, events.AliasEvent):
            self.lose(path, self.at(event), "has an alias, which is not allowed", "Write the value again.")
            return None
        if event.anchor is not None:
            self.refuse(
                path, self.at(event), "has an anchor, which is not allowed", "Remove the word that begins with `&`."
            )
        if event.ctag is not None:
            self.lose(path, self.at(event), "has a tag, which is not allowed", "Remove the word that begins with `!`.")
        if isinstance(event, events.ScalarEvent):
            return self.scalar(event, path)
        if isinstance(event, events.MappingStartEvent):
            return self.mapping(node, path)
        return [self.placed(child, (*path, index), self.at(child.event)) for index, child in enumerate(node.children)]

    def placed(self, node: _Node, path: KeyPath, key: Position) -> Value:
        self.places.setdefault(path, Place(key=key, value=self.at(node.event)))
        return self.value(node, path)

    def scalar(self, event: events.ScalarEvent, path: KeyPath) -> Scalar:
        value = plain_value(event.value) if event.style is None else event.value
        if isinstance(value, OutOfRange):
            self.lose(path, self.at(event), "is a number over 64 bits", "If it is text, write it in quotes.")
            return None
        if isinstance(value, str) and _UNUSABLE.search(value):
            self.lose(path, self.at(event), "has the character U+0000 or half a character", "Remove the escape.")
            return None
        return value

    def mapping(self, node: _Node, path: KeyPath) -> dict[str, Value]:
        found: dict[str, Value] = {}
        first: dict[str, Position] = {}
        for key_node, value_node in zip(node.children[::2], node.children[1::2], strict=True):
            key = self.key(key_node, path)
            if key is None:
                continue
            where = self.at(key_node.event)
            if key in first:
                # The key is not named: in `{hunter2, hunter2}` it would be the secret itself.
                what = f"has a key twice; the first stands in line {first[key].line}"
                self.refuse(path, where, what, "Keep one of the two.")
            value = self.placed(value_node, (*path, key), where)
            found.setdefault(key, value)
            first.setdefault(key, where)
        return found

    def key(self, node: _Node, path: KeyPath) -> str | None:
        event, where = node.event, self.at(node.event)
        what, hint = "has a key that is not text", "Write the key in quotes."
        if isinstance(event, events.AliasEvent) or event.anchor is not None or event.ctag is not None:
            what, hint = "has a key with an anchor, alias or tag, which is not allowed", "Write the bare key."
        elif isinstance(event, events.ScalarEvent):
            text = str(event.value)
            plain = event.style is None
            if _UNUSABLE.search(text):
                what, hint = "has a key with the character U+0000 or half a character", "Remove the escape."
            elif plain and text == "<<":
                what, hint = "has a merge key, which is not allowed", "Write the keys out."
            elif not plain or isinstance(plain_value(text), str):
                return text
        self.refuse(path, where, what, hint)
        return None


def _syntax(error: MarkedYAMLError) -> str:
    # The scanner quotes single characters and the names of its tokens, but a tag's handle in full.
    # Behind the last character it finds one of its own.
    problem = (error.problem or "it cannot be read").replace(r"'\x00'", "the end of the file")
    told = "there is a tag, which is not allowed" if "tag handle" in problem else problem
    return f"{told}, {error.context}" if error.context else told


def _syntax_hint(error: MarkedYAMLError) -> str:
    if error.context_mark and error.problem_mark and error.context_mark.line != error.problem_mark.line:
        return f"What it belongs to began in line {error.context_mark.line + 1}."
    return "Look for a missing space, quote, bracket or colon, here or just before."
