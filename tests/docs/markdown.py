"""Markdown, as far as its tests need it: fenced blocks, links, headings and the anchors they get on the web."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT: Final = Path(__file__).resolve().parents[2]

_FENCE: Final = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<info>[^`\n]*)$")
_CODE_SPAN: Final = re.compile(r"(`+)(?!`)(?:(?!\n\n).)*?(?<!`)\1(?!`)", re.DOTALL)
_LINK: Final = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\]\([^)]*\))*\]\(\s*<?(?P<target>[^)\s>]+)")
_DEFINITION: Final = re.compile(r"^ {0,3}\[[^\]]+\]:\s*(?P<target>\S+)", re.MULTILINE)
_ATTRIBUTE: Final = re.compile(r"""\b(?:src|srcset|href)=["'](?P<target>[^"']+)["']""")
_NESTED: Final = re.compile(r"\[!\[[^\]]*\]\(\s*<?(?P<target>[^)\s>]+)")
_HEADING: Final = re.compile(r"^#{1,6} +(?P<text>.+?)(?: +#+)?$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block.

    Attributes:
        language: the first word after the fence, or "".
        name: the second one, or "": the file that the block is written to before what follows on the page.
        line: of the opening fence, from 1.
    """

    page: Path
    line: int
    language: str
    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table."""
    lines = [list(heads), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def pages() -> tuple[Path, ...]:
    """Every page of the project."""
    inner = (path for folder in ("docs", "examples", "deploy", "tests") for path in (ROOT / folder).rglob("*.md"))
    return tuple(sorted({*ROOT.glob("*.md"), *(path for path in inner if "node_modules" not in path.parts)}))


def split(page: Path) -> tuple[str, tuple[Block, ...]]:
    """The prose of a page, with an empty line for each line of a block, and its blocks.

    Raises:
        ValueError: a fence is not closed.
    """
    lines = iter(enumerate(page.read_text(encoding="utf-8").splitlines(), start=1))
    prose: list[str] = []
    blocks: list[Block] = []
    for number, line in lines:
        fence = _FENCE.match(line)
        if fence is None:
            prose.append(line)
            continue
        inside: list[str] = []
        for _, inner in lines:
            if inner.strip() == fence["fence"]:
                break
            inside.append(inner.removeprefix(fence["indent"]))
        else:
            raise ValueError(f"{page}:{number}: this fence is not closed")
        prose.extend("" for _ in range(len(inside) + 2))
        words = fence["info"].split()
        language, name = [*words, "", ""][:2]
        blocks.append(Block(page=page, line=number, language=language, name=name, text="\n".join(inside) + "\n"))
    return "\n".join(prose), tuple(blocks)


def links(prose: str) -> tuple[str, ...]:
    """Where the links and pictures of some prose lead to, as they are written."""
    plain = _CODE_SPAN.sub("", prose)
    return tuple(
        found["target"] for pattern in (_LINK, _NESTED, _DEFINITION, _ATTRIBUTE) for found in pattern.finditer(plain)
    )


def anchors(prose: str) -> frozenset[str]:
    """The fragments that a page's headings answer to, as the forge that shows them makes them."""
    found: set[str] = set()
    for heading in _HEADING.finditer(prose):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading["text"].replace("`", ""))
        slug = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
        found.add(
            slug if slug not in found else next(f"{slug}-{n}" for n in range(1, 99) if f"{slug}-{n}" not in found)
        )
    return frozenset(found)
