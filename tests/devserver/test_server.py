"""Metadata, minting, counters, outages, and being loud about what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata  # type: ignore[import-untyped]  # Authlib has no types

from ostiary.devserver import Client, DevelopmentServer, serve
from ostiary.oauth.client_authentication import post_fields
from ostiary.oauth.metadata import discovery_urls, parse_server_metadata

if TYPE_CHECKING:
    from ostiary.oauth.json import JsonValue


def _introspect(http: httpx2.Client, token: str) -> dict[str, JsonValue]:
    answer = http.post("/introspect", data={"token": token, **post_fields("gate", "sesame")})
    body: dict[str, JsonValue] = answer.json()
    return body


def test_the_metadata_is_found_where_our_own_discovery_looks(http: httpx2.Client, server: DevelopmentServer) -> None:
    """RFC 8414 §3: from the issuer alone, and marked as a development server."""
    first, _ = discovery_urls(server.issuer)
    metadata = parse_server_metadata(http.get(first).content, server.issuer)
    assert metadata is not None
    assert metadata.development
    assert metadata.introspection_endpoint == server.issuer + "/introspect"


def test_the_metadata_names_every_endpoint_and_how_to_authenticate(
    http: httpx2.Client, server: DevelopmentServer
) -> None:
    """RFC 8414 §2."""
    document = http.get("/.well-known/oauth-authorization-server").json()
    methods = ["client_secret_basic", "client_secret_post"]
    assert document == {
        "issuer": server.issuer,
        "token_endpoint": server.issuer + "/token",
        "token_endpoint_auth_methods_supported": methods,
        "introspection_endpoint": server.issuer + "/introspect",
        "introspection_endpoint_auth_methods_supported": methods,
        "revocation_endpoint": server.issuer + "/revoke",
        "revocation_endpoint_auth_methods_supported": methods,
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "scopes_supported": ["files.delete", "files.read"],
        "ostiary_development": True,
    }
    # Authlib 1.9 takes an empty list of response types for none.
    AuthorizationServerMetadata(document | {"response_types_supported": ["none"]}).validate()


def test_a_minted_token_says_what_it_was_told_to(http: httpx2.Client, server: DevelopmentServer) -> None:
    """Ours: neither client nor scope is checked."""
    token = server.mint(client_id="other", subject="ann", audience=["x", "y"], scopes=["a", "b"], lifetime_seconds=60)
    answer = _introspect(http, token)
    iat = answer.pop("iat")
    assert isinstance(iat, int)
    assert answer == {
        "active": True,
        "client_id": "other",
        "sub": "ann",
        "aud": ["x", "y"],
        "scope": "a b",
        "iss": server.issuer,
        "token_type": "Bearer",
        "exp": iat + 60,
    }


def test_a_token_for_very_many_audiences_is_described_in_full(http: httpx2.Client, server: DevelopmentServer) -> None:
    """Ours: 002 edge case 6 is shown with tokens like this."""
    audience = [f"mcp_server:{number}" for number in range(10_001)]
    assert _introspect(http, server.mint(client_id="a", audience=audience))["aud"] == audience


def test_an_active_answer_can_be_made_to_lie(http: httpx2.Client, server: DevelopmentServer) -> None:
    """Ours: bad claims are tested on a real wire."""
    lies: dict[str, JsonValue] = {"active": "true", "iss": "https://other.example", "aud": None, "exp": 1}
    answer = _introspect(http, server.mint(client_id="a", audience=["x"], claims_override=lies))
    assert {name: answer[name] for name in lies} == lies


def test_a_token_that_never_expires_has_no_exp(http: httpx2.Client, server: DevelopmentServer) -> None:
    """RFC 7662 §2.2: `exp` is optional."""
    answer = _introspect(http, server.mint(client_id="a", lifetime_seconds=None))
    assert answer["active"] is True
    assert "exp" not in answer


def test_introspections_are_counted_in_all_and_for_each_token(http: httpx2.Client, server: DevelopmentServer) -> None:
    """Ours: a cache is shown by the calls that it saved."""
    token, other = server.mint(client_id="a"), server.mint(client_id="a")
    before = server.introspections
    for asked in (token, token, other):
        _introspect(http, asked)
    http.post("/introspect", data={"token": token})
    assert server.introspections - before == 4
    assert [server.introspections_of(value) for value in (token, other, "never")] == [3, 1, 0]


def test_what_was_issued_outlives_an_outage() -> None:
    """Ours: down means that the port is closed, and nothing else."""
    server = DevelopmentServer([Client(client_id="gate", secret="sesame")])
    with serve(server) as issuer, httpx2.Client(base_url=issuer, trust_env=False, timeout=10) as http:
        token = server.mint(client_id="a")
        server.stop()
        with pytest.raises(httpx2.ConnectError):
            _introspect(http, token)
        assert server.start() == issuer
        assert _introspect(http, token)["active"] is True


def test_every_start_warns_in_one_line_and_every_answer_in_its_server_header(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Ours: nobody runs it in production unawares."""
    with serve(DevelopmentServer([])) as issuer, httpx2.Client(trust_env=False, timeout=10) as http:
        (record,) = [record for record in caplog.records if record.name.startswith("ostiary.")]
        assert record.levelname == "WARNING"
        assert record.getMessage() == f"development authorization server at {issuer}: never for production"
        for path in ("/.well-known/oauth-authorization-server", "/elsewhere"):
            server = http.get(issuer + path).headers.get_list("Server")
            assert server == ["ostiary-devserver (development only, never for production)"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "localhost"])
def test_it_cannot_be_made_to_listen_elsewhere(host: str) -> None:
    """Ours: loopback only."""
    with pytest.raises(ValueError, match="not a loopback address"):
        DevelopmentServer([], host=host)
