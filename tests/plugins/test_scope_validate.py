"""All scopes are needed, and one refusal names all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples import GRANT, POLICY, ROUTE, exchange

from ostiary.decision.reasons import Reason
from ostiary.decision.verdict import Deny
from ostiary.plugins.scope_validate import ScopeValidate

SCOPES = st.lists(st.sampled_from(["a", "A", "b", "ab", "a.b", "*"]), unique=True).map(tuple)


@given(SCOPES, SCOPES)
def test_a_request_passes_with_all_scopes_and_with_no_fewer(needed: tuple[str, ...], granted: tuple[str, ...]) -> None:
    """RFC 6750 §3.1, gateway.md, the chain: exact, case-sensitive, no star."""
    route = replace(ROUTE, policy=replace(POLICY, scopes=needed))
    begun = exchange(route)._replace(grant=replace(GRANT, scopes=granted))
    outcome = ScopeValidate().run(begun)
    missing = [scope for scope in needed if scope not in granted]
    if missing:
        assert outcome == Deny(Reason.SCOPE_MISSING, scopes=needed, note="missing: " + " ".join(missing))
    else:
        assert outcome is begun


@pytest.mark.parametrize("needed", [(), ("a",)])
def test_without_a_grant_no_scope_is_granted(needed: tuple[str, ...]) -> None:
    """Ours: fail closed, should it ever run there."""
    begun = exchange(replace(ROUTE, policy=replace(POLICY, scopes=needed)))
    assert isinstance(ScopeValidate().run(begun), Deny) == bool(needed)
