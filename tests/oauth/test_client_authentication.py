"""How we say who we are, read back as an authorization server would."""

from __future__ import annotations

from base64 import b64decode
from urllib.parse import unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.oauth.client_authentication import basic_credentials, post_fields

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("client_id", "secret", "pair"),
    [
        ("gateway", "sesame", "gateway:sesame"),
        ("a:b", "c:d", "a%3Ab:c%3Ad"),
        ("a b", "100%+x", "a+b:100%25%2Bx"),
        ("é", "&=", "%C3%A9:%26%3D"),
    ],
)
def test_both_parts_are_form_encoded_before_they_are_joined(client_id: str, secret: str, pair: str) -> None:
    """RFC 6749 §2.3.1."""
    scheme, _, encoded = basic_credentials(client_id, secret).partition(" ")
    assert (scheme, b64decode(encoded).decode("ascii")) == ("Basic", pair)


@given(TEXT, TEXT)
def test_a_server_that_decodes_finds_both_again(client_id: str, secret: str) -> None:
    """RFC 6749 §2.3.1, RFC 7617 §2: at the first colon, whatever the parts hold."""
    pair = b64decode(basic_credentials(client_id, secret).removeprefix("Basic "), validate=True).decode("ascii")
    left, _, right = pair.partition(":")
    assert (unquote_plus(left), unquote_plus(right)) == (client_id, secret)


def test_fields_of_a_form_are_as_they_are() -> None:
    """RFC 6749 §2.3.1: the form's own encoding does the rest."""
    assert post_fields("a b", "%") == {"client_id": "a b", "client_secret": "%"}
