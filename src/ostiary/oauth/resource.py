"""Resource identifiers (RFC 8707 §2, RFC 9728 §1.2): absolute URLs that name what a token is for.

Compared by parts, never by their text: scheme and host in any case, the default port or none, one trailing slash
ignored, the path by whole segments. With a query or a fragment it is no identifier that we could match.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Scheme, host and port (RFC 6454), in lower case and with the port spelled out."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceIdentifier:
    """An origin and the segments of a path; `https://a/b/` and `https://A:443/b` are one."""

    origin: Origin
    segments: tuple[str, ...]


def parse_resource(text: str) -> ResourceIdentifier | None:
    """Read an absolute `http` or `https` URL; None for anything else, a query, a fragment or user information."""
    origin = parse_origin(text)
    if origin is None or "?" in text or "#" in text:
        return None
    return ResourceIdentifier(origin=origin, segments=path_segments(urlsplit(text).path))


def parse_origin(text: str) -> Origin | None:
    """The origin of an absolute URL; None when it has none that can be read in one way."""
    if not text.isascii() or any(character <= " " or character in '\\"<>' for character in text):
        return None
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        return None
    scheme = url.scheme.lower()
    if scheme not in _DEFAULT_PORTS or not url.hostname or "@" in url.netloc:
        return None
    return Origin(scheme=scheme, host=url.hostname.lower(), port=_DEFAULT_PORTS[scheme] if port is None else port)


def path_segments(path: str) -> tuple[str, ...]:
    """`/a/b`, `/a/b/` → `("a", "b")`; `/`, `` → `()`. One trailing slash is ignored, a second is a segment."""
    trimmed = path.removeprefix("/").removesuffix("/")
    return tuple(trimmed.split("/")) if trimmed else ()


def is_at_or_below(segments: tuple[str, ...], base: tuple[str, ...]) -> bool:
    """Whether a path is `base` itself or lies under it, by whole segments."""
    return segments[: len(base)] == base
