"""Which plugins ship, in which order, and which chains are let through."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.decision.routes import RouteProtocol
from ostiary.plugins.chain import (
    AUDIENCE,
    DEFAULT_CHAIN,
    DETECTION,
    LEGACY_VERIFY,
    SCOPE,
    SHIPPED,
    VALIDATE,
    VERIFY,
    accepts_legacy,
    in_order,
    judge_chain,
    link_chain,
)
from ostiary.plugins.drivers import CredentialedLink
from ostiary.plugins.plugin import HIGHEST_PRIORITY, LOWEST_PRIORITY, TERMS, THIRD_PARTY, Runs

if TYPE_CHECKING:
    from ostiary.plugins.exchange import Exchange

NAMES = (DETECTION, VERIFY, LEGACY_VERIFY, VALIDATE, AUDIENCE, SCOPE)


@dataclass(frozen=True)
class Idle:
    """A third party's plugin that does nothing."""

    name: str
    priority: int

    def run(self, exchange: Exchange) -> Exchange:
        return exchange


@pytest.mark.requirement("FR-001", "FR-005", "FR-011")
def test_the_default_chain_has_the_specs_names_priorities_and_order() -> None:
    """002 FR-001, FR-005, FR-011; gateway.md, the chain."""
    assert [(name, SHIPPED[name].plugin.priority) for name in DEFAULT_CHAIN] == [
        ("bk-oauth2-protected-resource", 18740),
        ("bk-oauth2-verify", 18732),
        ("bk-auth-validate", 17680),
        ("bk-oauth2-audience-validate", 17678),
        ("bk-oauth2-scope-validate", 17677),
    ]


@pytest.mark.requirement("FR-006", "FR-012", "US2-3")
def test_the_oauth2_steps_run_on_the_oauth2_path_alone() -> None:
    """002 FR-006, FR-012."""
    assert {name for name, terms in TERMS.items() if terms.runs is Runs.OAUTH2} == {VERIFY, AUDIENCE, SCOPE}


def test_whatever_ships_has_its_terms_and_whatever_has_terms_ships() -> None:
    """architecture.md: a row for each plugin."""
    assert set(TERMS) == set(SHIPPED) == set(DEFAULT_CHAIN)
    assert all(name == link.plugin.name for name, link in SHIPPED.items())
    assert all(link.terms == TERMS[name] for name, link in SHIPPED.items())


def test_the_credentials_are_handed_to_one_plugin_alone() -> None:
    """architecture.md: only those that verify them."""
    handed = {name for name, link in SHIPPED.items() if isinstance(link, CredentialedLink)}
    assert handed == {VERIFY}


def test_a_stranger_is_handed_nothing_asks_nothing_and_judges_nothing() -> None:
    """gateway.md, the chain: a third-party plugin may deny or note."""
    assert (THIRD_PARTY.questions, THIRD_PARTY.judges) == ((), False)
    assert THIRD_PARTY.runs is Runs.ALWAYS


def test_priorities_lie_in_the_range_that_is_documented() -> None:
    """gateway.md, the chain: 17000 to 19000, no two alike."""
    priorities = [link.plugin.priority for link in SHIPPED.values()]
    assert len(set(priorities)) == len(priorities)
    assert all(LOWEST_PRIORITY <= priority <= HIGHEST_PRIORITY for priority in priorities)
    assert (LOWEST_PRIORITY, HIGHEST_PRIORITY) == (17_000, 19_000)


@given(st.permutations([*DEFAULT_CHAIN, "a", "b", "c"]))
def test_a_chain_is_ordered_by_priority_however_it_was_written(names: list[str]) -> None:
    """gateway.md, the chain: higher runs first; of equals, by name."""
    strangers = {"a": Idle("a", 19_000), "b": Idle("b", 17_000), "c": Idle("c", 17_000)}
    linked = [link.plugin.name for link in link_chain(names, strangers)]
    assert linked == ["a", *DEFAULT_CHAIN, "b", "c"]
    everybody = [SHIPPED[name].plugin if name in SHIPPED else strangers[name] for name in names]
    assert list(in_order(everybody)) == linked


def test_a_stranger_never_takes_the_place_of_one_that_ships() -> None:
    """Ours: a package that names its plugin like ours would verify nothing."""
    (link,) = link_chain([VERIFY], {VERIFY: Idle(VERIFY, 18_732)})
    assert link is SHIPPED[VERIFY]


def test_a_stranger_is_linked_on_a_strangers_terms() -> None:
    """architecture.md."""
    (link,) = link_chain(["idle"], {"idle": Idle("idle", 18_000)})
    assert (link.terms, isinstance(link, CredentialedLink)) == (THIRD_PARTY, False)


def test_a_name_that_nobody_has_is_a_broken_invariant() -> None:
    """Ours: settings are checked before."""
    with pytest.raises(KeyError):
        link_chain(["no-such-plugin"], {})


CHAINS = [frozenset(chosen) for size in range(len(NAMES) + 1) for chosen in combinations(NAMES, size)]


@pytest.mark.parametrize("demands", [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("scopes", [True, False])
def test_no_chain_is_let_through_that_lets_a_stranger_through(
    scopes: bool,  # noqa: FBT001 - a column
    demands: tuple[bool, bool],
) -> None:
    """gateway.md, the chain: walked at configuration time for both values of `is_bk_oauth2`, all 512 of them."""
    app, user = demands
    for chain in CHAINS:
        faults = judge_chain(chain, app_required=app, user_required=user, scopes=scopes)
        oauth2 = {DETECTION, VERIFY, AUDIENCE, VALIDATE} <= chain and (SCOPE in chain or not scopes)
        only_legacy = not chain & {DETECTION, VERIFY, AUDIENCE, SCOPE}
        legacy = only_legacy and {LEGACY_VERIFY, VALIDATE} <= chain and any(demands)
        assert (not faults) == (oauth2 or legacy), chain


@pytest.mark.parametrize(
    ("chain", "what"),
    [
        (
            {DETECTION, VALIDATE, VERIFY, SCOPE},
            ["the chain detects bearer tokens but lacks bk-oauth2-audience-validate"],
        ),
        (
            {DETECTION},
            [
                "the chain detects bearer tokens but lacks bk-oauth2-verify and bk-oauth2-audience-validate",
                "the chain lacks bk-auth-validate",
                "the route names scopes but its chain lacks bk-oauth2-scope-validate",
            ],
        ),
        (
            {VERIFY, SCOPE, LEGACY_VERIFY, VALIDATE},
            ["the chain has bk-oauth2-verify and bk-oauth2-scope-validate without bk-oauth2-protected-resource"],
        ),
        (set(), ["the chain lets every stranger through: nobody is detected and nobody is demanded"]),
    ],
)
def test_every_fault_is_named_at_once_with_a_hint(chain: set[str], what: list[str]) -> None:
    """configuration.md: all bad fields at once, not the first."""
    faults = judge_chain(chain, app_required=True, user_required=True, scopes=True)
    assert [fault.what for fault in faults] == what
    assert all(fault.hint for fault in faults)


@pytest.mark.requirement("SC-001")
@pytest.mark.parametrize("protocol", RouteProtocol)
@pytest.mark.parametrize("demands", [(True, True), (True, False), (False, True), (False, False)])
def test_legacy_credentials_are_accepted_only_where_somebody_judges_them(
    demands: tuple[bool, bool], protocol: RouteProtocol
) -> None:
    """gateway.md, the chain: and never on an MCP route, which wants a token on every request."""
    for chain in CHAINS:
        accepted = accepts_legacy(chain, app_required=demands[0], user_required=demands[1], protocol=protocol)
        judged = LEGACY_VERIFY in chain and VALIDATE in chain and any(demands)
        assert accepted == (judged and protocol is RouteProtocol.HTTP), chain
