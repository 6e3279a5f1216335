"""The sections of this room."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.authorities.peer import bkauth, configure, rfc7662

from ostiary.authorities.settings import (
    AUTHORIZATION_SERVERS,
    TOKEN_CACHE,
    BkauthSettings,
    BkauthShape,
    ClientAuth,
    Rfc7662Settings,
)
from ostiary.config import ConfigurationError, load_bytes

if TYPE_CHECKING:
    from ostiary.config import AnySection
    from ostiary.oauth.json import JsonValue

URL = "https://op.example.com"


def _problems(servers: dict[str, JsonValue], secret: str = "secret", **sections: JsonValue) -> list[str]:
    with pytest.raises(ConfigurationError) as raised:
        _load(servers, secret, **sections)
    return [f"{problem.key} {problem.what}" for problem in raised.value.problems]


def _load(servers: dict[str, JsonValue], secret: str, **more: JsonValue) -> None:
    written: dict[str, JsonValue] = {"version": 1, "authorization_servers": servers}
    sections: list[AnySection] = [AUTHORIZATION_SERVERS, TOKEN_CACHE]
    load_bytes(json.dumps(written | more).encode(), sections, {"SECRET": secret}, origin=Path("/etc/ostiary.yaml"))


def _one(settings: dict[str, JsonValue]) -> Rfc7662Settings | BkauthSettings:
    return configure({"corp": settings}).require(AUTHORIZATION_SERVERS).root["corp"]


def test_an_rfc_7662_server_has_the_defaults_of_the_contract() -> None:
    """Contract, configuration."""
    settings: dict[str, JsonValue] = {"kind": "rfc7662", "issuer": URL, "client_id": "g"}
    server = _one(settings | {"client_secret": {"env": "SECRET"}})
    assert isinstance(server, Rfc7662Settings)
    assert (server.introspection_endpoint, server.endpoint_origins) == (None, ())
    assert (server.client_auth, server.username_claim) == (ClientAuth.BASIC, "sub")
    assert (server.timeout, server.leeway, server.require_exp, server.allow_insecure_http) == (2.0, 0.0, True, False)


def test_a_bkauth_has_the_defaults_of_the_contract() -> None:
    """Contract, configuration."""
    server = _one(bkauth(URL))
    assert isinstance(server, BkauthSettings)
    assert (server.realm, server.shape) == ("blueking", BkauthShape.INTROSPECT)
    assert (server.timeout, server.leeway, server.require_exp) == (2.0, 0.0, True)


def test_the_token_cache_has_the_defaults_of_the_contract_with_and_without_a_section() -> None:
    """Contract, configuration; 002 FR-009."""
    for configuration in (configure({}), configure({}, token_cache={})):
        cache = configuration.require(TOKEN_CACHE)
        assert (cache.ttl, cache.inactive_ttl, cache.max_bytes, cache.shared) == (300.0, 5.0, 64 * 1024 * 1024, None)


def test_exp_is_demanded_unless_there_is_none_on_the_wire() -> None:
    """Contract, gateway: the spec's shape has no `exp`."""
    assert _one(rfc7662(URL)).expected.require_exp
    assert not _one(rfc7662(URL, require_exp=False)).expected.require_exp
    assert _one(bkauth(URL)).expected.require_exp
    assert not _one(bkauth(URL, shape="verify_oauth2_access_token")).expected.require_exp


def test_names_are_read_by_the_kind_of_the_server() -> None:
    """Contract, gateway: app code and username."""
    usual, renamed, blueking = (
        _one(settings).expected for settings in (rfc7662(URL), rfc7662(URL, username_claim="email"), bkauth(URL))
    )
    assert (usual.app_code, usual.username) == (("client_id",), ("sub",))
    assert renamed.username == ("email",)
    assert (blueking.app_code, blueking.username) == (("bk_app_code", "client_id"), ("bk_username", "sub"))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"leeway": "61s"}, "leeway must be from `0s` to `60s`"),
        ({"timeout": "0s"}, "timeout must be from `1ms` to `60s`"),
        ({"timeout": 2}, "timeout must be a duration such as `300s`"),
        ({"client_auth": "none"}, "client_auth must be `client_secret_basic` or `client_secret_post`"),
        ({"client_secret": "literal"}, "client_secret is a value, but only a reference to a secret may stand here"),
        ({"issuer": URL + "?x"}, "issuer must be an http or https URL without a query"),
        ({"introspection_endpoint": "ftp://op"}, "introspection_endpoint must be an http or https URL"),
        ({"client_id": ""}, "client_id must be at least 1 characters long"),
        ({"app_code": "x"}, "app_code is not a known key"),
        ({"issuer": "http://op.example.com"}, "issuer is plain http to another machine"),
        ({"introspection_endpoint": "http://10.0.0.1/i"}, "introspection_endpoint is plain http to another machine"),
        ({"endpoint_origins": ["http://a.example"]}, "endpoint_origins[0] is plain http to another machine"),
    ],
)
def test_a_server_that_makes_no_sense_is_refused(change: dict[str, JsonValue], problem: str) -> None:
    """Contract, configuration: what, and where."""
    path, _, what = problem.partition(" ")
    found = _problems({"corp": rfc7662(URL) | change})
    assert len(found) == 1
    assert found[0].startswith(f"authorization_servers.corp.{path} ")
    assert found[0].endswith(what)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"realm": "../admin"}, "realm"),
        ({"realm": ""}, "realm"),
        ({"app_code": "a b"}, "app_code"),
        ({"app_code": "a\r\nX: y"}, "app_code"),
        ({"url": "http://bk.example.com"}, "url"),
        ({"shape": "data"}, "shape"),
        ({"username_claim": "x"}, "username_claim"),
    ],
)
def test_a_bkauth_that_makes_no_sense_is_refused(change: dict[str, JsonValue], key: str) -> None:
    """Ours: what would change the URL or the header it is put into."""
    (found,) = _problems({"bk": bkauth(URL) | change})
    assert found.startswith(f"authorization_servers.bk.{key} ")


@pytest.mark.parametrize("secret", ["two\nlines", "end\r", " blank", "blank ", "nul\0", "\x7f"])
def test_an_app_secret_that_no_header_can_carry_is_refused(secret: str) -> None:
    """RFC 9110 §5.5. The HTTP library would raise, with the secret in the text."""
    (found,) = _problems({"bk": bkauth(URL)}, secret)
    assert found.endswith("leads to a secret that no header field can carry")
    assert secret not in found


@pytest.mark.parametrize("secret", ["x", "short", "with blanks inside", "é", "a\tb"])
def test_a_secret_that_was_issued_to_us_may_be_short(secret: str) -> None:
    """Contract, configuration: refused only when empty or blank."""
    _load({"bk": bkauth(URL), "corp": rfc7662(URL)}, secret)
    assert all("blank secret" in found for found in _problems({"corp": rfc7662(URL)}, " "))


def test_plain_http_is_accepted_on_loopback_and_where_it_is_allowed() -> None:
    """Contract, configuration: `allow_insecure_http`."""
    for url in ("http://127.0.0.1:8080", "http://[::1]:8080", "http://localhost"):
        _load({"corp": rfc7662(url), "bk": bkauth(url)}, "secret")
    _load({"corp": rfc7662("http://op.example.com", allow_insecure_http=True)}, "secret")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"shared": {"url": "redis://x"}}, "token_cache.shared"),
        ({"ttl": "301s"}, "token_cache.ttl"),
        ({"inactive_ttl": "2m"}, "token_cache.inactive_ttl"),
        ({"max_bytes": "1KiB"}, "token_cache.max_bytes"),
        ({"max_entries": 5}, "token_cache.max_entries"),
    ],
)
def test_a_token_cache_that_is_not_to_be_is_refused(change: dict[str, JsonValue], problem: str) -> None:
    """002 FR-009: never longer than 300 seconds. A shared cache is not in this version."""
    (found,) = _problems({}, token_cache=change)
    assert found.startswith(problem)
