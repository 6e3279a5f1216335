"""The challenge, read back by a parser that shares no code with it."""

from __future__ import annotations

import string
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rfc9110 import GrammarError, parse_challenge

from ostiary.oauth.challenge import BearerError, Challenge, metadata_inserted_url, metadata_query_url

ORIGIN = "https://bkapi.example.com"
WELL_KNOWN = ORIGIN + "/.well-known/oauth-protected-resource"
UNRESERVED = set(string.ascii_letters + string.digits + "-._~")
SCOPE_TOKEN = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"\\')


@pytest.mark.requirement("FR-004", "US1-3", "SC-004")
def test_a_challenge_without_an_error_is_the_specs_to_the_letter() -> None:
    """002 FR-004."""
    challenge = Challenge(resource_metadata=metadata_query_url(ORIGIN, "/my-gateway/prod/billing"))
    assert challenge.to_header() == (
        'Bearer resource_metadata="https://bkapi.example.com/.well-known/oauth-protected-resource'
        '?resource=%2Fmy-gateway%2Fprod%2Fbilling"'
    )


def test_the_parameters_stand_in_one_order() -> None:
    """RFC 6750 §3: all of them are quoted strings; the order is ours, so that answers can be compared."""
    challenge = Challenge(
        resource_metadata="https://a/b",
        error=BearerError.INSUFFICIENT_SCOPE,
        error_description="insufficient scope",
        scopes=("files.read", "files.delete"),
    )
    assert challenge.to_header() == (
        'Bearer resource_metadata="https://a/b", error="insufficient_scope", '
        'error_description="insufficient scope", scope="files.read files.delete"'
    )


def test_the_error_codes_are_those_of_the_rfc_and_no_others() -> None:
    """RFC 6750 §3.1; gateway.md: no invented codes."""
    assert sorted(BearerError) == ["insufficient_scope", "invalid_request", "invalid_token"]


@pytest.mark.parametrize("text", ['a"b', "a\\b", "a\nb", "a\rb", "a\tb", "a\x7fb", "é", "", "\x00"])
def test_what_rfc_6750_forbids_is_never_written(text: str) -> None:
    """RFC 6750 §3: no DQUOTE, no backslash, no control character in error_description and scope."""
    with pytest.raises(ValueError, match="RFC 6750"):
        Challenge(resource_metadata="https://a", error_description=text).to_header()
    with pytest.raises(ValueError, match="RFC 6750"):
        Challenge(resource_metadata="https://a", scopes=(text,)).to_header()


@pytest.mark.parametrize("text", ["https://a/\r\nX: y", "https://a/\x00", "https://a/é", "https://a/\x7f"])
def test_a_location_that_no_quoted_string_holds_is_never_written(text: str) -> None:
    """RFC 9110 §5.6.4: a line break would be a second header."""
    with pytest.raises(ValueError, match="quoted-string"):
        Challenge(resource_metadata=text).to_header()


def test_quotes_in_a_location_are_escaped() -> None:
    """RFC 9110 §5.6.4."""
    header = Challenge(resource_metadata='https://a/"\\').to_header()
    assert header == 'Bearer resource_metadata="https://a/\\"\\\\"'
    assert parse_challenge(header)[1]["resource_metadata"] == 'https://a/"\\'


@given(
    st.text("".join(map(chr, range(0x20, 0x7F))), min_size=1),
    st.none() | st.sampled_from(BearerError),
    st.none() | st.text(SCOPE_TOKEN + " ", min_size=1),
    st.lists(st.text(SCOPE_TOKEN, min_size=1), max_size=4).map(tuple),
)
def test_every_challenge_reads_back_as_it_was_meant(
    location: str, error: BearerError | None, description: str | None, scopes: tuple[str, ...]
) -> None:
    """RFC 9110 §11.6.1: whoever reads by the grammar finds what was put in, and nothing else."""
    challenge = Challenge(
        resource_metadata=location, error=error, error_description=description, scopes=scopes
    ).to_header()
    expected = {"resource_metadata": location}
    if error is not None:
        expected["error"] = error.value
    if description is not None:
        expected["error_description"] = description
    if scopes:
        expected["scope"] = " ".join(scopes)
    assert parse_challenge(challenge) == ("Bearer", expected)


@pytest.mark.parametrize(
    "text",
    ["Bearer", 'Bearer a="b', "Bearer a=b c=d", 'Bearer a="b", a="c"', "Bearer =b", 'Bearer a="\x01"', "Bearer a=b,"],
)
def test_the_reader_of_these_tests_refuses_what_is_no_challenge(text: str) -> None:
    """Ours: a reader that takes anything would prove nothing."""
    with pytest.raises(GrammarError):
        parse_challenge(text)


@pytest.mark.requirement("FR-004", "SC-004")
@pytest.mark.parametrize(
    ("path", "encoded"),
    [
        ("/", "%2F"),
        ("/a/b", "%2Fa%2Fb"),
        ("/a%20b", "%2Fa%2520b"),  # an existing `%` again
        ("/a-._~Z9", "%2Fa-._~Z9"),
        ("/a?b#c&d=e+f", "%2Fa%3Fb%23c%26d%3De%2Bf"),
        ('/"\\\r\n', "%2F%22%5C%0D%0A"),
        ("/é", "%2F%C3%A9"),
    ],
)
def test_every_byte_of_the_path_outside_unreserved_is_escaped(path: str, encoded: str) -> None:
    """002 FR-004, RFC 3986 §2.3."""
    assert metadata_query_url(ORIGIN, path) == WELL_KNOWN + "?resource=" + encoded


@pytest.mark.requirement("FR-004", "SC-004")
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_whatever_the_path_the_query_holds_it_alone_and_gives_it_back(path: str) -> None:
    """002 FR-004: who reads the URL finds the one parameter, and in it the path."""
    url = metadata_query_url(ORIGIN, path)
    value = url.removeprefix(WELL_KNOWN + "?resource=")
    assert set(value) <= UNRESERVED | set("%")
    assert unquote(value) == path


@given(st.text())
def test_no_path_makes_a_challenge_fail(path: str) -> None:
    """Ours: a client chooses the path, and a refusal must not fail for it; half of a surrogate pair is a text too."""
    for locate in (metadata_query_url, metadata_inserted_url):
        scheme, parameters = parse_challenge(Challenge(resource_metadata=locate(ORIGIN, path)).to_header())
        assert scheme == "Bearer"
        assert parameters["resource_metadata"].startswith(WELL_KNOWN)
        assert not set(parameters["resource_metadata"]) & set('"\\ <>^`{|}\x7f')


@pytest.mark.parametrize(
    ("path", "behind"),
    [
        ("/", ""),
        ("/a/b", "/a/b"),
        ("/a%20b;c=d", "/a%20b;c=d"),  # escaped already: not again
        ("/a/", "/a/"),
        ('/"é', "/%22%C3%A9"),
        ("/a?b#c", "/a%3Fb%23c"),
    ],
)
def test_the_inserted_location_has_the_path_behind_the_well_known_name(path: str, behind: str) -> None:
    """RFC 9728 §3.1: inserted between host and path."""
    url = metadata_inserted_url(ORIGIN, path)
    assert url == WELL_KNOWN + behind
    assert urlsplit(url).query == ""
