"""What is remembered, for how long, and what it costs."""

from __future__ import annotations

import gc
import hashlib
import hmac
import tracemalloc
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.authorities.peer import NOW, Hands

from ostiary.authorities.cache import MIN_INACTIVE_BYTES, TokenCache
from ostiary.oauth.credentials import RawToken
from ostiary.oauth.introspection import Expected, Grant, Inactive, read_claims

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostiary.authorities.cache import Said
    from ostiary.oauth.json import JsonValue

KEY = b"k" * 32
TTL = 300.0


def _cache(hands: Hands, max_bytes: int = 1 << 26) -> TokenCache:
    return TokenCache(key=KEY, max_bytes=max_bytes, clocks=hands.clocks)


def _grant(**more: object) -> Grant:
    fields = {"issuer": "https://op", "client_id": "app", "subject": "alice", "expires_at": NOW + 7200} | more
    return Grant(**fields)  # type: ignore[arg-type]  # fields by name


def _put(cache: TokenCache, key: bytes, said: Said, ttl: float = TTL) -> None:
    cache.put(key, said, authority="corp", ttl_seconds=ttl)


def test_a_key_is_an_hmac_over_the_authority_and_the_token() -> None:
    """Contract, gateway: HMAC-SHA256 (RFC 2104)."""
    keys = _cache(Hands()).keys_of(b"corp")
    authority = hmac.digest(KEY, b"corp", hashlib.sha256)
    assert keys.of(RawToken("abc")) == hmac.digest(KEY, authority + b"abc", hashlib.sha256)


def test_no_token_passes_for_the_end_of_an_authority() -> None:
    """Attack table: cache confusion. `a` + `bc` and `ab` + `c` are two entries."""
    cache = _cache(Hands())
    assert cache.keys_of(b"a").of(RawToken("bc")) != cache.keys_of(b"ab").of(RawToken("c"))


def test_a_short_key_is_refused() -> None:
    """Ours: whoever can guess the key can look for a token in a dump."""
    with pytest.raises(ValueError, match="32 bytes"):
        TokenCache(key=b"k" * 31, max_bytes=1 << 20, clocks=Hands().clocks)


@pytest.mark.requirement("FR-009")
def test_a_good_answer_holds_for_300_seconds() -> None:
    """002 FR-009."""
    hands = Hands()
    cache = _cache(hands)
    _put(cache, b"t", _grant())
    hands.move(TTL - 0.001)
    assert cache.find(b"t") == _grant()
    hands.move(0.001)
    assert cache.find(b"t") is None


@pytest.mark.requirement("FR-009")
def test_an_answer_never_outlives_its_token() -> None:
    """002 FR-009: `min(300 s, exp - now)`."""
    hands = Hands()
    cache = _cache(hands)
    _put(cache, b"t", _grant(expires_at=NOW + 10))
    hands.move(9.999)
    assert cache.find(b"t") is not None
    hands.move(0.001)
    assert cache.find(b"t") is None


@pytest.mark.parametrize("expires_at", [NOW, NOW - 1, 0.0, -1.0, -(2.0**53), NOW - 0.001])
def test_an_expired_token_is_not_remembered(expires_at: float) -> None:
    """Attack table: cache confusion (Kong cached `expires_in <= 0` for ever)."""
    cache = _cache(Hands())
    _put(cache, b"t", _grant(expires_at=expires_at))
    assert cache.entries == 0


@pytest.mark.parametrize("expires_at", [2.0**53, 1e308, NOW + 400.5, None])
def test_a_far_or_missing_exp_does_not_lengthen_the_300_seconds(expires_at: float | None) -> None:
    """Attack table: cache confusion."""
    hands = Hands()
    cache = _cache(hands)
    _put(cache, b"t", _grant(expires_at=expires_at))
    assert cache.find(b"t") is not None
    hands.move(TTL)
    assert cache.find(b"t") is None


def test_a_step_back_of_the_wall_clock_lengthens_nothing() -> None:
    """Contract, gateway: wall clock for `exp`, monotonic for TTLs."""
    hands = Hands()
    cache = _cache(hands)
    _put(cache, b"t", _grant(expires_at=NOW + 10))
    hands.wall -= 86_400
    hands.monotonic += 10
    assert cache.find(b"t") is None


def test_a_step_forward_of_the_wall_clock_ends_what_has_expired_by_it() -> None:
    """Contract, gateway: `exp` is compared with the wall clock on each use."""
    hands = Hands()
    cache = _cache(hands)
    _put(cache, b"t", _grant(expires_at=NOW + 10))
    hands.wall += 10
    assert cache.find(b"t") is None


def test_a_new_answer_replaces_the_old_one_of_either_kind() -> None:
    """Ours: a revoked token must not be found among the good ones."""
    cache = _cache(Hands())
    _put(cache, b"t", _grant())
    _put(cache, b"t", Inactive(), 5)
    assert cache.find(b"t") == Inactive()
    _put(cache, b"t", _grant())
    assert cache.find(b"t") == _grant()
    assert cache.entries == 1
    _put(cache, b"t", _grant(expires_at=NOW))
    assert cache.find(b"t") is None


@dataclass
class _Held:
    said: Said
    until: float
    expires_at: float | None


class CacheMachine(RuleBasedStateMachine):
    """Any steps of two clocks, any answers: nothing is given out past its time, nor anybody else's."""

    def __init__(self) -> None:
        super().__init__()
        self.hands = Hands()
        self.cache = _cache(self.hands, max_bytes=64 * 1024)
        self.held: dict[bytes, _Held] = {}

    @rule(
        key=st.sampled_from([b"a", b"b", b"c"]),
        lasts=st.one_of(st.none(), st.floats(-10, 1000), st.sampled_from([0.0, 2.0**53])),
        ttl=st.floats(0, TTL),
    )
    def put_grant(self, key: bytes, lasts: float | None, ttl: float) -> None:
        expires_at = None if lasts is None else self.hands.wall + lasts
        said = _grant(expires_at=expires_at, subject=key.decode())
        _put(self.cache, key, said, ttl)
        until = self.hands.monotonic + (ttl if lasts is None else min(ttl, lasts))
        self.held[key] = _Held(said, until, expires_at)

    @rule(key=st.sampled_from([b"a", b"b", b"c"]), ttl=st.floats(0, 60))
    def put_inactive(self, key: bytes, ttl: float) -> None:
        said = Inactive(claims=(key.decode(),))
        _put(self.cache, key, said, ttl)
        self.held[key] = _Held(said, self.hands.monotonic + ttl, None)

    @rule(seconds=st.floats(0, 400))
    def pass_time(self, seconds: float) -> None:
        self.hands.move(seconds)

    @rule(seconds=st.floats(-100_000, 100_000))
    def step_the_wall_clock(self, seconds: float) -> None:
        self.hands.wall += seconds

    @rule(key=st.sampled_from([b"a", b"b", b"c"]))
    def purge(self, key: bytes) -> None:
        self.cache.purge(key)
        self.held.pop(key, None)

    @rule(key=st.sampled_from([b"a", b"b", b"c"]))
    def find(self, key: bytes) -> None:
        found = self.cache.find(key)
        held = self.held.get(key)
        if found is not None:
            assert held is not None
            assert found == held.said
            assert self.hands.monotonic < held.until + 1e-3  # a float's width
            assert held.expires_at is None or self.hands.wall < held.expires_at

    @invariant()
    def weighs_what_it_holds(self) -> None:
        assert (self.cache.weight == 0) == (self.cache.entries == 0)


TestCacheMachine = CacheMachine.TestCase
TestCacheMachine.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)


def test_a_flood_of_inactive_tokens_does_not_push_out_a_good_one() -> None:
    """Attack table: cache confusion."""
    cache = _cache(Hands(), max_bytes=1 << 20)
    _put(cache, b"good", _grant())
    for number in range(20_000):
        _put(cache, str(number).encode(), Inactive(), 5)
    assert cache.find(b"good") is not None
    assert cache.weight < MIN_INACTIVE_BYTES + 2000
    assert cache.find(b"19999") is not None


def test_the_least_recently_used_goes_first() -> None:
    """Ours."""
    cache = _cache(Hands(), max_bytes=64 * 1024)
    _put(cache, b"used", _grant())
    number = 0
    while cache.entries > number:  # until the first one goes
        cache.find(b"used")
        _put(cache, str(number).encode(), _grant())
        number += 1
    assert cache.find(b"used") is not None
    assert cache.find(b"0") is None
    assert cache.find(str(number - 1).encode()) is not None
    assert cache.weight <= 64 * 1024


def test_an_answer_heavier_than_the_bound_pushes_nothing_out() -> None:
    """Ours: a single answer of 1 MiB must not empty a small cache."""
    cache = _cache(Hands(), max_bytes=64 * 1024)
    _put(cache, b"small", _grant())
    _put(cache, b"huge", _grant(audience=tuple(f"gateway:g/api:{number}" for number in range(5000))))
    assert cache.find(b"huge") is None
    assert cache.find(b"small") is not None


def test_a_smaller_bound_takes_effect_at_once() -> None:
    """Contract, configuration: caches are reloadable."""
    cache = _cache(Hands())
    for number in range(1000):
        _put(cache, str(number).encode(), _grant())
    cache.resize(64 * 1024)
    assert 0 < cache.weight <= 64 * 1024
    assert cache.find(b"999") is not None


def _blueking(number: int) -> dict[str, JsonValue]:
    return {
        "active": True,
        "sub": f"user-{number}",
        "exp": int(NOW) + 7200,
        "aud": [f"gateway:billing/api:read-{number}", f"mcp_server:weather-{number}"],
        "client_id": f"app-{number}",
        "bk_app_code": f"app-{number}",
        "tenant_id": "default",
    }


def _usual(number: int) -> dict[str, JsonValue]:
    scope = "openid profile email files.read files.write"
    claims: dict[str, JsonValue] = dict.fromkeys(("iss", "jti", "sid", "acr", "azp", "typ", "session_state"), "x")
    subject = f"f81d4fae-7dec-11d0-a765-{number:012d}"
    rest: dict[str, JsonValue] = {"active": True, "sub": subject, "exp": int(NOW) + 7200, "scope": scope}
    return claims | rest | {"client_id": "portal", "aud": "account", "iss": "https://op"}


def _many_audiences(number: int) -> dict[str, JsonValue]:
    return _blueking(number) | {"aud": [f"gateway:g-{number}/api:é-{entry}" for entry in range(40)]}


def _odd_members(number: int) -> dict[str, JsonValue]:
    return _blueking(number) | {f"claim-{number}-{index}": "" for index in range(20)}


def _unknown(_: int) -> dict[str, JsonValue]:
    return {"active": False}


@pytest.mark.parametrize("make", [_blueking, _usual, _many_audiences, _odd_members, _unknown])
def test_the_weight_is_honest(make: Callable[[int], dict[str, JsonValue]]) -> None:
    """Ours: the bound is in bytes, so an entry weighs what it takes, within a quarter, and never much less."""
    cache = _cache(Hands(), max_bytes=1 << 40)
    keys = cache.keys_of(b"corp")
    expected = Expected(issuer="https://op")
    count = 3000
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(count):
            _put(cache, keys.of(RawToken(f"token-{number}")), read_claims(make(number), expected))
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.95 < cache.weight / (after - before) < 1.35


def test_a_purged_token_is_forgotten() -> None:
    """Contract, operator: `POST /tokens/revoke`."""
    cache = _cache(Hands())
    _put(cache, b"t", _grant())
    _put(cache, b"u", Inactive(), 5)
    assert (cache.purge(b"t"), cache.purge(b"u"), cache.purge(b"never")) == (1, 1, 0)
    assert (cache.entries, cache.weight) == (0, 0)


def test_what_was_said_of_a_client_or_a_subject_is_forgotten_at_one_authority_alone() -> None:
    """Contract, operator: the names mean nothing without their issuer."""
    cache = _cache(Hands())
    _put(cache, b"1", _grant(client_id="a", subject="alice"))
    _put(cache, b"2", _grant(client_id="a", subject="bob"))
    _put(cache, b"3", _grant(client_id="b", app_code="bk-a", subject="bob", username="robert"))
    cache.put(b"4", _grant(client_id="a"), authority="other", ttl_seconds=TTL)
    _put(cache, b"5", Inactive(), 5)
    assert cache.purge_about("corp", client_id="bk-a", subject="robert") == 1
    assert cache.purge_about("corp", client_id="a", subject="alice") == 1
    assert cache.purge_about("corp", client_id="a") == 1
    assert cache.purge_about("corp", client_id="a") == 0
    assert cache.find(b"4") is not None


def test_a_purge_begins_a_new_epoch() -> None:
    """Ours: an answer that was under way when it was purged must not be remembered after it."""
    cache = _cache(Hands())
    before = cache.epoch
    cache.purge(b"t")
    cache.purge_about("corp", client_id="a")
    assert cache.epoch == before + 2


def test_nothing_shows_a_token() -> None:
    """Attack table: credentials in logs (cache dumps)."""
    cache = _cache(Hands())
    _put(cache, cache.keys_of(b"corp").of(RawToken("tok3n")), _grant())
    assert "tok3n" not in repr(vars(cache))
