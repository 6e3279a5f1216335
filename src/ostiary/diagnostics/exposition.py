"""The expositions of several workers as one: every sample gets a `worker` label.

Read are only pages that `Metrics.exposition` wrote: text format 0.0.4, one family after the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(slots=True)
class _Family:
    head: list[str] = field(default_factory=list)
    samples: list[str] = field(default_factory=list)


def merge(expositions: Mapping[int | str, bytes]) -> bytes:
    """One page of many.

    Args:
        expositions: pages by the worker's index, or by another name that is a plain word.
    """
    families: dict[str, _Family] = {}
    for worker, page in expositions.items():
        _read(page.decode(), str(worker), families)
    lines = [line for family in families.values() for line in (*family.head, *family.samples)]
    return "".join([line + "\n" for line in lines]).encode()


def _read(page: str, worker: str, families: dict[str, _Family]) -> None:
    family = _Family()
    for line in page.split("\n"):
        if line.startswith("# HELP "):
            family = families.setdefault(line.split(" ", 3)[2], _Family())
            if not family.head:
                family.head.append(line)
        elif line.startswith("# TYPE "):
            if len(family.head) == 1:
                family.head.append(line)
        elif line:
            family.samples.append(_labelled(line, worker))


def _labelled(sample: str, worker: str) -> str:
    """`name{a="b"} 1` or `name 1`: the name has neither a brace nor a space."""
    name, brace, rest = sample.partition("{")
    if brace:
        return f'{name}{{worker="{worker}",{rest}'
    name, _, value = sample.partition(" ")
    return f'{name}{{worker="{worker}"}} {value}'
