"""The one reading of a request's host (RFC 9110 §7.2): a name or an address, and perhaps a port.

Envoy's guard, the router, Guard and the operators' listener refuse what is not of this form: a field that two of them
read differently would be judged as one host and served as another. (Envoy first drops a dot, and what it then reads is
what it sends.)
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_NAME: Final = r"([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\])"
_PORT: Final = r"(?::([0-9]{1,5}))?"
# For Envoy, which has dropped the dot of an absolute name before it looks.
HOST_PATTERN: Final = _NAME + _PORT
_HOST: Final = re.compile(_NAME + r"\.?" + _PORT)


class Host(NamedTuple):
    """A host as it is compared.

    Attributes:
        name: in lower case, without the dot of an absolute name; an IPv6 address in its brackets.
        port: None where there is none.
    """

    name: str
    port: int | None

    def __str__(self) -> str:
        """The canonical form."""
        return self.name if self.port is None else f"{self.name}:{self.port}"


def parse_host(text: str) -> Host | None:
    """Read a `Host` or an `:authority`; None: it has another form."""
    found = _HOST.fullmatch(text)
    if found is None:
        return None
    name, port = found.groups()
    return Host(name.lower(), None if port is None else int(port))
