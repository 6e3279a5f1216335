"""One authorization server as it is asked: how many at a time, how long, and when not at all."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from ostiary.authorities.bkauth import BkauthServer
from ostiary.authorities.breaker import Breaker, BreakerState
from ostiary.authorities.echo import refuse_echo
from ostiary.authorities.issuer import Issuer
from ostiary.authorities.rfc7662 import Rfc7662Server
from ostiary.authorities.settings import Rfc7662Settings
from ostiary.authorities.wire import MAX_CONNECTIONS, Wire
from ostiary.oauth.introspection import Active, Cause, Grant, Inactive, Unavailable

if TYPE_CHECKING:
    import ssl

    from ostiary.authorities.clocks import Clocks
    from ostiary.authorities.observing import Observer
    from ostiary.authorities.servers import Server
    from ostiary.authorities.settings import AnyServerSettings
    from ostiary.authorities.wire import Answer
    from ostiary.config import Secret
    from ostiary.oauth.credentials import RawToken
    from ostiary.plugins.questions import IntrospectionFact

MAX_WAITING: Final = 1000

# What a breaker counts, beside 5xx and 429: the authority is away, not of another opinion.
_AWAY: Final = frozenset({Cause.REFUSED, Cause.TIMEOUT, Cause.TLS, Cause.BROKEN})

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What came of a question, and how long it took, waiting included."""

    fact: IntrospectionFact
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityHealth:
    """An authority as operators see it.

    Attributes:
        last_outcome: `active`, `inactive` or a `Cause`; None: never asked.
        last_asked_at: wall clock.
        asking, waiting: questions that it is being asked, and those that wait for their turn.
    """

    name: str
    kind: str
    issuer: str
    breaker: BreakerState
    last_outcome: str | None
    last_asked_at: float | None
    asking: int
    waiting: int


class Authority:
    """One authorization server, its connections and its breaker."""

    def __init__(  # what one consists of
        self,
        name: str,
        settings: AnyServerSettings,
        secret: Secret,
        *,
        clocks: Clocks,
        observer: Observer,
        allow_development_issuer: bool,
        tls: ssl.SSLContext,
    ) -> None:
        self.name = name
        self._settings = settings
        self._clocks = clocks
        self._observer = observer
        self._server = _server(settings, secret)
        self._wire = Wire(tls)
        self._issuer = Issuer(
            name=name,
            issuer=settings.issuer,
            endpoint=self._server.endpoint,
            origins=settings.endpoint_origins if isinstance(settings, Rfc7662Settings) else (),
            seconds=settings.timeout,
            allow_development=allow_development_issuer,
            wire=self._wire,
            monotonic=clocks.monotonic,
        )
        self._breaker = Breaker()
        self._turns = asyncio.Semaphore(MAX_CONNECTIONS)
        self._asking = 0
        self._waiting = 0
        self._last: tuple[str, float] | None = None

    async def ask(self, token: RawToken, *, reference: str, deadline: float) -> Asked:
        """Ask about a token.

        Args:
            token: of RFC 6750's syntax.
            reference: of the request that is judged.
            deadline: monotonic seconds; until then it waits for its turn. Asking itself takes the authority's own
                `timeout` at most, whoever waits: a breaker must not count the haste of one request.
        """
        began = self._clocks.monotonic()
        said = await self._in_turn(token, reference, deadline)
        wall = self._clocks.wall()
        fact = Active(grant=said, as_of=wall) if isinstance(said, Grant) else said
        seconds = self._clocks.monotonic() - began
        outcome = _outcome(fact)
        self._last = (outcome, wall)
        self._observer.asked(self.name, outcome, seconds)
        return Asked(fact=fact, seconds=seconds)

    @property
    def is_disbelieved(self) -> bool:
        """Whether it turned out to be a development server: nothing that it said counts, remembered or not."""
        return self._issuer.is_disbelieved

    def health(self) -> AuthorityHealth:
        """What operators see."""
        outcome, asked_at = self._last or (None, None)
        return AuthorityHealth(
            name=self.name,
            kind=self._settings.kind,
            issuer=self._settings.issuer,
            breaker=self._breaker.state,
            last_outcome=outcome,
            last_asked_at=asked_at,
            asking=self._asking,
            waiting=self._waiting,
        )

    async def aclose(self) -> None:
        """Stop reading metadata, close every connection."""
        await self._issuer.aclose()
        await self._wire.aclose()

    async def _in_turn(self, token: RawToken, reference: str, deadline: float) -> Grant | Inactive | Unavailable:
        now = self._clocks.monotonic()
        if self._turns.locked() and self._waiting >= MAX_WAITING:
            return Unavailable(cause=Cause.OVERLOADED)
        self._waiting += 1
        try:
            async with asyncio.timeout(deadline - now):
                await self._turns.acquire()
        except TimeoutError:
            return Unavailable(cause=Cause.OVERLOADED, note="its turn did not come in time")
        finally:
            self._waiting -= 1
        self._asking += 1
        try:
            return await self._put(token, reference)
        finally:
            self._asking -= 1
            self._turns.release()

    async def _put(self, token: RawToken, reference: str) -> Grant | Inactive | Unavailable:
        endpoint = await self._issuer.endpoint()
        if isinstance(endpoint, Unavailable):
            return endpoint
        before = self._breaker.state
        period = self._breaker.admit(self._clocks.monotonic())
        if period is None:
            return Unavailable(cause=Cause.BREAKER_OPEN)
        self._announce(before)
        failed = True
        try:
            ask = self._server.to_ask(token, endpoint=endpoint, reference=reference)
            answer = await self._wire.ask(ask, seconds=self._settings.timeout)
            failed = _is_away(answer)
        finally:
            before = self._breaker.state
            self._breaker.settle(period, failed=failed, now=self._clocks.monotonic())
            self._announce(before)
        said = answer if isinstance(answer, Unavailable) else self._server.parse(answer)
        return said if isinstance(said, Unavailable) else refuse_echo(said, token)

    def _announce(self, before: BreakerState) -> None:
        state = self._breaker.state
        if state is not before:
            _log.warning("authorization server %s: breaker %s", self.name, state)
            self._observer.breaker(self.name, state)


def _server(settings: AnyServerSettings, secret: Secret) -> Server:
    if isinstance(settings, Rfc7662Settings):
        return Rfc7662Server(settings, secret)
    return BkauthServer(settings, secret)


def _is_away(answer: Answer | Unavailable) -> bool:
    if isinstance(answer, Unavailable):
        return answer.cause in _AWAY
    return answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status == HTTPStatus.TOO_MANY_REQUESTS


def _outcome(fact: IntrospectionFact) -> str:
    match fact:
        case Active():
            return "active"
        case Inactive():
            return "inactive"
        case Unavailable():
            return fact.cause
