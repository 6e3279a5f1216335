"""Plugins of others: found through the entry point group `ostiary.plugins`, loaded only where a route names them.

The entry point has the plugin's name, so that finding a plugin runs no code of others: a broken one that no route
names stops nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final

from ostiary.plugins.chain import SHIPPED
from ostiary.plugins.plugin import HIGHEST_PRIORITY, LOWEST_PRIORITY, Plugin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.metadata import EntryPoint

GROUP: Final = "ostiary.plugins"


class ThirdPartyError(Exception):
    """An installed plugin cannot be used. The text goes on where the plugin's name ends, and holds nothing it said."""


class ThirdParty(Mapping[str, Plugin]):
    """The installed plugins by name. To ask whether there is one loads none; `[name]` loads it, once.

    `[name]` raises `ThirdPartyError` for one that cannot be imported or is not what a plugin must be, or that several
    distributions have.
    """

    def __init__(self, entries: Mapping[str, tuple[EntryPoint, ...]]) -> None:
        self._entries = entries
        self._loaded: dict[str, Plugin] = {}

    def __getitem__(self, name: str) -> Plugin:
        if name not in self._loaded:
            self._loaded[name] = _load(name, self._entries[name])
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def find_third_party() -> ThirdParty:
    """The plugins that are installed here. One with the name of a plugin that ships is never asked for."""
    found: dict[str, tuple[EntryPoint, ...]] = {}
    for entry in entry_points(group=GROUP):
        if entry.name not in SHIPPED:
            found[entry.name] = (*found.get(entry.name, ()), entry)
    return ThirdParty(found)


def _load(name: str, entries: tuple[EntryPoint, ...]) -> Plugin:
    if len(entries) > 1:
        raise ThirdPartyError(f"is in {len(entries)} installed distributions")
    try:
        plugin: Plugin = entries[0].load()()
        said: object = plugin.name
        priority: object = plugin.priority
        runs = callable(plugin.run)
    except (Exception, SystemExit) as error:  # code of others: whatever it raises, its class alone is told
        raise ThirdPartyError(f"cannot be loaded: {type(error).__name__}") from error
    if not isinstance(said, str) or said != name:
        raise ThirdPartyError("has an entry point of another name")
    if not isinstance(priority, int) or not LOWEST_PRIORITY <= priority <= HIGHEST_PRIORITY:
        raise ThirdPartyError(f"has a priority that is no whole number from {LOWEST_PRIORITY} to {HIGHEST_PRIORITY}")
    if not runs:
        raise ThirdPartyError("cannot be run: it has no `run(exchange)`")
    return plugin
