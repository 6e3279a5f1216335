"""Clients, tokens and the bound on what is remembered."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ostiary.devserver.tokens import Client, TokenStore, new_token


@dataclass
class _Clock:
    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


def _issue(store: TokenStore, value: str, lifetime_seconds: int | None = 60) -> None:
    store.issue(
        value,
        client_id="a",
        subject=None,
        audience=(),
        scope="",
        lifetime_seconds=lifetime_seconds,
        claims_override={},
    )


def test_a_secret_is_not_in_the_repr_of_its_client() -> None:
    """Ours: never in a log, a repr or an exception."""
    assert "sesame" not in repr(Client(client_id="a", secret="sesame"))


@pytest.mark.parametrize(
    ("asked", "granted"),
    [(None, "x y"), ("y", "y"), ("y x y", "y x"), ("x z", None), ("X", None), ("é", None)],
)
def test_a_client_gets_what_it_may_have_or_nothing(asked: str | None, granted: str | None) -> None:
    """RFC 6749 §3.3: nothing asked for means the default, which is all."""
    assert Client(client_id="a", secret="s", scopes=("x", "y")).get_allowed_scope(asked) == granted


def test_tokens_are_256_bits_and_never_the_same() -> None:
    """RFC 6749 §10.10."""
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert {len(token) for token in tokens} == {43}


def test_a_token_dies_at_the_second_it_expires() -> None:
    """RFC 7662 §2.2: `exp` is when the token *will* expire."""
    clock = _Clock()
    store = TokenStore(clock=clock, max_tokens=10)
    _issue(store, "t", 60)
    clock.now = 1_059.9
    assert store.find("t") is not None
    clock.now = 1_060.0
    assert store.find("t") is None


def test_a_token_without_a_lifetime_lives_on() -> None:
    """Ours."""
    clock = _Clock()
    store = TokenStore(clock=clock, max_tokens=10)
    _issue(store, "t", None)
    clock.now = 1e12
    assert store.find("t") is not None


def test_the_oldest_are_forgotten_first() -> None:
    """Ours: memory is bounded, tokens and counts alike."""
    store = TokenStore(clock=_Clock(), max_tokens=2)
    for value in ("a", "b", "c"):
        _issue(store, value)
        store.count_introspection(value)
    assert [value for value in ("a", "b", "c") if store.find(value)] == ["b", "c"]
    assert [store.introspections_of(value) for value in ("a", "b", "c")] == [0, 1, 1]
    assert store.introspections == 3
