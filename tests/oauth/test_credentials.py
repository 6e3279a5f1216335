"""What the two credential headers hold, read in one way only."""

from __future__ import annotations

import copy
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples import NOW, ROUTE

from ostiary.decision.facts import Door, RequestFacts
from ostiary.oauth.credentials import (
    AUTHORIZATION,
    LEGACY_AUTHORIZATION,
    MAX_TOKEN_BYTES,
    NO_CREDENTIALS,
    Credentials,
    Presented,
    RawLegacy,
    RawToken,
    parse_credentials,
)
from ostiary.plugins.exchange import begin
from ostiary.plugins.questions import Introspect

B64TOKEN = string.ascii_letters + string.digits + "-._~+/"
LEGACY = b'{"bk_app_code": "a"}'


def authorization(*values: bytes) -> Credentials:
    return parse_credentials([(AUTHORIZATION, value) for value in values])


@pytest.mark.parametrize(
    "value",
    [
        b"Bearer abc",
        b"bearer abc",
        b"BEARER abc",
        b"bEaReR abc",
        b"Bearer  abc",
        b"Bearer      abc",
        b"Bearer abc ",
        b"\tBearer abc\t ",
    ],
)
@pytest.mark.requirement("FR-003", "SC-002")
def test_a_bearer_token_is_read_in_any_case_and_behind_several_spaces(value: bytes) -> None:
    """RFC 6750 §2.1, RFC 9110 §11.1, 002 FR-003: the scheme has any case, `1*SP` behind it."""
    assert authorization(value) == Credentials(presented=Presented.BEARER, bearer=RawToken("abc"))


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" ",
        b"\t",
        b"Bearer",
        b"Bearer ",
        b"Bearer   ",
        b"Bearer\tabc",  # a tab makes another scheme
        b"Bearer\x0babc",
        b"Bearer\xa0abc",
        b"Bearerabc",
        b"Bearer=abc",
        b"Basic Bearer abc",
        b"Basic YTpi",
        b"DPoP abc",
        b"Token Bearer",
        b'Digest username="a", realm="b"',
        b"abc",
    ],
)
@pytest.mark.requirement("US1-3", "SC-004")
def test_another_scheme_or_nothing_behind_bearer_is_no_credential(value: bytes) -> None:
    """002 FR-004, gateway.md Detection 3: absent, another scheme, `Bearer` with nothing behind it."""
    assert authorization(value) == NO_CREDENTIALS


def test_no_header_at_all_is_no_credential() -> None:
    """002 FR-004."""
    assert parse_credentials([]) is NO_CREDENTIALS
    assert parse_credentials([(b"x-token", b"Bearer abc"), (b"cookie", b"Bearer abc")]) is NO_CREDENTIALS


@pytest.mark.parametrize(
    "values",
    [
        (b"Bearer a", b"Bearer b"),
        (b"Bearer a", b"Bearer a"),
        (b"Bearer a, Bearer b",),
        (b"Bearer a,",),
        (b",Bearer a",),
        (b"Bearer a", b"DPoP b"),
        (b"DPoP b", b"bearer a"),
        (b"DPoP b,\tBEARER a",),
        (b"Basic YTpi,Bearer",),
        (b"bearer", b"DPoP b"),
        (b"Bearer ,",),
        (b'Digest username="x, Bearer y"',),  # a quoted comma is one to a reader who knows no quotes
    ],
)
def test_bearer_beside_another_part_is_malformed(values: tuple[bytes, ...]) -> None:
    """gateway.md Detection, RFC 9110 §5.3: the first of several must not win here and the last one elsewhere."""
    assert authorization(*values) == Credentials(presented=Presented.MALFORMED)


@pytest.mark.parametrize(
    "values",
    [(b"Basic YTpi", b"DPoP x"), (b"a, b",), (b",",), (b"", b""), (b"Bearer\ta", b"DPoP x"), (b"Bearers a", b"DPoP x")],
)
def test_several_parts_of_other_schemes_are_no_credential(values: tuple[bytes, ...]) -> None:
    """gateway.md Detection: otherwise the first scheme decides, and it is not Bearer."""
    assert authorization(*values) == NO_CREDENTIALS


@pytest.mark.parametrize("values", [(b"Bearer a", b""), (b" \t", b"Bearer a"), (b"", b"Bearer a", b"")])
def test_an_empty_field_counts_as_absent(values: tuple[bytes, ...]) -> None:
    """Ours: Envoy hands none over, so at every other door it must not decide either."""
    assert authorization(*values) == Credentials(presented=Presented.BEARER, bearer=RawToken("a"))


@given(st.lists(st.binary(max_size=20), max_size=4))
def test_several_fields_mean_what_one_joined_field_means(values: list[bytes]) -> None:
    """RFC 9110 §5.3: Envoy hands several over as one, other doors do not; the verdict is the same."""
    full = [value for value in values if value.strip(b" \t")]
    assert authorization(*values) == authorization(*([b",".join(full)] if full else []))


@given(st.text(B64TOKEN, min_size=1, max_size=40), st.integers(0, 3), st.integers(1, 4))
def test_every_b64token_arrives_unchanged(core: str, padding: int, spaces: int) -> None:
    """RFC 6750 §2.1: b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="."""
    token = core + "=" * padding
    read = authorization(b"Bearer" + b" " * spaces + token.encode("ascii"))
    assert read.bearer is not None
    assert read.bearer.reveal() == token
    assert read.bearer.is_b64token


@given(st.lists(st.tuples(st.sampled_from([AUTHORIZATION, LEGACY_AUTHORIZATION, b"x"]), st.binary()), max_size=5))
def test_no_header_makes_the_parser_fail_and_kind_and_values_agree(headers: list[tuple[bytes, bytes]]) -> None:
    """Ours: whatever is sent, it is read as one of five kinds, with the values that belong to it."""
    read = parse_credentials(headers)
    assert (read.bearer is not None) == (read.presented is Presented.BEARER)
    assert (read.legacy is not None) == (read.presented in {Presented.LEGACY, Presented.BOTH})


@pytest.mark.parametrize(
    ("token", "is_one"),
    [
        ("a", True),
        ("a==", True),
        ("=", False),
        ("a=b", False),
        ("a b", False),
        ("a\tb", False),
        ("\ta", False),
        ("a\n", False),
        ("a,b", False),
        ('"a"', False),
        ("\xe9", False),
        ("٣", False),  # a digit, but not of ASCII
        ("a" * MAX_TOKEN_BYTES, True),
        ("a" * (MAX_TOKEN_BYTES + 1), False),
        ("a" * 100_000, False),
        ("", False),
    ],
)
@pytest.mark.requirement("edge-2")
def test_the_syntax_of_a_token_is_b64token_and_at_most_8_kib(token: str, is_one: bool) -> None:  # noqa: FBT001 - a column
    """RFC 6750 §2.1, 002 edge case 2."""
    assert RawToken(token).is_b64token is is_one


@pytest.mark.requirement("FR-002", "US1-1", "SC-001", "edge-1")
@pytest.mark.parametrize(
    ("other", "presented"),
    [
        ([], Presented.LEGACY),
        ([b""], Presented.LEGACY),
        ([b"Basic YTpi"], Presented.LEGACY),
        ([b"Bearer "], Presented.LEGACY),
        ([b"Bearer abc"], Presented.BOTH),
        ([b"Bearer a b c"], Presented.BOTH),
        ([b"Bearer a", b"Bearer b"], Presented.BOTH),
    ],
)
def test_a_legacy_header_wins_whatever_authorization_holds(other: list[bytes], presented: Presented) -> None:
    """002 FR-002, edge case 1: it is looked at first; the bearer token is not even kept."""
    headers = [(LEGACY_AUTHORIZATION, b" " + LEGACY + b"\t"), *((AUTHORIZATION, value) for value in other)]
    read = parse_credentials(headers)
    assert (read.presented, read.bearer) == (presented, None)
    assert read.legacy is not None
    assert read.legacy.reveal() == LEGACY


@pytest.mark.parametrize("value", [b"", b" ", b"\t \t"])
def test_a_legacy_header_that_is_empty_counts_as_absent(value: bytes) -> None:
    """gateway.md, where we differ: FR-002 with an empty value would let a client choose the path by nothing."""
    assert parse_credentials([(LEGACY_AUTHORIZATION, value)]) == NO_CREDENTIALS
    both = parse_credentials([(LEGACY_AUTHORIZATION, value), (AUTHORIZATION, b"Bearer abc")])
    assert both.presented is Presented.BEARER


@pytest.mark.parametrize("values", [(LEGACY, LEGACY), (LEGACY, b""), (b"", LEGACY), (b"", b"")])
@pytest.mark.parametrize("beside", [[], [(AUTHORIZATION, b"Bearer abc")]])
def test_two_legacy_headers_are_malformed_even_if_one_is_empty(
    values: tuple[bytes, bytes], beside: list[tuple[bytes, bytes]]
) -> None:
    """gateway.md Detection 1: two readers could pick two values."""
    headers = [*beside, *((LEGACY_AUTHORIZATION, value) for value in values)]
    assert parse_credentials(headers) == Credentials(presented=Presented.MALFORMED)


CANARY = "Canary-7f3a9c"


@given(st.text(B64TOKEN, min_size=1, max_size=10), st.text(B64TOKEN, max_size=10))
def test_a_raw_token_shows_in_no_repr_of_anything_that_holds_it(before: str, after: str) -> None:
    """attacks.md, credentials in logs: what is logged by mistake says nothing."""
    token = before + CANARY + after
    headers = ((AUTHORIZATION, b"Bearer " + token.encode("ascii")),)
    credentials = parse_credentials(headers)
    assert credentials.bearer is not None
    facts = RequestFacts(
        door=Door.CLI, reference="r", method="GET", host="h", path="/", headers=headers, body=token.encode("ascii")
    )
    for holder in (
        credentials,
        credentials.bearer,
        credentials._asdict(),
        Introspect(authority="corp", token=credentials.bearer),
        facts,
        begin(facts, credentials, ROUTE, NOW),
    ):
        for shown in (repr(holder), str(holder), f"{holder}", f"{holder!r:>10}"):
            assert CANARY not in shown


def test_legacy_credentials_show_in_no_repr() -> None:
    """attacks.md, credentials in logs."""
    credentials = parse_credentials([(LEGACY_AUTHORIZATION, CANARY.encode("ascii"))])
    for shown in (repr(credentials), str(credentials), repr(credentials.legacy), f"{credentials.legacy}"):
        assert CANARY not in shown


@given(st.text())
def test_a_digest_is_twelve_hex_digits_of_any_text(value: str) -> None:
    """operator.md: the first 12 hex digits of SHA-256 are what a record may say of a token."""
    digest = RawToken(value).digest()
    assert len(digest) == 12
    assert set(digest) <= set("0123456789abcdef")


def test_a_digest_can_be_found_again() -> None:
    """operator.md: `printf TOKEN | sha256sum` finds the record."""
    assert RawToken("abc").digest() == "ba7816bf8f01"


def test_tokens_are_equal_by_value_and_to_nothing_else() -> None:
    """Ours: a question about the same token is the same question."""
    one, same, other = RawToken("a"), RawToken("a"), RawToken("b")
    assert (one == same, one == other, one == "a") == (True, False, False)
    assert len({one, same, other}) == 2
    assert copy.copy(one) == one


def test_legacy_credentials_are_equal_to_nothing_but_themselves() -> None:
    """Ours: nothing compares what holds a secret."""
    assert RawLegacy(b"a") != RawLegacy(b"a")
