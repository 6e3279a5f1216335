"""A request as it is written, byte by byte, and the answer to it.

`http.client` sends what it is told: no other path, no header of its own. A library that tidies a target would hide what
half of the tour is about.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from ostiary.demo.visit import Headers

_SECONDS: Final = 10.0
_EVENT: Final = b"data: "


class NoAnswer(Exception):  # noqa: N818 - what happened, not whose fault it is
    """The gateway could not be reached, or what came back was not HTTP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back. Header names in lower case; a repeated one joined with a comma."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def reference(self) -> str:
        """The request id under which an operator finds the decision; "" if there is none."""
        return self.headers.get("x-request-id", "")

    def document(self) -> object:
        """The body as JSON, or the JSON of its last server-sent event; None: it is neither."""
        events = [line for line in self.body.splitlines() if line.startswith(_EVENT)]
        try:
            return json.loads(events[-1].removeprefix(_EVENT) if events else self.body)
        except ValueError:
            return None


def ask(origin: str, method: str, target: str, headers: Headers, body: bytes) -> Answer:
    """Send one request on a connection of its own. Blocks, for ten seconds at most.

    Raises:
        NoAnswer: there was none.
    """
    url = urlsplit(origin)
    connection = HTTPConnection(url.hostname or "", url.port, timeout=_SECONDS)
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        if body:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        response = connection.getresponse()
        content = response.read()
    except (OSError, HTTPException) as error:
        raise NoAnswer(f"{method} {target}: {type(error).__name__}") from error
    finally:
        connection.close()
    found: dict[str, str] = {}
    for name, value in response.getheaders():
        key = name.lower()
        found[key] = f"{found[key]}, {value}" if key in found else value
    return Answer(status=response.status, headers=found, body=content)
