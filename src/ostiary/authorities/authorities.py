"""All authorities of one configuration, and the cache before them."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from ostiary.authorities.authority import Asked, Authority, AuthorityHealth
from ostiary.authorities.flight import FlightCancelledError, Flights, wait_for
from ostiary.authorities.observing import CacheOutcome, NullObserver
from ostiary.authorities.settings import AUTHORIZATION_SERVERS, TOKEN_CACHE, Rfc7662Settings
from ostiary.oauth.introspection import Active, Cause, Grant, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.authorities.cache import TokenCache, TokenKeys
    from ostiary.authorities.clocks import Clocks
    from ostiary.authorities.observing import Observer
    from ostiary.authorities.settings import AnyServerSettings, TokenCacheSettings
    from ostiary.config import Configuration, Secret
    from ostiary.oauth.credentials import RawToken
    from ostiary.plugins.questions import Introspect, IntrospectionFact

_NULL_OBSERVER: Final = NullObserver()
_HIT: Final = CacheOutcome.HIT


class UnknownAuthorityError(LookupError):
    """A question to an authority that the configuration does not have: a broken invariant, its routes were checked."""


class Told(NamedTuple):
    """A fact, and what a record says of how it was come by.

    Attributes:
        authority_seconds: what the question took, waiting for its turn included; 0 for a remembered answer.
    """

    fact: IntrospectionFact
    cache: CacheOutcome
    authority_seconds: float


@dataclass(frozen=True, slots=True)
class _Place:
    """An authority, and where its answers lie."""

    authority: Authority
    keys: TokenKeys


class Authorities:
    """Those whom one configuration names. The cache is handed in and outlives it; connections do not.

    Made by `open`; used from one event loop.
    """

    def __init__(
        self,
        places: Mapping[str, _Place],
        *,
        cache: TokenCache,
        ttls: TokenCacheSettings,
        clocks: Clocks,
        observer: Observer,
    ) -> None:
        self._places = places
        self._cache = cache
        self._ttls = ttls
        self._clocks = clocks
        self._observer = observer
        self._flights: Flights[Asked] = Flights()

    @classmethod
    def open(  # the world, piece by piece
        cls,
        configuration: Configuration,
        *,
        cache: TokenCache,
        clocks: Clocks,
        observer: Observer = _NULL_OBSERVER,
        allow_development_issuer: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> Authorities:
        """Make ready to ask; nobody is asked yet.

        Args:
            configuration: with the sections of this room; it may have no authorization server at all.
            cache: of this process.
            clocks: both.
            observer: who counts.
            allow_development_issuer: whether the embedded server is believed; passed in code alone, never configured.
            tls: how certificates are verified; by the system's trusted ones unless given.
        """
        servers = configuration.find(AUTHORIZATION_SERVERS)
        ttls = configuration.require(TOKEN_CACHE)
        verified = tls or ssl.create_default_context()
        places = {}
        for name, settings in servers.root.items() if servers is not None else ():
            key = "client_secret" if isinstance(settings, Rfc7662Settings) else "app_secret"
            secret = configuration.secret(AUTHORIZATION_SERVERS.name, name, key)
            authority = Authority(
                name,
                settings,
                secret,
                clocks=clocks,
                observer=observer,
                allow_development_issuer=allow_development_issuer,
                tls=verified,
            )
            told_apart_by = _fingerprint(name, settings, secret, allow_development_issuer=allow_development_issuer)
            places[name] = _Place(authority, cache.keys_of(told_apart_by))
        return cls(places, cache=cache, ttls=ttls, clocks=clocks, observer=observer)

    def recall(self, question: Introspect) -> Told | None:
        """What is remembered of an answer, without waiting; None: it must be asked.

        Raises:
            UnknownAuthorityError: see there.
        """
        place = self._find(question.authority)
        return self._recall(place, place.keys.of(question.token))

    async def ask(self, question: Introspect, *, reference: str, deadline: float, remember: bool = True) -> Told:
        """The answer, remembered or new. An authority that is away is a fact, not an exception.

        Args:
            question: about a token of RFC 6750's syntax.
            reference: of the request that is judged.
            deadline: monotonic seconds; at that time the answer is *could not tell*.
            remember: False: neither recalled, nor shared with another question, nor remembered.

        Raises:
            UnknownAuthorityError: see there.
        """
        place = self._find(question.authority)
        told = await self._ask(place, question.token, reference=reference, deadline=deadline, remember=remember)
        if told.cache is CacheOutcome.COALESCED and _lost_its_turn(told.fact) and self._clocks.monotonic() < deadline:
            # A question waits for its turn as long as whoever asked it first can; who joined later has time left.
            told = await self._ask(place, question.token, reference=reference, deadline=deadline, remember=remember)
        return told

    async def _ask(self, place: _Place, token: RawToken, *, reference: str, deadline: float, remember: bool) -> Told:
        began = self._clocks.monotonic()
        key: object = object()
        outcome = CacheOutcome.NONE
        flight = None
        if remember:
            token_key = place.keys.of(token)
            recalled = self._recall(place, token_key)
            if recalled is not None:
                return recalled
            # What was asked before a purge is not shared with those who come after it.
            key = (token_key, self._cache.epoch)
            flight = self._flights.find(key)
            outcome = CacheOutcome.MISS if flight is None else CacheOutcome.COALESCED
            self._observer.cache_event(place.authority.name, outcome)
        if flight is None:
            fly = partial(self._fly, place, token, reference=reference, deadline=deadline, remember=remember)
            flight = self._flights.start(key, fly)
        try:
            landed = await wait_for(flight, seconds=deadline - self._clocks.monotonic())
        except FlightCancelledError:
            landed = Asked(fact=Unavailable(cause=Cause.BROKEN, note="closed while it was asked"), seconds=0.0)
        if landed is None:
            return self._out_of_time(outcome, began)
        return Told(fact=landed.fact, cache=outcome, authority_seconds=landed.seconds)

    def purge_token(self, token: RawToken) -> int:
        """Forget a token, whichever authority it was asked of; how many entries went."""
        return sum(self._cache.purge(place.keys.of(token)) for place in self._places.values())

    def purge_about(self, authority: str, *, client_id: str | None = None, subject: str | None = None) -> int:
        """Forget what an authority said of a client, or of a subject, or of both at once; how many entries went."""
        return self._cache.purge_about(authority, client_id=client_id, subject=subject)

    def health(self) -> tuple[AuthorityHealth, ...]:
        """Every authority as operators see it."""
        return tuple(place.authority.health() for place in self._places.values())

    async def aclose(self) -> None:
        """Give up what is being asked, close every connection; the cache stays."""
        await self._flights.aclose()
        for place in self._places.values():
            await place.authority.aclose()

    def _find(self, name: str) -> _Place:
        place = self._places.get(name)
        if place is None:
            raise UnknownAuthorityError(name)
        return place

    def _recall(self, place: _Place, key: bytes) -> Told | None:
        said = None if place.authority.is_disbelieved else self._cache.find(key)
        if said is None:
            return None
        if isinstance(said, Grant):
            self._observer.cache_event(place.authority.name, _HIT)
            return Told(Active(said, self._clocks.wall()), _HIT, 0.0)
        self._observer.cache_event(place.authority.name, CacheOutcome.INACTIVE_HIT)
        return Told(fact=said, cache=CacheOutcome.INACTIVE_HIT, authority_seconds=0.0)

    async def _fly(self, place: _Place, token: RawToken, *, reference: str, deadline: float, remember: bool) -> Asked:
        epoch = self._cache.epoch
        asked = await place.authority.ask(token, reference=reference, deadline=deadline)
        fact = asked.fact
        if not remember or isinstance(fact, Unavailable) or epoch != self._cache.epoch:
            return asked
        said, ttl_seconds = (
            (fact.grant, self._ttls.ttl) if isinstance(fact, Active) else (fact, self._ttls.inactive_ttl)
        )
        self._cache.put(place.keys.of(token), said, authority=place.authority.name, ttl_seconds=ttl_seconds)
        return asked

    def _out_of_time(self, outcome: CacheOutcome, began: float) -> Told:
        fact = Unavailable(cause=Cause.TIMEOUT, note="the time for this decision ran out")
        return Told(fact=fact, cache=outcome, authority_seconds=self._clocks.monotonic() - began)


def _lost_its_turn(fact: IntrospectionFact) -> bool:
    return isinstance(fact, Unavailable) and fact.cause is Cause.OVERLOADED


def _fingerprint(name: str, settings: AnyServerSettings, secret: Secret, *, allow_development_issuer: bool) -> bytes:
    """What tells an authority's answers from all others: the secret is in it, so it is only ever hashed."""
    written = settings.model_dump_json(exclude={"timeout", "leeway"})  # leeway is judged on each use
    return json.dumps([name, written, secret.reveal(), allow_development_issuer]).encode()
