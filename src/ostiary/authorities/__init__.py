"""Those we ask: authorization servers, and what is remembered of their answers.

The only room that talks to them. It says what they said, never what that means for a request: audience, scope and
times are judged elsewhere, each time.
"""

from ostiary.authorities.authorities import Authorities, Told, UnknownAuthorityError
from ostiary.authorities.authority import AuthorityHealth
from ostiary.authorities.breaker import BreakerState
from ostiary.authorities.cache import TokenCache
from ostiary.authorities.clocks import Clocks
from ostiary.authorities.observing import CacheOutcome, NullObserver, Observer
from ostiary.authorities.settings import AUTHORIZATION_SERVERS, TOKEN_CACHE

__all__ = [
    "AUTHORIZATION_SERVERS",
    "TOKEN_CACHE",
    "Authorities",
    "AuthorityHealth",
    "BreakerState",
    "CacheOutcome",
    "Clocks",
    "NullObserver",
    "Observer",
    "TokenCache",
    "Told",
    "UnknownAuthorityError",
]
