"""Forms and Basic credentials, read strictly."""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.devserver.wire import is_resource, parse_basic, parse_form
from ostiary.oauth.client_authentication import basic_credentials

FORM = "application/x-www-form-urlencoded"
TEXT = st.text(st.characters(codec="utf-8"))


def _basic(pair: bytes) -> str:
    return "Basic " + b64encode(pair).decode()


@given(TEXT, TEXT)
def test_what_the_rfc_encodes_is_decoded_again(client_id: str, secret: str) -> None:
    """RFC 6749 §2.3.1."""
    assert parse_basic(basic_credentials(client_id, secret)) == (client_id, secret)


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Basic",
        "Bearer " + b64encode(b"a:b").decode(),
        "Basic a:b",
        "Basic YTpi YTpi",
        "Basic YTpi, Basic YTpi",
        "Basic YTp",
        _basic(b"no colon"),
        _basic("é:é".encode()),
        _basic(b"%FF:b"),
        _basic(b"a:%C3"),
        "Basic \xe9",
    ],
)
def test_what_is_not_basic_is_nothing(authorization: str) -> None:
    """RFC 7617 §2, RFC 6749 §2.3.1."""
    assert parse_basic(authorization) is None


def test_the_scheme_is_written_in_any_case() -> None:
    """RFC 9110 §11.1."""
    assert parse_basic("bAsIc YTpi") == ("a", "b")


@given(st.text(max_size=40))
def test_no_header_breaks_the_reader(authorization: str) -> None:
    """Ours: the sender chooses the bytes."""
    parse_basic("Basic " + authorization)


@given(st.dictionaries(TEXT.filter(bool), TEXT.filter(bool), max_size=5))
def test_a_form_is_read_as_it_was_written(fields: dict[str, str]) -> None:
    """RFC 6749 appendix B."""
    form = parse_form(FORM + "; charset=UTF-8", urlencode(fields).encode())
    assert form == {name: [value] for name, value in fields.items()}


@given(st.binary(max_size=60))
def test_no_body_breaks_the_reader(body: bytes) -> None:
    """Ours: the sender chooses the bytes."""
    parse_form(FORM, body)


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("application/json", b"a=b"),
        ("multipart/form-data; boundary=x", b"a=b"),
        ("", b"a=b"),
        (FORM, b"a=%FF"),
        (FORM, "a=é".encode()),
        (FORM, b"a"),
        (FORM, b"a=1&a=2"),
        (FORM, b"scope=x&scope=x"),
    ],
)
def test_what_is_not_a_form_is_nothing(media_type: str, body: bytes) -> None:
    """RFC 6749 §3.2, appendix B."""
    assert parse_form(media_type, body) is None


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b"", {}),
        (b"a=&b=1", {"b": ["1"]}),
        (b"a=&a=1", {"a": ["1"]}),
        (b"audience=x&resource=y&audience=z", {"audience": ["x", "z"], "resource": ["y"]}),
        (b"a=1+2%2B3", {"a": ["1 2+3"]}),
    ],
)
def test_empty_parameters_are_absent_and_audiences_may_be_many(body: bytes, form: dict[str, list[str]]) -> None:
    """RFC 6749 §3.2, RFC 8707 §2."""
    assert parse_form(FORM, body) == form


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://a.example/b", True),
        ("urn:example:x", True),
        ("https://a.example/b?c", True),
        ("https://a.example/#", False),
        ("/relative", False),
        ("mcp_server", False),
        ("http://[", False),
    ],
)
def test_a_resource_is_an_absolute_uri_without_a_fragment(text: str, expected: bool) -> None:  # noqa: FBT001  # a parameter of the table
    """RFC 8707 §2."""
    assert is_resource(text) is expected
