"""What an issuer's metadata say (RFC 8414): where it introspects, and whether it is a development server.

Only URLs that follow from the configuration are read. A discovered endpoint must be on the issuer's origin or on one
that the configuration lists; otherwise metadata could send our credentials anywhere.
"""

from __future__ import annotations

import logging
import math
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from ostiary.authorities.flight import Flights, wait_for
from ostiary.authorities.wire import Ask
from ostiary.oauth.introspection import Cause, Unavailable
from ostiary.oauth.metadata import AuthorizationServerMetadata, discovery_urls, parse_server_metadata
from ostiary.oauth.resource import parse_origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ostiary.authorities.wire import Wire

REREAD_SECONDS: Final = 3600.0
# After a failure: soon where questions wait for it, later where they do not.
RETRY_SECONDS: Final = 1.0
RETRY_BESIDE_SECONDS: Final = 60.0
# The first question waits that long at most for metadata that it can do without.
LOOK_SECONDS: Final = 1.0
GRACE_SECONDS: Final = 1.0  # a reading ends by itself; this is for one that does not

_log: Final = logging.getLogger(__name__)


class Issuer:
    """An issuer and the last good reading of its metadata.

    Where the endpoint is given, metadata are read until the issuer answered once, whatever it answered: only the mark
    of a development server matters there. Otherwise they are read again every hour.

    Args:
        name: of the authority, for the log.
        issuer: its identifier.
        endpoint: where to introspect; None: discovered.
        origins: where a discovered endpoint may lie beside the issuer's own origin.
        seconds: for one reading, both locations together.
    """

    def __init__(  # one argument a setting
        self,
        *,
        name: str,
        issuer: str,
        endpoint: str | None,
        origins: Iterable[str],
        seconds: float,
        allow_development: bool,
        wire: Wire,
        monotonic: Callable[[], float],
    ) -> None:
        self._name = name
        self._issuer = issuer
        self._endpoint = endpoint
        self._discovers = endpoint is None
        self._origins = frozenset(map(parse_origin, (issuer, *origins)))
        self._seconds = seconds if self._discovers else min(seconds, LOOK_SECONDS)
        self._allow_development = allow_development
        self._wire = wire
        self._monotonic = monotonic
        self._flights: Flights[None] = Flights()
        self._due = -math.inf
        self._looked = False
        self.is_disbelieved = False
        self._fault = Unavailable(cause=Cause.DISCOVERY)

    async def endpoint(self) -> str | Unavailable:
        """Where to introspect. Waits for metadata only as long as nothing is known."""
        look = self._flights.find(self._issuer)
        if look is None and self._monotonic() >= self._due:
            look = self._flights.start(self._issuer, self._look)
        if look is not None and (self._endpoint is None or not self._looked):
            await wait_for(look, seconds=self._seconds + GRACE_SECONDS)
        if self.is_disbelieved:
            return Unavailable(cause=Cause.DEVELOPMENT)
        return self._endpoint or self._fault

    async def aclose(self) -> None:
        """Stop reading."""
        await self._flights.aclose()

    async def _look(self) -> None:
        read = await self._read()
        self._looked = True
        if isinstance(read, AuthorizationServerMetadata):
            self._note(read)
        fault = self._learn(read) if self._discovers else read if isinstance(read, Unavailable) else None
        if fault is None:
            pause = REREAD_SECONDS if self._discovers else math.inf
        else:
            self._fault = fault
            pause = RETRY_SECONDS if self._endpoint is None else RETRY_BESIDE_SECONDS
        self._due = self._monotonic() + pause

    def _learn(self, read: AuthorizationServerMetadata | Unavailable | None) -> Unavailable | None:
        """Take the endpoint over, or say why not; the last good one stays."""
        if isinstance(read, Unavailable):
            return Unavailable(cause=Cause.DISCOVERY, note=": ".join(filter(None, (read.cause, read.note))))
        if read is None:
            return Unavailable(cause=Cause.DISCOVERY, note="no metadata of this issuer at either location")
        if read.introspection_endpoint is None:
            return Unavailable(cause=Cause.DISCOVERY, note="the metadata name no introspection endpoint")
        origin = parse_origin(read.introspection_endpoint)
        if origin is None or origin not in self._origins:
            return Unavailable(cause=Cause.DISCOVERY, note="the introspection endpoint is on another origin")
        self._endpoint = read.introspection_endpoint
        return None

    def _note(self, metadata: AuthorizationServerMetadata) -> None:
        """A development server stays one until metadata say otherwise, which only a later reading could."""
        disbelieved = metadata.development and not self._allow_development
        if disbelieved and not self.is_disbelieved:
            _log.error("authorization server %s says it is a development server: it is not believed", self._name)
        self.is_disbelieved = disbelieved

    async def _read(self) -> AuthorizationServerMetadata | Unavailable | None:
        """The first document that is this issuer's; None where it answered and has none."""
        deadline = self._monotonic() + self._seconds
        failure: Unavailable | None = None
        for url in discovery_urls(self._issuer):
            answer = await self._wire.ask(Ask(url=url, headers={}), seconds=deadline - self._monotonic())
            if isinstance(answer, Unavailable):
                failure = answer
            elif answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                failure = Unavailable(cause=Cause.STATUS, note=f"status {answer.status}")
            elif answer.status == HTTPStatus.OK:
                metadata = parse_server_metadata(answer.body, self._issuer)
                if metadata is not None:
                    return metadata
        return failure
