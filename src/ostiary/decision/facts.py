"""What a door knows of a request: the one shape in which every door asks the judge."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

Headers = tuple[tuple[bytes, bytes], ...]


class Door(StrEnum):
    """Where the request arrived."""

    GATEWAY = "gateway"
    AUTHZ = "authz"
    ASGI = "asgi"
    CLI = "cli"


class RequestFacts(NamedTuple):
    """One request, as it is judged. Neither headers nor body are in its `repr`.

    Attributes:
        door: where it arrived.
        reference: the request id, a UUID4 with dashes, never the client's.
        method: as sent, case-sensitive.
        host: the `Host` or `:authority` as sent, port included, or "".
        path: normalised, without query: the path that will be forwarded.
        headers: pairs of a lower-case name and a value, in wire order, credentials included.
        peer: the client's address as text, or "".
        body: None where it has not been read.
    """

    door: Door
    reference: str
    method: str
    host: str
    path: str
    headers: Headers
    peer: str = ""
    body: bytes | None = None

    def __repr__(self) -> str:
        return f"RequestFacts(door={self.door!r}, reference={self.reference!r}, method={self.method!r}, …)"
