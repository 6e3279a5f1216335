"""What the judge makes of introspection answers as other servers document them, over real HTTP.

Each answer has the members of an example in its server's documentation, with values of ours where they decide: the
audience is `AUD`, the issuer `ISS`, the client `reader`, and 1,800,000,000 is now.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Final

import pytest
from tests.authorities.peer import NOW, bkauth, listening, response, rfc7662, sends
from tests.counterparts.judging import judge_of, judged, reason_of

from ostiary.authorities import Clocks
from ostiary.decision.reasons import Reason
from ostiary.oauth.json import parse_object

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostiary.judge.judge import Decision
    from ostiary.oauth.json import JsonValue

pytestmark = pytest.mark.anyio

Members = dict[str, "JsonValue"]

API: Final = "gateway:my-gateway/api:my-api"
CLOCKS: Final = Clocks(wall=lambda: NOW, monotonic=time.monotonic)


def _answer(text: str) -> Members:
    return parse_object(text.replace('"AUD"', json.dumps(API)).encode())


KEYCLOAK: Final = _answer("""{
    "exp": 1800000300, "nbf": 0, "iat": 1800000000, "jti": "000cdca9", "iss": "ISS", "aud": "AUD", "sub": "1d2d88f8",
    "typ": "Bearer", "azp": "reader", "session_state": "c05ea410", "preferred_username": "jason", "acr": "1",
    "email_verified": false, "allowed-origins": ["/*"], "realm_access": {"roles": ["uma_authorization"]},
    "resource_access": {"account": {"roles": ["manage-account", "view-profile"]}}, "scope": "openid email profile",
    "client_id": "reader", "username": "jason", "active": true}""")
SERVICE_ACCOUNT: Final[Members] = {
    "preferred_username": "service-account-reader",
    "username": "service-account-reader",
    "clientHost": "172.17.0.1",
}
HYDRA: Final = _answer("""{
    "active": true, "aud": ["AUD"], "client_id": "reader", "exp": 1800000300, "ext": {"a": {"b": []}},
    "iat": 1800000000, "iss": "ISS", "nbf": 1800000000, "sub": "alice", "token_type": "Bearer",
    "token_use": "access_token"}""")
OKTA: Final = _answer("""{
    "active": true, "token_type": "Bearer", "scope": "openid profile", "client_id": "reader", "uid": "00uid4Bx",
    "username": "jd@example.com", "exp": 1800000300, "iat": 1800000000, "sub": "jd@example.com", "aud": "AUD",
    "iss": "ISS", "jti": "AT.7P4K"}""")
SPRING: Final = _answer("""{
    "active": true, "sub": "reader", "aud": ["reader"], "nbf": 1800000000, "scope": "message.read", "iss": "ISS",
    "exp": 1800000300, "iat": 1800000000, "jti": "f2c1", "client_id": "reader", "token_type": "Bearer"}""")
DUENDE: Final = _answer("""{
    "iss": "ISS", "nbf": 1800000000, "iat": 1800000000, "exp": 1800000300, "client_id": "reader", "jti": "44FD",
    "scope": "api1", "token_type": "access_token", "active": true}""")
DJANGO: Final = _answer("""{
    "active": true, "client_id": "reader", "username": "jdoe", "scope": "read write dolphin", "exp": 1800000300}""")
WSO2: Final = _answer("""{
    "aud": "AUD", "nbf": 1800000000, "scope": "openid", "active": true, "token_type": "Bearer", "exp": 1800000300,
    "iat": 1800000000, "client_id": "reader", "username": "admin@carbon.super"}""")
PINGAM: Final = _answer("""{
    "active": true, "scope": "profile", "realm": "/alpha", "client_id": "reader", "user_id": "demo", "username": "demo",
    "token_type": "Bearer", "exp": 1800000300, "sub": "(usr!demo)", "subname": "demo", "iss": "ISS", "auth_level": 0,
    "authGrantId": "sReM", "auditTrackingId": "1d7a", "expires_in": 3575, "aud": "AUD", "policyResult": true}""")
CAS: Final = _answer("""{
    "active": true, "client_id": "reader", "username": "jdoe", "scope": "read write manage", "sub": "Z5O3upPC",
    "aud": "https://bkapi.example.com/billing", "iss": "ISS", "exp": 1800000300, "iat": 1800000000}""")
STYTCH: Final = _answer("""{
    "active": true, "aud": ["PROJECT_ID", "AUD"], "client_id": "reader", "exp": 1800000300, "iat": 1800000000,
    "iss": "ISS", "scope": "openid email profile", "sub": "member", "token_type": "access_token", "request_id": "r",
    "status_code": 200}""")
SALESFORCE: Final = _answer("""{
    "active": true, "scope": "id openid", "client_id": "reader", "username": "jdoe@example.com",
    "sub": "https://login.example.com/id/1", "token_type": "access_token", "exp": 1800000300, "iat": 1800000000,
    "nbf": 1800000000}""")
GLUU: Final = _answer("""{
    "sub": "", "aud": "AUD", "scope": ["openid", "user_name"], "acr_values": null, "iss": "ISS", "active": true,
    "token_type": "bearer", "exp": 1800000300, "iat": 1800000000, "client_id": "reader", "jti": null,
    "username": null}""")
UAA: Final = _answer("""{
    "user_id": "ae77", "user_name": "marissa", "email": "m@example.com", "client_id": "reader", "exp": 1800000300,
    "scope": ["scim.userids", "openid"], "jti": "c3", "aud": ["reader", "AUD"], "sub": "ae77", "iss": "ISS",
    "iat": 1800000000, "cid": "reader", "azp": "reader", "grant_type": "password", "zid": "uaa", "active": true}""")
WEBMETHODS: Final = _answer("""{
    "active": "true", "token_type": "Bearer", "scope": "files", "client_id": "reader", "owner_id": "jdoe", "aud": "AUD",
    "iat": "1800000000", "exp": "1800000300"}""")
SYNAPSE: Final = _answer("""{
    "active": true, "scope": "openid view", "aud": "AUD", "sub": "273960", "token_type": "bearer", "exp": 1800000300,
    "iat": 1800000000, "auth_time": 1800000000, "iss": "ISS", "jti": "1"}""")
AUTH0: Final = _answer("""{
    "iss": "ISS", "sub": "auth0|123456", "aud": ["AUD", "https://tenant.example.com/userinfo"], "azp": "reader",
    "exp": 1800000300, "iat": 1800000000, "scope": "openid profile email", "active": true}""")
CHECK_TOKEN: Final = _answer("""{
    "aud": ["AUD"], "user_name": "jdoe", "scope": ["read"], "exp": 1800000300, "authorities": ["ROLE_USER"],
    "client_id": "reader"}""")


BKAUTH: Final = _answer("""{
    "active": true, "username": "Alice", "sub": "alice", "exp": 1800000300, "aud": ["AUD"], "client_id": "dcr_1",
    "bk_app_code": "public", "tenant_id": "default", "error": {"code": "", "message": ""}}""")


async def _decision(
    members: Members,
    settings: Members | None = None,
    *,
    path: str = "/billing",
    kind: Callable[..., Members] = rfc7662,
) -> Decision:
    """What comes of a request whose token gets this answer.

    Args:
        settings: of the authorization server, beside those that it always has.
        kind: what those are.
    """
    async with listening() as peer:
        peer.answer = sends(response(json.dumps(members).replace('"ISS"', json.dumps(peer.url)).encode()))
        async with judge_of(kind(peer.url, **(settings or {})), {"SECRET": "sesame"}, clocks=CLOCKS) as judge:
            return await judged(judge, "a-token", path)


def _named(decision: Decision) -> tuple[str, str]:
    """The app and the user that were let in; one who is named is verified."""
    assert reason_of(decision) is None
    assert decision.walked is not None
    app, user = decision.walked.exchange.bk_app, decision.walked.exchange.bk_user
    assert app is not None
    assert user is not None
    assert (app.verified, user.verified) == (bool(app.app_code), bool(user.username))
    return app.app_code, user.username


@pytest.mark.parametrize(
    ("members", "user", "settings"),
    [
        pytest.param(KEYCLOAK, "1d2d88f8", {}, id="Keycloak"),
        pytest.param(KEYCLOAK | {"aud": ["account", API]}, "1d2d88f8", {}, id="Keycloak-two-audiences"),
        pytest.param(KEYCLOAK, "jason", {"username_claim": "preferred_username"}, id="Keycloak-by-name"),
        # A user of the realm to the server, whatever it is for: nothing that RFC 9068 §2.2 knows says otherwise.
        pytest.param(KEYCLOAK | SERVICE_ACCOUNT, "1d2d88f8", {}, id="Keycloak-service-account"),
        pytest.param(HYDRA, "alice", {}, id="Hydra"),
        pytest.param(HYDRA | {"sub": "reader"}, "", {}, id="Hydra-machine"),
        pytest.param(OKTA, "jd@example.com", {}, id="Okta"),
        pytest.param(SPRING | {"aud": ["reader", API]}, "", {}, id="Spring-machine"),
        pytest.param(DUENDE | {"aud": API}, "", {}, id="Duende-machine-without-sub"),
        pytest.param(WSO2, "", {}, id="WSO2-without-sub"),
        pytest.param(WSO2, "admin@carbon.super", {"username_claim": "username"}, id="WSO2-by-name"),
        # `username` is then of the one who registered the app, who has signed in nowhere.
        pytest.param(WSO2 | {"sub": "reader"}, "", {"username_claim": "username"}, id="WSO2-app-of-a-user"),
        pytest.param(PINGAM, "(usr!demo)", {}, id="PingAM"),
        pytest.param(PINGAM, "demo", {"username_claim": "subname"}, id="PingAM-by-name"),
        pytest.param(
            PINGAM | {"sub": "(age!reader)", "subname": "reader"},
            "",
            {"username_claim": "subname"},
            id="PingAM-machine-by-name",
        ),
        pytest.param(CAS, "Z5O3upPC", {}, id="CAS-audience-is-a-resource"),
        pytest.param(STYTCH, "member", {}, id="Stytch"),
        pytest.param(GLUU | {"scope": "openid user_name"}, "", {}, id="Gluu-machine-with-empty-sub"),
        pytest.param(OKTA | {"exp": NOW + 0.5}, "jd@example.com", {}, id="exp-with-a-fraction"),
    ],
)
async def test_the_app_and_the_user_of_an_answer(members: Members, user: str, settings: dict[str, JsonValue]) -> None:
    """RFC 7662 §2.2, RFC 9068 §2.2; gateway.md, on success."""
    assert _named(await _decision(members, settings)) == ("reader", user)


async def test_bkauth_names_app_and_user_otherwise() -> None:
    """gateway.md, on success: the app's code is not the client's name, and `username` is only for people to read."""
    assert _named(await _decision(BKAUTH, kind=bkauth)) == ("public", "alice")


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        pytest.param(KEYCLOAK | {"aud": "account"}, Reason.AUDIENCE_UNRECOGNISED, id="Keycloak-unless-mapped"),
        pytest.param(KEYCLOAK | {"exp": NOW}, Reason.TOKEN_EXPIRED, id="Keycloak-late"),
        pytest.param(KEYCLOAK | {"cnf": {"x5t#S256": "bwcK0esc"}}, Reason.TOKEN_BOUND, id="Keycloak-certificate"),
        pytest.param(HYDRA | {"aud": []}, Reason.AUDIENCE_EMPTY, id="Hydra-unless-asked-for"),
        pytest.param(HYDRA | {"aud": None}, Reason.AUDIENCE_EMPTY, id="aud-null"),
        pytest.param(HYDRA | {"token_use": "refresh_token"}, Reason.TOKEN_TYPE, id="Hydra-refresh-token"),
        pytest.param(HYDRA | {"iss": "https://op.example.com/"}, Reason.TOKEN_ISSUER, id="another-issuer"),
        pytest.param(OKTA | {"token_type": "DPoP"}, Reason.TOKEN_TYPE, id="Okta-DPoP"),
        pytest.param(OKTA | {"exp": str(NOW + 300)}, Reason.TOKEN_CLAIMS, id="exp-a-text"),
        pytest.param({**OKTA, "exp": None}, Reason.TOKEN_CLAIMS, id="exp-null"),
        pytest.param(SPRING, Reason.AUDIENCE_UNRECOGNISED, id="Spring-unless-customised"),
        pytest.param(DUENDE, Reason.AUDIENCE_EMPTY, id="Duende-without-aud"),
        pytest.param(DJANGO, Reason.AUDIENCE_EMPTY, id="Django-OAuth-Toolkit-without-aud"),
        pytest.param(SALESFORCE, Reason.AUDIENCE_EMPTY, id="Salesforce-without-aud"),
        pytest.param({"active": False, "token_type": "bearer"}, Reason.TOKEN_INACTIVE, id="WSO2-inactive"),
        pytest.param(GLUU, Reason.TOKEN_CLAIMS, id="Gluu-scope-a-list"),
        pytest.param(UAA, Reason.TOKEN_CLAIMS, id="UAA-scope-a-list"),
        pytest.param(WEBMETHODS, Reason.TOKEN_CLAIMS, id="webMethods-all-texts"),
        pytest.param(WEBMETHODS | {"iat": NOW, "exp": NOW + 300}, Reason.TOKEN_CLAIMS, id="webMethods-active-a-text"),
        pytest.param(CHECK_TOKEN, Reason.TOKEN_CLAIMS, id="Spring-Security-OAuth-without-active"),
        pytest.param(SYNAPSE, Reason.APP_REQUIRED, id="Synapse-without-client_id"),
        pytest.param(AUTH0, Reason.APP_REQUIRED, id="Auth0-azp-is-no-client_id"),
    ],
)
async def test_the_reason_against_an_answer(members: Members, reason: Reason) -> None:
    """RFC 7662 §2.2; gateway.md: strictly, and what is of another type than the standard's does not count."""
    assert reason_of(await _decision(members)) is reason


@pytest.mark.parametrize(("require_exp", "reason"), [(True, Reason.TOKEN_NO_EXPIRY), (False, None)])
async def test_an_answer_without_exp_counts_where_the_operator_says_so(
    require_exp: bool,  # noqa: FBT001 - a column
    reason: Reason | None,
) -> None:
    """gateway.md; Connect2id's server left `exp` out of its answers before 7.16."""
    endless = {name: value for name, value in OKTA.items() if name != "exp"}
    assert reason_of(await _decision(endless, {"require_exp": require_exp})) is reason


@pytest.mark.parametrize(
    ("scope", "reason"),
    [
        ("files.delete openid files.read", None),
        ("files.read", Reason.SCOPE_MISSING),
        ("files.read,files.delete", Reason.SCOPE_MISSING),  # one scope, RFC 6749 §3.3
        ("", Reason.SCOPE_MISSING),
        (None, Reason.SCOPE_MISSING),
        (["files.read", "files.delete"], Reason.TOKEN_CLAIMS),
    ],
)
async def test_scopes_of_an_answer(scope: JsonValue, reason: Reason | None) -> None:
    """RFC 7662 §2.2, RFC 6749 §3.3: all that the route names, in a text, separated by spaces."""
    assert reason_of(await _decision(HYDRA | {"scope": scope}, path="/personal")) is reason


async def test_scopes_that_an_answer_does_not_name_are_missing() -> None:
    """RFC 7662 §2.2: `scope` is optional; nothing is granted by its absence."""
    assert reason_of(await _decision(HYDRA, path="/personal")) is Reason.SCOPE_MISSING
