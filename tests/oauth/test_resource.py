"""Resource identifiers, compared by their parts."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.oauth.resource import (
    Origin,
    ResourceIdentifier,
    is_at_or_below,
    parse_origin,
    parse_resource,
    path_segments,
)

HTTPS = Origin(scheme="https", host="a.example", port=443)
SEGMENT = st.text(string.ascii_letters + string.digits + "-._~%!$&'()*+,;=:@", min_size=1, max_size=5)


@pytest.mark.parametrize(
    "text",
    [
        "https://a.example",
        "https://a.example/",
        "HTTPS://A.EXAMPLE",
        "https://a.example:443",
        "https://a.example:",
        "https://a.example:0443/",
    ],
)
def test_one_origin_has_many_spellings(text: str) -> None:
    """RFC 3986 §6.2.3, RFC 6454 §4: scheme and host in any case, the default port or none."""
    assert parse_resource(text) == ResourceIdentifier(origin=HTTPS, segments=())


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("http://a.example", Origin(scheme="http", host="a.example", port=80)),
        ("https://a.example:80", Origin(scheme="https", host="a.example", port=80)),
        ("https://a.example:0", Origin(scheme="https", host="a.example", port=0)),
        ("https://[::1]:8443/x", Origin(scheme="https", host="::1", port=8443)),
        ("https://a.example./", Origin(scheme="https", host="a.example.", port=443)),
        ("https://a.example.evil.example", Origin(scheme="https", host="a.example.evil.example", port=443)),
    ],
)
def test_other_origins_are_other_origins(text: str, origin: Origin) -> None:
    """RFC 6454 §5: scheme, host and port."""
    assert parse_origin(text) == origin
    assert origin != HTTPS


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.example",
        "//a.example",
        "/a",
        "https:",
        "https:a.example",
        "https:/a.example",
        "https:///a",
        "https://:443",
        "ftp://a.example",
        "javascript://a.example",
        "urn:a",
        "https://user@a.example",
        "https://a.example@evil.example",
        "https://@a.example",
        "https://a.example:port",
        "https://a.example:+443",
        "https://a.example:99999",
        "https://a.example:443:443",
        "https://[::1",
        "https://[a.example]/",
        "https://a.exämple",
        "https://a.example/é",
        "https://a.example\\@evil.example",
        "https://a.example/a b",
        " https://a.example",
        "https://a.example\n",
        "https://a.exam\tple",
        "\x00https://a.example",
        'https://a.example/"',
        "https://a.example/<x>",
    ],
)
def test_what_can_be_read_in_two_ways_is_no_identifier(text: str) -> None:
    """RFC 8707 §2: an absolute URI; what readers of URLs disagree about matches nothing."""
    assert parse_origin(text) is None
    assert parse_resource(text) is None


@pytest.mark.parametrize(
    "text", ["https://a.example?", "https://a.example/a?b", "https://a.example/#", "https://a.example#x"]
)
def test_a_query_or_a_fragment_never_matches(text: str) -> None:
    """gateway.md, audience grammar."""
    assert parse_origin(text) == HTTPS
    assert parse_resource(text) is None


@given(st.text())
def test_no_text_makes_the_parser_fail(text: str) -> None:
    """Ours: entries are whatever an issuer was made to write."""
    parse_resource(text)
    parse_resource("https://" + text)
    parse_resource("https://a.example" + text)


@given(st.text())
def test_text_behind_the_host_never_makes_it_another_or_the_other_way_round(text: str) -> None:
    """attacks.md, path confusion: whoever cannot write the host cannot reach its origin."""
    read = parse_resource("https://evil.example" + text)
    assert read is None or read.origin.host.startswith("evil.example")


@given(st.lists(SEGMENT, max_size=5))
def test_segments_are_those_between_the_slashes(segments: list[str]) -> None:
    """RFC 3986 §3.3; one trailing slash is ignored."""
    path = "/" + "/".join(segments)
    assert path_segments(path) == tuple(segments)
    assert path_segments(path.removesuffix("/") + "/") == tuple(segments)
    read = parse_resource("https://a.example" + path)
    assert read == ResourceIdentifier(origin=HTTPS, segments=tuple(segments))


@pytest.mark.parametrize(
    ("path", "segments"),
    [("", ()), ("/", ()), ("//", ()), ("/a//", ("a", "")), ("//a", ("", "a")), ("/a//b", ("a", "", "b"))],
)
def test_of_two_slashes_one_is_a_segment(path: str, segments: tuple[str, ...]) -> None:
    """Ours: only the last one is ignored."""
    assert path_segments(path) == segments


@given(st.lists(SEGMENT, max_size=4).map(tuple), st.lists(SEGMENT, max_size=3).map(tuple))
def test_below_is_by_whole_segments(base: tuple[str, ...], more: tuple[str, ...]) -> None:
    """gateway.md: `/a/bc` is not below `/a/b`."""
    assert is_at_or_below(base + more, base)
    assert is_at_or_below(base, base + more) == (not more)
    if base:
        assert not is_at_or_below((*base[:-1], base[-1] + "x", *more), base)
