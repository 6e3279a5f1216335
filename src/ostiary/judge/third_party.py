"""Plugins of others: found through the entry point group `ostiary.plugins`, run only where a route names them."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final

from ostiary.plugins.chain import SHIPPED
from ostiary.plugins.plugin import HIGHEST_PRIORITY, LOWEST_PRIORITY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.plugins.plugin import Plugin

GROUP: Final = "ostiary.plugins"


class ThirdPartyError(Exception):
    """An installed plugin cannot be used; the text names the distribution and says why."""


def find_third_party() -> Mapping[str, Plugin]:
    """The installed plugins by name. An entry point leads to a class without arguments.

    Raises:
        ThirdPartyError: it cannot be imported, lacks a name or a priority from 17000 to 19000, or takes a name or a
            priority that another plugin has.
    """
    found: dict[str, Plugin] = {}
    taken = {link.plugin.priority: name for name, link in SHIPPED.items()}
    for entry in entry_points(group=GROUP):
        try:
            plugin: Plugin = entry.load()()
            name, priority = plugin.name, plugin.priority
            is_in_range = LOWEST_PRIORITY <= priority <= HIGHEST_PRIORITY
            is_free = not (name in SHIPPED or name in found or priority in taken)
        except Exception as error:  # code of others: whatever it raises, and whatever its attributes are, it is named
            raise ThirdPartyError(f"plugin {entry.value} cannot be loaded: {type(error).__name__}") from error
        if not is_in_range:
            raise ThirdPartyError(f"plugin {name}: its priority is not from {LOWEST_PRIORITY} to {HIGHEST_PRIORITY}")
        if not is_free:
            other = taken.get(priority, name)
            raise ThirdPartyError(f"plugin {name}: its name or priority is taken by {other}")
        found[name] = plugin
        taken[priority] = name
    return found
