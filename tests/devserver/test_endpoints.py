"""Token, introspection and revocation endpoint over real HTTP."""

from __future__ import annotations

import logging
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostiary.oauth.client_authentication import basic_credentials, post_fields
from ostiary.oauth.introspection import Expected, Grant, read_answer

if TYPE_CHECKING:
    import httpx2

    from ostiary.devserver import Client, DevelopmentServer

PATHS = ("/token", "/introspect", "/revoke")
GRANT = {"grant_type": "client_credentials"}
NAMES = (b"", b"token=", b"grant_type=client_credentials&scope=", b"grant_type=client_credentials&resource=")
INACTIVE = {"active": False}


def _post(http: httpx2.Client, path: str, client: Client | None, fields: dict[str, str | list[str]]) -> httpx2.Response:
    authorization = {} if client is None else {"Authorization": basic_credentials(client.client_id, client.secret)}
    return http.post(path, data=fields, headers=authorization)


def _token(http: httpx2.Client, client: Client, **fields: str | list[str]) -> str:
    answer = _post(http, "/token", client, {**GRANT, **fields})
    token = answer.json()["access_token"]
    assert isinstance(token, str)
    return token


def _error(answer: httpx2.Response) -> tuple[int, str]:
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.status_code, answer.json()["error"]


def test_a_client_with_an_awkward_secret_gets_a_token_either_way(http: httpx2.Client, app: Client) -> None:
    """RFC 6749 §2.3.1: both parts of Basic are form-encoded first, the form's fields once."""
    basic = _post(http, "/token", app, {**GRANT})
    post = http.post("/token", data=GRANT | post_fields(app.client_id, app.secret))
    assert [basic.status_code, post.status_code] == [200, 200]


def test_a_token_response_is_what_the_rfc_says(http: httpx2.Client, app: Client) -> None:
    """RFC 6749 §5.1: with the scope, since it may differ from what was asked; no refresh token (§4.4.3)."""
    answer = _post(http, "/token", app, {**GRANT})
    body = answer.json()
    assert len(body.pop("access_token")) == 43
    assert body == {"token_type": "Bearer", "expires_in": 3600, "scope": "files.read files.delete"}
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Pragma"] == "no-cache"


def test_no_token_is_written_to_a_log(http: httpx2.Client, app: Client, caplog: pytest.LogCaptureFixture) -> None:
    """Ours: a token is never logged, at any level."""
    with caplog.at_level(logging.DEBUG):
        token = _token(http, app)
        _post(http, "/introspect", app, {"token": token})
        _post(http, "/revoke", app, {"token": token})
    assert caplog.records
    assert token not in caplog.text
    assert app.secret not in caplog.text


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": basic_credentials("gate", "wrong")},
        {"Authorization": basic_credentials("gate", "")},
        {"Authorization": basic_credentials("nobody", "sesame")},
        {"Authorization": "Basic !"},
        {"Authorization": "Bearer sesame"},
    ],
)
def test_a_client_that_cannot_say_who_it_is_is_challenged(
    http: httpx2.Client, path: str, headers: dict[str, str]
) -> None:
    """RFC 6749 §5.2, RFC 7662 §2.3, RFC 7009 §2.1."""
    answer = http.post(path, data={**GRANT, "token": "t"}, headers=headers)
    assert _error(answer) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="ostiary-devserver"'


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "fields", [post_fields("gate", "wrong"), post_fields("nobody", "sesame"), {"client_id": "gate"}]
)
def test_the_same_in_the_form(http: httpx2.Client, path: str, fields: dict[str, str]) -> None:
    """RFC 6749 §2.3.1."""
    assert _error(http.post(path, data={**GRANT, "token": "t", **fields})) == (401, "invalid_client")


def test_two_authorization_headers_are_none(http: httpx2.Client, gate: Client) -> None:
    """Ours: two answers to one question."""
    header = ("Authorization", basic_credentials(gate.client_id, gate.secret))
    answer = http.post("/introspect", data={"token": "t"}, headers=[header, header])
    assert _error(answer) == (401, "invalid_client")


def test_two_ways_of_authentication_are_refused(http: httpx2.Client, gate: Client) -> None:
    """RFC 6749 §2.3: not more than one in each request."""
    answer = _post(http, "/token", gate, {**GRANT, **post_fields(gate.client_id, gate.secret)})
    assert _error(answer) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": ""}, "invalid_request"),
        ({"grant_type": "authorization_code"}, "unsupported_grant_type"),
        ({"grant_type": 'é"\\'}, "unsupported_grant_type"),
        ({**GRANT, "scope": "files.read files.write"}, "invalid_scope"),
        ({**GRANT, "scope": 'a"b'}, "invalid_scope"),
        ({**GRANT, "scope": ["files.read", "files.read"]}, "invalid_request"),
        ({**GRANT, "resource": "not-absolute"}, "invalid_target"),
        ({**GRANT, "resource": "https://a.example/#b"}, "invalid_target"),
    ],
)
def test_a_token_request_that_asks_wrongly_is_told_how(
    http: httpx2.Client, app: Client, fields: dict[str, str | list[str]], error: str
) -> None:
    """RFC 6749 §5.2, RFC 8707 §2."""
    assert _error(_post(http, "/token", app, fields)) == (400, error)


def test_audience_and_resource_go_into_aud_each_once_and_in_their_order(http: httpx2.Client, app: Client) -> None:
    """RFC 8707 §2; `audience` is repeatable in the same way."""
    token = _token(
        http,
        app,
        audience=["mcp_server:weather", "gateway:shop/api:*", "mcp_server:weather"],
        resource=["https://a.example/b", "urn:example:c"],
    )
    answer = _post(http, "/introspect", app, {"token": token}).json()
    assert answer["aud"] == ["mcp_server:weather", "gateway:shop/api:*", "https://a.example/b", "urn:example:c"]


def test_an_active_token_is_described(
    http: httpx2.Client, server: DevelopmentServer, app: Client, gate: Client
) -> None:
    """RFC 7662 §2.2: no `sub` where there is no user, no `aud` where none was asked for."""
    answer = _post(http, "/introspect", gate, {"token": _token(http, app, scope="files.read")})
    body = answer.json()
    assert body.pop("exp") - body.pop("iat") == 3600
    assert body == {
        "active": True,
        "client_id": app.client_id,
        "scope": "files.read",
        "iss": server.issuer,
        "token_type": "Bearer",
    }
    assert answer.headers["Cache-Control"] == "no-store"


def test_our_own_reader_reads_it(http: httpx2.Client, server: DevelopmentServer, gate: Client) -> None:
    """Ours: the two ends of the wire agree."""
    token = server.mint(client_id="app", subject="ann", audience=["mcp_server:weather"], scopes=["a", "b"])
    answer = _post(http, "/introspect", gate, {"token": token})
    grant = read_answer(
        status=answer.status_code,
        media_type=answer.headers["Content-Type"],
        body=answer.content,
        expected=Expected(issuer=server.issuer),
    )
    assert isinstance(grant, Grant)
    assert (grant.client_id, grant.username, grant.audience) == ("app", "ann", ("mcp_server:weather",))
    assert grant.scopes == ("a", "b")


def test_of_a_token_that_is_not_active_nothing_is_said(
    http: httpx2.Client, server: DevelopmentServer, gate: Client
) -> None:
    """RFC 7662 §2.2: expired, revoked and unknown look the same."""
    revoked = server.mint(client_id="app")
    server.revoke(revoked)
    for token in (server.mint(client_id="app", lifetime_seconds=-1), revoked, "unknown", "é\x00"):
        answer = _post(http, "/introspect", gate, {"token": token})
        assert (answer.status_code, answer.json()) == (200, INACTIVE)


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "unheard_of"])
def test_a_hint_never_changes_the_answer(
    http: httpx2.Client, server: DevelopmentServer, gate: Client, hint: str
) -> None:
    """RFC 7662 §2.1, RFC 7009 §2.2: a hint that is wrong or unknown is ignored."""
    fields: dict[str, str | list[str]] = {"token": server.mint(client_id="gate"), "token_type_hint": hint}
    assert _post(http, "/introspect", gate, fields).json()["active"] is True
    assert _post(http, "/revoke", gate, fields).status_code == 200
    assert _post(http, "/introspect", gate, fields).json() == INACTIVE


def test_a_client_revokes_its_own_tokens_alone(http: httpx2.Client, app: Client, gate: Client) -> None:
    """RFC 7009 §2.1; a token that is unknown, or revoked already, is revoked (§2.2)."""
    token = _token(http, app)
    assert _error(_post(http, "/revoke", gate, {"token": token})) == (400, "invalid_grant")
    assert _post(http, "/introspect", gate, {"token": token}).json()["active"] is True
    for revoked in (token, token, "unknown"):
        assert _post(http, "/revoke", app, {"token": revoked}).status_code == 200
    assert _post(http, "/introspect", gate, {"token": token}).json() == INACTIVE


@pytest.mark.parametrize("path", ["/introspect", "/revoke"])
def test_a_token_must_be_named(http: httpx2.Client, gate: Client, path: str) -> None:
    """RFC 7662 §2.1, RFC 7009 §2.1."""
    assert _error(_post(http, path, gate, {"token_type_hint": "access_token"})) == (400, "invalid_request")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_only_post_is_allowed(http: httpx2.Client, path: str, method: str) -> None:
    """RFC 6749 §3.2, RFC 9110 §15.5.6."""
    answer = http.request(method, path)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("application/json", b'{"token": "t"}'),
        ("text/plain", b"token=t"),
        ("multipart/form-data; boundary=x", b"--x--"),
        ("application/x-www-form-urlencoded", b"token=%FF"),
        ("application/x-www-form-urlencoded", b"token=t&token=t"),
        ("application/x-www-form-urlencoded", b"\xff\xfe\x00"),
    ],
)
def test_what_is_not_a_form_is_a_bad_request(
    http: httpx2.Client, gate: Client, path: str, media_type: str, body: bytes
) -> None:
    """RFC 6749 §3.2, §5.2."""
    headers = {"Authorization": basic_credentials(gate.client_id, gate.secret), "Content-Type": media_type}
    assert _error(http.post(path, content=body, headers=headers)) == (400, "invalid_request")


def test_a_body_without_a_media_type_is_no_form(http: httpx2.Client) -> None:
    """RFC 6749 §3.2."""
    assert _error(http.post("/token", content=b"a=b")) == (400, "invalid_request")


def test_a_body_is_bounded(http: httpx2.Client) -> None:
    """RFC 9110 §15.5.14."""
    assert http.post("/introspect", data={"token": "t" * 65_536}).status_code == 413


@given(path=st.sampled_from(PATHS), name=st.sampled_from(NAMES), value=st.binary(max_size=60))
@settings(max_examples=60, deadline=None)
def test_no_body_breaks_it(http: httpx2.Client, gate: Client, path: str, name: bytes, value: bytes) -> None:
    """Ours: the sender chooses the bytes."""
    headers = {
        "Authorization": basic_credentials(gate.client_id, gate.secret),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    assert http.post(path, content=name + value, headers=headers).status_code in {200, 400}


@given(path=st.sampled_from(PATHS), pair=st.binary(max_size=60))
@settings(max_examples=60, deadline=None)
def test_no_credentials_break_it(http: httpx2.Client, path: str, pair: bytes) -> None:
    """Ours: the sender chooses the bytes."""
    headers = {"Authorization": "Basic " + b64encode(pair + b":").decode()}
    assert _error(http.post(path, data={**GRANT, "token": "t"}, headers=headers)) == (401, "invalid_client")
