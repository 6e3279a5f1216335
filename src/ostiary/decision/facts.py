"""What a door knows of a request: the one shape in which every door asks the judge."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

Headers = tuple[tuple[bytes, bytes], ...]


class Door(StrEnum):
    """Where the request arrived."""

    GATEWAY = "gateway"
    AUTHZ = "authz"
    ASGI = "asgi"
    CLI = "cli"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFacts:
    """One request, as it is judged.

    Attributes:
        door: where it arrived.
        reference: the request id, a UUID4 with dashes, never the client's.
        method: as sent, case-sensitive.
        host: the `Host` or `:authority` as sent, port included, or "".
        path: normalised, without query: the path that will be forwarded.
        headers: pairs of a lower-case name and a value, in wire order, credentials included. Not in the `repr`.
        peer: the client's address as text, or "".
        body: None where it has not been read.
    """

    door: Door
    reference: str
    method: str
    host: str
    path: str
    headers: Headers = field(repr=False)
    peer: str = ""
    body: bytes | None = field(default=None, repr=False)
