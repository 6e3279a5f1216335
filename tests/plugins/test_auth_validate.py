"""Whom a route demands."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from tests.samples import ISSUER, POLICY, ROUTE, exchange

from ostiary.decision.reasons import Reason
from ostiary.decision.verdict import Deny
from ostiary.plugins.auth_validate import AuthValidate
from ostiary.plugins.exchange import BkApp, BkUser

PARTIES = (None, False, True)  # not there, there and not verified, verified


@pytest.mark.parametrize(("app_required", "user_required"), list(product((True, False), repeat=2)))
@pytest.mark.parametrize(("app", "user"), list(product(PARTIES, repeat=2)))
@pytest.mark.parametrize("is_bk_oauth2", [True, False, None])
def test_whoever_is_demanded_must_be_verified(
    app_required: bool,  # noqa: FBT001 - a column
    user_required: bool,  # noqa: FBT001 - a column
    app: bool | None,  # noqa: FBT001 - a column
    user: bool | None,  # noqa: FBT001 - a column
    is_bk_oauth2: bool | None,  # noqa: FBT001 - a column
) -> None:
    """gateway.md, the chain: against what either path found; a name that nobody verified is nobody."""
    policy = replace(POLICY, app_required=app_required, user_required=user_required)
    begun = exchange(replace(ROUTE, policy=policy))._replace(
        is_bk_oauth2=is_bk_oauth2,
        bk_app=None if app is None else BkApp(app_code="reader", verified=app, issuer=ISSUER),
        bk_user=None if user is None else BkUser(username="alice", verified=user, issuer=ISSUER),
    )
    outcome = AuthValidate().run(begun)
    if app_required and app is not True:
        assert outcome == Deny(Reason.APP_REQUIRED)
    elif user_required and user is not True:
        assert outcome == Deny(Reason.USER_REQUIRED)
    else:
        assert outcome is begun
