"""The two metadata documents: the one we write, the one we read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.oauth.metadata import (
    AuthorizationServerMetadata,
    ResourceMetadata,
    discovery_urls,
    parse_server_metadata,
)

ISSUER = "https://op.example.com"


def test_members_without_a_value_are_left_out() -> None:
    """RFC 9728 §3.2."""
    document = ResourceMetadata(resource="https://a/b", authorization_servers=(ISSUER,))
    assert json.loads(document.to_json()) == {
        "resource": "https://a/b",
        "authorization_servers": [ISSUER],
        "bearer_methods_supported": ["header"],
    }


def test_members_with_a_value_are_there() -> None:
    """RFC 9728 §2."""
    document = ResourceMetadata(
        resource="https://a/b",
        authorization_servers=(ISSUER,),
        scopes_supported=("x", "y"),
        resource_name="Rechnungen für alle",
        resource_documentation="https://docs.example.com",
    )
    members = json.loads(document.to_json().decode("utf-8"))
    assert members["scopes_supported"] == ["x", "y"]
    assert members["resource_name"] == "Rechnungen für alle"
    assert members["resource_documentation"] == "https://docs.example.com"


@pytest.mark.parametrize(
    ("issuer", "oauth", "openid"),
    [
        (
            "https://op.example.com",
            "https://op.example.com/.well-known/oauth-authorization-server",
            "https://op.example.com/.well-known/openid-configuration",
        ),
        (
            "https://op.example.com:8443/realms/a/",
            "https://op.example.com:8443/.well-known/oauth-authorization-server/realms/a",
            "https://op.example.com:8443/realms/a/.well-known/openid-configuration",
        ),
    ],
)
def test_metadata_is_looked_for_before_the_path_then_behind_it(issuer: str, oauth: str, openid: str) -> None:
    """RFC 8414 §3.1; OpenID Connect Discovery 1.0 §4."""
    assert discovery_urls(issuer) == (oauth, openid)


@pytest.mark.parametrize(
    ("members", "endpoint", "development"),
    [
        ({}, None, False),
        ({"introspection_endpoint": ISSUER + "/i"}, ISSUER + "/i", False),
        ({"introspection_endpoint": 5}, None, False),
        ({"introspection_endpoint": [ISSUER]}, None, False),
        ({"ostiary_development": True}, None, True),
        ({"ostiary_development": "true"}, None, False),
        ({"ostiary_development": 1}, None, False),
    ],
)
def test_of_an_issuers_document_three_members_are_read(
    members: dict[str, object],
    endpoint: str | None,
    development: bool,  # noqa: FBT001 - a column
) -> None:
    """RFC 8414 §2."""
    read = parse_server_metadata(json.dumps({"issuer": ISSUER} | members).encode(), ISSUER)
    assert read == AuthorizationServerMetadata(issuer=ISSUER, introspection_endpoint=endpoint, development=development)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"{}",
        b'{"issuer":"https://evil.example.com"}',
        b'{"issuer":"https://op.example.com/"}',
        b'{"issuer":["https://op.example.com"]}',
        b'{"issuer":"https://op.example.com","issuer":"https://op.example.com"}',
    ],
)
def test_another_issuers_document_is_none(body: bytes) -> None:
    """RFC 8414 §3.3: the issuer must be the one that was asked for, to the letter."""
    assert parse_server_metadata(body, ISSUER) is None


@given(st.binary())
def test_no_bytes_make_the_reader_fail(body: bytes) -> None:
    """Ours: an authority may answer anything."""
    assert parse_server_metadata(body, ISSUER) is None
