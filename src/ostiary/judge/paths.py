"""The one path: what a request's path becomes before anybody looks at it, exactly as our Envoy has it.

Envoy runs with `normalize_path`, `merge_slashes`, `path_with_escaped_slashes_action: REJECT_REQUEST` and the guards
against a `%` that is no escape and against `..;`. Doors without Envoy come to the same path by this module; a test
sends the same targets through both. Its quirks are kept, not mended: a path that is judged otherwise than it is
forwarded is a hole.
"""

from __future__ import annotations

import re
from typing import Final

# RFC 3986 §2.3 unreserved, and `/`: escaped or not they are the same to Envoy, or refused.
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
# Visible ASCII that Envoy escapes. Control bytes, blanks, `#` and all that is not ASCII it refuses (in HTTP/2 it
# escapes bytes over 0x7F; what asks us has HTTP/1's bytes).
_REFUSED: Final = re.compile(r"[^!-~]|[#?]|%2[Ff]|%5[Cc]")
_TOUCHED: Final = re.compile(r'%([0-9A-Fa-f]{2})?|["<>^`{|}]')
# `..;x` is `..` to some servers behind us; only so written, and only between slashes.
_DOT_PARAMETERS: Final = re.compile(r"(?<=/)(\.\.?);[^/]*")
# The guard `guard.dots`: one that is left, from behind an escape or a backslash, is a dot segment to such a server.
_DOTS_LEFT: Final = re.compile(r"/\.\.?;")
_DOT: Final = re.compile(r"\.|%2[Ee]")
_DOTS: Final = re.compile(r"(?:\.|%2[Ee]){2}")
# What is left as it is, whole segments that do not begin with a dot: nearly every path there is.
_USUAL: Final = re.compile(r"/|(?:/[A-Za-z0-9\-_~!$&'()*+,=:@\[\]][A-Za-z0-9\-._~!$&'()*+,=:@\[\]]*)+/?")

_LONE: Final = "\0"  # stands for a `%` that begins no escape; no byte of a path, `_REFUSED` has it
_LONE_BEFORE_HEX: Final = re.compile(_LONE + "(?=[0-9A-Fa-f]{2})")


def normalise(raw: bytes | str) -> str | None:
    """The path that Envoy matches, has judged and forwards; None where it refuses the request (`edge-path`).

    Args:
        raw: as sent in origin-form (RFC 9112 §3.2.1), without `?` and what follows it.
    """
    path = raw.decode("latin-1") if isinstance(raw, bytes) else raw
    if _USUAL.fullmatch(path):
        return path
    if not path.startswith("/") or _REFUSED.search(path):
        return None
    path = _DOT_PARAMETERS.sub(r"\1", path)
    if "%00" in path:
        return None
    path = "/" + "/".join(_walk(path.replace("\\", "/")))
    if "//" in path:
        path = _merge(path)
    return None if _LONE in path or _DOTS_LEFT.search(path) else path


def is_canonical(raw: bytes | str) -> bool:
    r"""Whether a path can only be read in one way: nobody behind us would route it differently from how it was judged.

    Not so are dot segments, `//`, `\`, escapes of what needs none or of `/`, `;` (path parameters, RFC 3986 §3.3),
    and what is no path: absolute-form, `*`.
    """
    path = raw.decode("latin-1") if isinstance(raw, bytes) else raw
    return ";" not in path and "//" not in path and normalise(path) == path


def _walk(path: str) -> list[str]:
    """Segments without dot segments (RFC 3986 §5.2.4), each with its escapes settled."""
    segments = path.split("/")[1:]
    walked: list[str] = []
    for segment in segments:
        if _DOTS.fullmatch(segment):
            del walked[-1:]
        elif not _DOT.fullmatch(segment):
            walked.append(_TOUCHED.sub(_settle, segment) if _TOUCHED.search(segment) else segment)
    if _DOT.fullmatch(segments[-1]) or _DOTS.fullmatch(segments[-1]):
        walked.append("")
    # `%%341`: decoding made an escape that nobody sent, so its `%` is escaped.
    return [_LONE_BEFORE_HEX.sub("%25", segment) for segment in walked]


def _settle(touched: re.Match[str]) -> str:
    """Decode an escape that need not be one, keep another as it is; escape what should have been."""
    digits = touched[1]
    if digits is not None:
        character = chr(int(digits, 16))
        return character if character in _UNRESERVED else touched[0]
    return _LONE if touched[0] == "%" else f"%{ord(touched[0]):02X}"


def _merge(path: str) -> str:
    """Several slashes are one, but where there is nothing else: `//` stays (Envoy's `mergeSlashes`)."""
    kept = "/".join(filter(None, path.split("/")))
    return "/" + kept + ("/" if path.endswith("/") else "")
