"""The one Python router: for `decide`, for doors without Envoy, and for the metadata documents.

Behind Envoy nobody matches a second time: the route's key arrives with the question.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.decision.hosts import parse_host
from ostiary.decision.routes import USUAL_METHODS
from ostiary.oauth.resource import path_segments

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ostiary.decision.routes import Route

_USUAL = frozenset(USUAL_METHODS)


class RouteTable:
    """Routes, found by host, path and method: the most specific wins, the file's order means nothing.

    A route with a host stands before one without, then more segments before fewer. Routes equal in both are told apart
    by method alone; if none of them has the method, no broader route is tried.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self._by_name = {route.name: route for route in routes}
        self._groups: dict[tuple[str | None, tuple[str, ...]], list[Route]] = {}
        for route in self._by_name.values():
            key = (route.match.host, path_segments(route.match.path))
            self._groups.setdefault(key, []).append(route)

    @property
    def routes(self) -> tuple[Route, ...]:
        """All of them, in the file's order."""
        return tuple(self._by_name.values())

    def named(self, name: str) -> Route | None:
        """The route of a name."""
        return self._by_name.get(name)

    def match(self, *, host: str, path: str, method: str) -> Route | None:
        """The route of a request.

        Args:
            host: as sent, port included, or "" for none; compared in lower case and without the port.
            path: normalised, without query.
            method: as sent; case-sensitive.
        """
        for route in self._group(host, path):
            if method in (_USUAL if route.match.methods is None else route.match.methods):
                return route
        return None

    def match_any_method(self, *, host: str, path: str) -> Route | None:
        """The route whose resource this is, whatever may be done with it: for metadata."""
        return next(iter(self._group(host, path)), None)

    def _group(self, host: str, path: str) -> list[Route]:
        """Those of the most specific place; none for a host that cannot be read, to which Envoy answers 400."""
        asked = parse_host(host)
        if asked is None and host:
            return []
        segments = _segments(path)
        for known in (asked.name, None) if asked is not None else (None,):
            for length in range(len(segments), -1, -1):
                group = self._groups.get((known, segments[:length]))
                if group is not None:
                    return group
        return []


def _segments(path: str) -> tuple[str, ...]:
    """Segments of a request's path; a trailing slash makes an empty one, which no route names."""
    return tuple(path.split("/"))[1:] if path != "/" else ()
