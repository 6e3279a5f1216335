"""URLs and listen addresses as the file writes them. Nothing here looks a name up."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, PlainValidator, WithJsonSchema

from ostiary.config.problems import Complaint, KeyPath
from ostiary.config.settings import expected

if TYPE_CHECKING:
    from collections.abc import Callable

HIGHEST_PORT = 65535
LISTEN_PATTERN = r"^(\[[0-9A-Fa-f:.]+\]|[0-9.]+):[1-9][0-9]{0,4}$"
NETWORK_PATTERN = r"^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$"
_NETWORK = re.compile(NETWORK_PATTERN)
_LOOPBACK_V4 = IPv4Network("127.0.0.0/8")
_LOOPBACK_V6 = ipaddress.IPv6Address("::1")
# RFC 3986 §2: what a URI is written with. `urlsplit` would silently drop line breaks and tabs.
_URI = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
# A host without percent-encoding and without user information, and a port.
_AUTHORITY = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::([0-9]{1,5}))?")
# RFC 1123 §2.1, and the underscore, which names of containers have.
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")
_LONGEST_NAME = 253
_LISTEN = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):([0-9]{1,5})")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenAddress:
    """An address of this machine: `host` is an IP address without brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_authority(text: str) -> tuple[str, int | None] | None:
    """Host in lower case, IPv6 without brackets, and port, of `host` or `host:port`; None for anything else.

    A host whose last label is a number is an IPv4 address or nothing (WHATWG URL, "ends in a number"): whoever
    resolves `127.1` or `1.2.3.4.5` as a name, or as an address, finds something else.
    """
    match = _AUTHORITY.fullmatch(text)
    if match is None:
        return None
    port = None if match[3] is None else int(match[3])
    if port is not None and not 0 < port <= HIGHEST_PORT:
        return None
    host = (match[1] or match[2]).lower()
    is_host = _is_address(host, 6) if match[1] else _is_name(host)
    return (host, port) if is_host else None


def _is_name(host: str) -> bool:
    labels = host.removesuffix(".").split(".")
    if labels[-1].isdigit():
        return _is_address(host, 4)
    return len(host) <= _LONGEST_NAME and all(_LABEL.fullmatch(label) for label in labels)


def _is_address(host: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(host).version == version
    except ValueError:
        return False


def _parts(text: str) -> SplitResult | None:
    """The parts of an absolute http or https URL with a host, without user information and fragment; None otherwise."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    fits = (
        _URI.fullmatch(text) is not None
        and text.startswith(("http://", "https://"))
        and parse_authority(parts.netloc) is not None
        and "#" not in text
    )
    return parts if fits else None


def _rule(phrase: str, fits: Callable[[str, SplitResult], bool]) -> AfterValidator:
    def judge(text: str) -> str:
        parts = _parts(text)
        if parts is None or not fits(text, parts):
            raise expected(phrase, "Write scheme and host, no user name, no fragment, and no port 0.")
        return text

    return AfterValidator(judge)


_SCHEMA = WithJsonSchema({"type": "string", "format": "uri", "pattern": "^https?://[^@#]+$"})

HttpUrl = Annotated[str, _rule("an http or https URL", lambda _text, _parts: True), _SCHEMA]
"""An absolute http(s) URL without user information and fragment; the text stays as it is written."""

IssuerUrl = Annotated[str, _rule("an http or https URL without a query", lambda text, _: "?" not in text), _SCHEMA]
"""An issuer identifier (RFC 8414 §2): an `HttpUrl` without a query. Compared as text, so never rewritten."""

OriginUrl = Annotated[
    str,
    _rule("an origin such as `https://op.example.com`", lambda text, parts: text == f"{parts.scheme}://{parts.netloc}"),
    _SCHEMA,
]
"""Scheme, host and port (RFC 6454 §4), with no slash at the end."""


def is_loopback_literal(host: str) -> bool:
    """Whether `host` means this machine without asking anyone: 127/8, ::1 or `localhost` (RFC 6761 §6.3)."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address in _LOOPBACK_V4 if isinstance(address, ipaddress.IPv4Address) else address == _LOOPBACK_V6


def refuse_insecure_http(url: str, path: KeyPath, *, allow_insecure_http: bool | None) -> tuple[Complaint, ...]:
    """For a check: one complaint if `url` is plain http to another machine and nobody allowed it, otherwise none.

    Args:
        url: valid.
        path: of its key.
        allow_insecure_http: the key beside it; None: there is no such key.
    """
    parts = urlsplit(url)
    if parts.scheme != "http" or allow_insecure_http or is_loopback_literal(parts.hostname or ""):
        return ()
    way_round = "; `allow_insecure_http: true` beside it accepts that secrets travel readable"
    hint = f"Use https{'' if allow_insecure_http is None else way_round}."
    return (Complaint(path=path, what="is plain http to another machine", hint=hint),)


def _listen(value: object) -> ListenAddress:
    if isinstance(value, ListenAddress):
        return value
    match = _LISTEN.fullmatch(value) if isinstance(value, str) else None
    if match:
        host, port = match[1] or match[2], int(match[3])
        version = 6 if match[1] else 4
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            pass
        else:
            if address.version == version and 0 < port <= HIGHEST_PORT:
                return ListenAddress(host=str(address), port=port)
    raise expected(
        "an IP address and a port such as `127.0.0.1:8080`", "IPv6 in brackets: `[::1]:8080`; no name, no port 0."
    )


Listen = Annotated[
    ListenAddress,
    PlainValidator(_listen),
    WithJsonSchema({"type": "string", "pattern": LISTEN_PATTERN}),
]
"""Where to listen: an IP address and a port."""


def _network(value: object) -> IPv4Network | IPv6Network:
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    try:
        if isinstance(value, str) and _NETWORK.fullmatch(value):  # no zone, no netmask
            return ipaddress.ip_network(value)
    except ValueError:
        pass
    raise expected("an IP network such as `192.0.2.0/24`", "No bit may be set behind the prefix.")


Network = Annotated[
    IPv4Network | IPv6Network, PlainValidator(_network), WithJsonSchema({"type": "string", "pattern": NETWORK_PATTERN})
]
"""A network or a single IP address. (pydantic's own types also take numbers for addresses.)"""
