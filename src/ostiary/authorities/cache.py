"""What is remembered of answers: by keyed hashes, for no longer than it may hold, within a bound of bytes.

*Could not tell* is never remembered and nothing stale is given out. An entry lives on the monotonic clock, so that no
step of the wall clock lengthens it; `exp` is compared with the wall clock besides, on each use. Verdicts are not here:
audience, scope and route are judged anew each time.

Used from one event loop; nothing in here waits.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from dataclasses import dataclass, replace
from sys import getsizeof
from typing import TYPE_CHECKING, Final

from ostiary.oauth.introspection import Grant, Inactive

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ostiary.authorities.clocks import Clocks
    from ostiary.oauth.credentials import RawToken

MIN_KEY_BYTES: Final = 32
INACTIVE_SHARE: Final = 16
MIN_INACTIVE_BYTES: Final = 64 * 1024
# An entry without its strings: key, numbers, place in the dictionary. Measured, and held to it by a test.
INACTIVE_BYTES: Final = 380
GRANT_BYTES: Final = 520
MAX_SHARED: Final = 64
MAX_SHARED_BYTES: Final = 2048

Said = Grant | Inactive


@dataclass(frozen=True, slots=True)
class Entry:
    """An answer and how long it holds.

    Attributes:
        until: monotonic seconds.
        expires_at: wall clock, the token's own `exp`; None where it has none.
        weight: in bytes, about.
    """

    answer: Said
    authority: str
    until: float
    expires_at: float | None
    weight: int


class TokenKeys:
    """The keys of one authority's entries.

    HMAC-SHA256 over the authority (its name and a fingerprint of its configuration, secret included) and the token:
    the same token at two authorities is two entries, and a changed configuration finds none of the old ones.
    """

    __slots__ = ("_keyed",)

    def __init__(self, key: bytes, authority: bytes) -> None:
        # A digest first, so that its length is fixed and no token can pass for the end of a fingerprint.
        self._keyed = hmac.new(key, hmac.digest(key, authority, "sha256"), "sha256")

    def of(self, token: RawToken) -> bytes:
        """The key of a token's entry."""
        keyed = self._keyed.copy()
        keyed.update(token.reveal().encode())
        return keyed.digest()


class TokenCache:
    """Good answers and the others apart, each with its own bound; the least recently used go first.

    So a flood of random tokens, which are inactive, cannot push out a good one.

    Args:
        key: random, of at least 32 bytes, made when the process starts: entries are found by it alone.
        max_bytes: for good answers; the others have a sixteenth of it beside that, at least 64 KiB.
        clocks: both.

    Raises:
        ValueError: the key is too short.
    """

    def __init__(self, *, key: bytes, max_bytes: int, clocks: Clocks) -> None:
        if len(key) < MIN_KEY_BYTES:
            raise ValueError(f"the key has under {MIN_KEY_BYTES} bytes")
        self._key = key
        self._clocks = clocks
        self._good = _Shelf()
        self._inactive = _Shelf()
        self._claims = _Shared()
        self._scopes = _Shared()
        self.epoch = 0
        self.resize(max_bytes)

    @property
    def entries(self) -> int:
        """How many there are, of both kinds; some may have run out."""
        return len(self._good) + len(self._inactive)

    @property
    def weight(self) -> int:
        """What they weigh, in bytes."""
        return self._good.weight + self._inactive.weight

    def keys_of(self, authority: bytes) -> TokenKeys:
        """The keys for an authority, by what is to tell it from every other."""
        return TokenKeys(self._key, authority)

    def resize(self, max_bytes: int) -> None:
        """Set new bounds; what is over them goes."""
        self._good.bound(max_bytes)
        self._inactive.bound(max(max_bytes // INACTIVE_SHARE, MIN_INACTIVE_BYTES))

    def find(self, key: bytes) -> Said | None:
        """The answer, if it still holds by both clocks."""
        now, wall = self._clocks.monotonic(), self._clocks.wall()
        return self._good.find(key, now, wall) or self._inactive.find(key, now, wall)

    def put(self, key: bytes, answer: Said, *, authority: str, ttl_seconds: float) -> None:
        """Remember an answer for `ttl_seconds` or until `exp`, whichever is sooner; not at all if that is now."""
        self._good.drop(key)
        self._inactive.drop(key)
        expires_at = answer.expires_at if isinstance(answer, Grant) else None
        lasts = ttl_seconds if expires_at is None else min(ttl_seconds, expires_at - self._clocks.wall())
        if lasts > 0:
            shelf = self._good if isinstance(answer, Grant) else self._inactive
            kept, weight = self._compact(answer)
            shelf.put(key, Entry(kept, authority, self._clocks.monotonic() + lasts, expires_at, weight))

    def purge(self, key: bytes) -> int:
        """Forget one token at one authority; how many entries went."""
        self.epoch += 1
        return self._good.drop(key) + self._inactive.drop(key)

    def purge_about(self, authority: str, *, client_id: str | None = None, subject: str | None = None) -> int:
        """Forget what an authority said of a client, or of a subject, or of both at once; how many entries went.

        Looks at every entry. What was not active names nobody, and runs out by itself within seconds.
        """
        self.epoch += 1
        return self._good.purge_about(authority, client_id, subject)

    def _compact(self, answer: Said) -> tuple[Said, int]:
        """The answer as it is kept, and about how many bytes its entry takes."""
        claims, weight = self._claims.share(answer.claims)
        if isinstance(answer, Inactive):
            return replace(answer, claims=claims), INACTIVE_BYTES + weight
        scopes, scopes_weight = self._scopes.share(answer.scopes)
        audience = answer.audience or ()
        named = (answer.client_id, answer.subject, answer.app_code, answer.username, answer.token_type)
        weight += scopes_weight + getsizeof(audience) + _weigh((*audience, *named))
        return replace(answer, claims=claims, scopes=scopes), GRANT_BYTES + weight


class _Shared:
    """Tuples that many answers have alike (names of members, scopes), kept once and not weighed again.

    The first small ones that come are kept, for good: never more than 128 KiB.
    """

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[tuple[str, ...], tuple[str, ...]] = {}

    def share(self, texts: tuple[str, ...]) -> tuple[tuple[str, ...], int]:
        """The tuple to keep, and what it weighs."""
        kept = self._kept.get(texts)
        if kept is not None:
            return kept, 0
        weight = getsizeof(texts) + _weigh(texts)
        if len(self._kept) < MAX_SHARED and weight <= MAX_SHARED_BYTES:
            self._kept[texts] = texts
            return texts, 0
        return texts, weight


class _Shelf:
    """Entries of one kind, the least recently used first."""

    __slots__ = ("_entries", "_max_bytes", "weight")

    def __init__(self) -> None:
        self._entries: OrderedDict[bytes, Entry] = OrderedDict()
        self._max_bytes = 0
        self.weight = 0

    def __len__(self) -> int:
        return len(self._entries)

    def bound(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._trim()

    def find(self, key: bytes, now: float, wall: float) -> Said | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry.until <= now or (entry.expires_at is not None and entry.expires_at <= wall):
            self.drop(key)
            return None
        self._entries.move_to_end(key)
        return entry.answer

    def put(self, key: bytes, entry: Entry) -> None:
        if entry.weight <= self._max_bytes:
            self._entries[key] = entry
            self.weight += entry.weight
            self._trim()

    def drop(self, key: bytes) -> int:
        entry = self._entries.pop(key, None)
        if entry is None:
            return 0
        self.weight -= entry.weight
        return 1

    def purge_about(self, authority: str, client_id: str | None, subject: str | None) -> int:
        keys = [
            key
            for key, entry in self._entries.items()
            if entry.authority == authority and _is_about(entry.answer, client_id, subject)
        ]
        return sum(map(self.drop, keys))

    def _trim(self) -> None:
        while self.weight > self._max_bytes:
            _, entry = self._entries.popitem(last=False)
            self.weight -= entry.weight


def _is_about(answer: Said, client_id: str | None, subject: str | None) -> bool:
    """Whether a grant is to that client and for that subject, by either of their names; None stands for any."""
    return (
        isinstance(answer, Grant)
        and (client_id is None or client_id in {answer.client_id, answer.app_code})
        and (subject is None or subject in {answer.subject, answer.username})
    )


def _weigh(texts: Iterable[str | None]) -> int:
    """What strings take, in bytes; one that is there under two names counts once."""
    return sum(map(getsizeof, {id(text): text for text in texts if text is not None}.values()))
