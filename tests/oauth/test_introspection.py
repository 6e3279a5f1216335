"""What an answer of an authority means, read as if the authority were not ours."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.oauth.introspection import (
    INACTIVE,
    MAX_ANSWER_BYTES,
    Cause,
    ClaimFault,
    Expected,
    Grant,
    Inactive,
    Unavailable,
    read_answer,
    read_claims,
    read_object,
    read_verification,
)
from ostiary.oauth.json import JsonFault, JsonValue, parse_object

ISSUER = "https://op.example.com"
EXPECTED = Expected(issuer=ISSUER)
BKAUTH = Expected(
    issuer=ISSUER, require_exp=False, app_code=("bk_app_code", "client_id"), username=("bk_username", "sub")
)
GOOD: dict[str, JsonValue] = {
    "active": True,
    "client_id": "reader",
    "sub": "alice",
    "scope": "files.read openid",
    "aud": ["a", "b"],
    "exp": 1_800_000_000,
    "nbf": 1_700_000_000.5,
    "iat": 1_700_000_000,
    "iss": ISSUER,
    "token_type": "Bearer",
}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def answer(body: bytes, *, status: int = 200, media_type: str = "application/json") -> Grant | Inactive | Unavailable:
    return read_answer(status=status, media_type=media_type, body=body, expected=EXPECTED)


def fault_of(members: dict[str, JsonValue], expected: Expected = EXPECTED) -> ClaimFault | None:
    """The fault of the good answer with other members; None stands for a grant."""
    read = read_claims(GOOD | members, expected)
    if isinstance(read, Inactive):
        assert read.fault is not None
        active = (GOOD | members)["active"]
        assert read.active is (True if active is True else None)  # told as it was said, whatever else is wrong
        assert read.claims == tuple(sorted(GOOD | members))
        return read.fault
    return None


@pytest.mark.requirement("US2-2", "FR-010")
def test_a_good_answer_is_a_grant() -> None:
    """RFC 7662 §2.2, 002 FR-010: every member where it belongs; of the rest the names alone."""
    body = json.dumps(GOOD | {"jti": "x"}).encode()
    assert answer(body) == Grant(
        issuer=ISSUER,
        client_id="reader",
        subject="alice",
        app_code="reader",
        username="alice",
        scopes=("files.read", "openid"),
        audience=("a", "b"),
        expires_at=1_800_000_000.0,
        not_before=1_700_000_000.5,
        token_type="Bearer",
        claims=tuple(sorted(GOOD | {"jti": "x"})),
    )


@pytest.mark.parametrize(("status", "cause"), [
    (401, Cause.CREDENTIALS),
    (403, Cause.CREDENTIALS),
    (429, Cause.RATE_LIMITED),
    (301, Cause.REDIRECT),
    (302, Cause.REDIRECT),
    (308, Cause.REDIRECT),
    (399, Cause.REDIRECT),
    (100, Cause.STATUS),
    (201, Cause.STATUS),
    (204, Cause.STATUS),
    (400, Cause.STATUS),
    (404, Cause.STATUS),
    (500, Cause.STATUS),
    (502, Cause.STATUS),
    (503, Cause.STATUS),
    (599, Cause.STATUS),
])  # fmt: skip
@pytest.mark.requirement("edge-3")
def test_every_status_but_200_is_could_not_tell(status: int, cause: Cause) -> None:
    """gateway.md, verification: even with a body that says the token is good."""
    read = answer(json.dumps(GOOD).encode(), status=status)
    assert read == Unavailable(cause=cause, note=f"status {status}")


def test_an_unsupported_token_type_is_an_inactive_token() -> None:
    """RFC 7009 §2.2.1, gateway.md: some servers say so of what is no token of theirs."""
    read = answer(b'{"error":"unsupported_token_type"}', status=400)
    assert read == INACTIVE == Inactive(active=None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"error":"invalid_request"}',
        b'["unsupported_token_type"]',
        b'{"error":["unsupported_token_type"]}',
    ],
)
def test_another_400_is_could_not_tell(body: bytes) -> None:
    """gateway.md, verification."""
    assert answer(body, status=400) == Unavailable(cause=Cause.STATUS, note="status 400")


def test_a_signed_answer_is_could_not_tell() -> None:
    """RFC 9701: until it is built, a signature that nobody checked proves nothing."""
    read = answer(json.dumps(GOOD).encode(), media_type="application/token-introspection+jwt")
    assert read == Unavailable(cause=Cause.SIGNED)


def test_an_answer_of_one_mebibyte_is_read_and_one_byte_more_is_not() -> None:
    """gateway.md, verification."""
    body = json.dumps({"active": False}).encode()
    largest = body + b" " * (MAX_ANSWER_BYTES - len(body))
    assert answer(largest) == Inactive(active=False, claims=("active",))
    assert answer(largest + b" ") == Unavailable(cause=Cause.TOO_LARGE)
    error = b'{"error":"unsupported_token_type"}'
    assert answer(error + b" " * MAX_ANSWER_BYTES, status=400) == INACTIVE
    assert answer(
        b'{"error":"unsupported_token_type","x":"' + b"y" * MAX_ANSWER_BYTES + b'"}', status=400
    ) == Unavailable(cause=Cause.STATUS, note="status 400")


@pytest.mark.parametrize(
    ("body", "note"),
    [
        (b"<html>", "not JSON"),
        (b'{"active":true', "not JSON"),
        (b"[true]", "not a JSON object"),
        (b'{"active":true,"active":false}', "a member name twice"),
        (b'{"active":true,"exp":1e999}', "a number beyond a double"),
        (b'{"x":' * 33 + b"1" + b"}" * 33, "nested too deep"),
    ],
)
@pytest.mark.requirement("edge-3")
def test_what_is_not_one_json_object_is_could_not_tell(body: bytes, note: str) -> None:
    """gateway.md, verification: an outage is never read as a bad token."""
    assert answer(body) == Unavailable(cause=Cause.NOT_JSON, note=note)


def test_an_inactive_answer_is_inactive_whatever_else_it_has() -> None:
    """RFC 7662 §2.2."""
    read = read_claims({"active": False, "exp": "x", "cnf": {}}, EXPECTED)
    assert read == Inactive(active=False, claims=("active", "cnf", "exp"))


def test_an_audience_that_is_too_large_is_read_all_the_same() -> None:
    """gateway.md, `audience-too-many`: over 10,000 entries are a refusal, not an outage."""
    read = answer(json.dumps(GOOD | {"aud": ["x"] * 10_001}).encode())
    assert isinstance(read, Grant)
    assert read.audience is not None
    assert len(read.audience) == 10_001


@pytest.mark.parametrize("active", [True, False, "true"])
def test_no_more_than_a_hundred_names_are_kept(active: JsonValue) -> None:
    """Ours: they are for operators, and are remembered with each token."""
    read = read_claims(GOOD | {"active": active} | {f"x{number}": 0 for number in range(1000)}, EXPECTED)
    assert len(read.claims) == 100
    assert set(GOOD) < set(read.claims)


@pytest.mark.parametrize("active", ["true", "True", 1, 1.0, None, [], [True], {}, {"active": True}, "", 0, "false"])
def test_active_is_the_boolean_true_and_nothing_like_it(active: JsonValue) -> None:
    """attacks.md, token confusion."""
    assert fault_of({"active": active}) is ClaimFault.CLAIMS


def test_an_answer_without_active_does_not_count() -> None:
    """RFC 7662 §2.2: it is the one required member."""
    read = read_claims({"exp": 1}, EXPECTED)
    assert read == Inactive(fault=ClaimFault.CLAIMS, claims=("exp",))


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", [None, True, False, "1800000000", [], {}, math.inf, -math.inf, math.nan])
def test_times_are_finite_numbers(name: str, value: JsonValue) -> None:
    """gateway.md, verification; attacks.md, cache confusion."""
    assert fault_of({name: value}) is ClaimFault.CLAIMS


@pytest.mark.parametrize("value", [0, -1, 1.5, 2**53, 2**60, -(2**60), 10**308])
def test_any_finite_number_is_a_time(value: float) -> None:
    """Ours: what a clock says of it is judged elsewhere."""
    read = read_claims(GOOD | {"exp": value}, EXPECTED)
    assert isinstance(read, Grant)
    assert read.expires_at == float(value)


def test_an_answer_without_exp_counts_only_where_the_operator_says_so() -> None:
    """gateway.md, verification: `require_exp: false`."""
    endless = {name: value for name, value in GOOD.items() if name != "exp"}
    refused = Inactive(active=True, fault=ClaimFault.NO_EXPIRY, claims=tuple(sorted(endless)))
    assert read_claims(endless, EXPECTED) == refused
    read = read_claims(endless, Expected(issuer=ISSUER, require_exp=False))
    assert isinstance(read, Grant)
    assert read.expires_at is None


@pytest.mark.parametrize("issuer", [ISSUER + "/", ISSUER.upper(), "https://evil.example.com", "", None, 5, [ISSUER]])
def test_another_issuer_than_the_configured_one_is_refused(issuer: JsonValue) -> None:
    """attacks.md, token confusion: equal, to the letter."""
    assert fault_of({"iss": issuer}) is ClaimFault.ISSUER


def test_an_answer_without_iss_is_of_the_authority_that_was_asked() -> None:
    """RFC 7662 §2.2: `iss` is optional; a token's word never chooses whom we believe."""
    read = read_claims({name: value for name, value in GOOD.items() if name != "iss"}, EXPECTED)
    assert isinstance(read, Grant)
    assert read.issuer == ISSUER


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("token_type", "bearer", None),
        ("token_type", "BEARER", None),
        ("token_type", "access_token", None),
        ("token_type", "refresh_token", ClaimFault.TYPE),
        ("token_type", "id_token", ClaimFault.TYPE),
        ("token_type", "DPoP", ClaimFault.TYPE),
        ("token_type", "", ClaimFault.TYPE),
        ("token_type", None, ClaimFault.TYPE),
        ("token_type", ["bearer"], ClaimFault.TYPE),
        ("token_use", "access", None),
        ("token_use", "access_token", None),
        ("token_use", "id", ClaimFault.TYPE),
        ("token_use", "refresh", ClaimFault.TYPE),
        ("token_use", True, ClaimFault.TYPE),
        ("cnf", {"jkt": "x"}, ClaimFault.BOUND),
        ("cnf", {}, ClaimFault.BOUND),
        ("cnf", None, ClaimFault.BOUND),
        ("aud", None, None),
        ("aud", "a", None),
        ("aud", "", None),
        ("aud", [], None),
        ("aud", [""], None),
        ("aud", 5, ClaimFault.CLAIMS),
        ("aud", True, ClaimFault.CLAIMS),
        ("aud", {"a": "b"}, ClaimFault.CLAIMS),
        ("aud", ["a", 5], ClaimFault.CLAIMS),
        ("aud", ["a", None], ClaimFault.CLAIMS),
        ("aud", [["a"]], ClaimFault.CLAIMS),
        ("client_id", 5, ClaimFault.CLAIMS),
        ("client_id", None, None),
        ("sub", ["alice"], ClaimFault.CLAIMS),
        ("scope", ["a"], ClaimFault.CLAIMS),
        ("scope", "a\tb", ClaimFault.CLAIMS),
        ("scope", 'a "b"', ClaimFault.CLAIMS),
        ("scope", "", None),
        ("scope", None, None),
    ],
)
def test_claims_are_judged_by_their_type(name: str, value: JsonValue, fault: ClaimFault | None) -> None:
    """gateway.md, verification; attacks.md, token confusion."""
    assert fault_of({name: value}) is fault


@pytest.mark.parametrize(
    ("value", "audience"),
    [(None, None), ("a", ("a",)), ("", ("",)), ([], ()), (["b", "a", "b"], ("b", "a", "b"))],
)
def test_an_audience_is_kept_in_its_order(value: JsonValue, audience: tuple[str, ...] | None) -> None:
    """RFC 7519 §4.1.3: one text or a list of them."""
    read = read_claims(GOOD | {"aud": value}, EXPECTED)
    assert isinstance(read, Grant)
    assert read.audience == audience


@pytest.mark.parametrize(
    ("members", "expected", "app_code", "username"),
    [
        ({}, EXPECTED, "reader", "alice"),
        ({"client_id": "", "sub": ""}, EXPECTED, None, None),
        ({"client_id": None, "sub": None}, EXPECTED, None, None),
        ({"sub": "reader"}, EXPECTED, "reader", None),  # a machine is not a user
        ({"bk_app_code": "other", "bk_username": "bob"}, EXPECTED, "reader", "alice"),
        ({"bk_app_code": "other", "bk_username": "bob"}, BKAUTH, "other", "bob"),
        ({"bk_app_code": "", "bk_username": ""}, BKAUTH, "reader", "alice"),
        ({"bk_username": "reader"}, BKAUTH, "reader", None),
        ({"bk_app_code": "app", "bk_username": "app"}, BKAUTH, "app", None),  # by the name that the shape has
        ({"bk_app_code": "app", "bk_username": "reader"}, BKAUTH, "app", None),
        ({"bk_app_code": "app", "sub": "app"}, BKAUTH, "app", None),
        ({"bk_app_code": "alice"}, EXPECTED, "reader", "alice"),
        ({"email": "alice@example.com"}, Expected(issuer=ISSUER, username=("email",)), "reader", "alice@example.com"),
        ({}, Expected(issuer=ISSUER, username=("email",)), "reader", None),
        ({"sub": "reader", "email": "alice@example.com"}, Expected(issuer=ISSUER, username=("email",)), "reader", None),
        ({"sub": "app", "bk_app_code": "app", "bk_username": "bob"}, BKAUTH, "app", None),
        ({"sub": None, "client_id": None, "bk_username": "bob"}, BKAUTH, None, "bob"),
    ],
)
@pytest.mark.requirement("FR-010")
def test_app_and_user_come_from_the_authoritys_table_of_names(
    members: dict[str, JsonValue], expected: Expected, app_code: str | None, username: str | None
) -> None:
    """gateway.md, on success; RFC 9068 §2.2."""
    read = read_claims(GOOD | members, expected)
    assert isinstance(read, Grant)
    assert (read.app_code, read.username) == (app_code, username)


@pytest.mark.parametrize("value", [5, True, ["a"], {"a": "b"}])
def test_a_configured_claim_of_another_type_does_not_count(value: JsonValue) -> None:
    """gateway.md, verification: bad claims, whatever the operator called them."""
    assert fault_of({"email": value}, Expected(issuer=ISSUER, username=("email",))) is ClaimFault.CLAIMS


@given(st.dictionaries(st.sampled_from([*GOOD, "cnf", "token_use", "bk_app_code", "bk_username", "x"]), JSON))
def test_no_answer_makes_the_reader_fail_and_a_grant_is_typed(members: dict[str, JsonValue]) -> None:
    """Ours: an authority may answer anything; what is granted is what it says it is."""
    read = read_claims(GOOD | members, EXPECTED)
    if isinstance(read, Grant):
        assert (GOOD | members)["active"] is True
        assert read.issuer == ISSUER
        assert read.expires_at is not None
        assert math.isfinite(read.expires_at)
        machine = {read.client_id, read.app_code} - {None}
        assert read.username is None or not machine & {read.subject, read.username}
        assert all(isinstance(entry, str) for entry in read.audience or ())


@given(st.dictionaries(st.text(max_size=6), JSON, max_size=4))
def test_no_claims_value_is_in_what_is_recorded_of_a_refused_answer(members: dict[str, JsonValue]) -> None:
    """operator.md: claim names, and no other value of the answer."""
    canary = "Canary-7f3a9c"
    read = read_claims(dict.fromkeys(members, canary) | {"active": True, "exp": canary}, EXPECTED)
    assert isinstance(read, Inactive)
    assert canary not in repr(read)


@given(st.integers(100, 599), st.sampled_from(["", "application/json", "text/html"]), st.binary())
def test_no_bytes_are_ever_a_grant_by_accident(status: int, media_type: str, body: bytes) -> None:
    """attacks.md, failing open: could not tell, or no."""
    assert not isinstance(answer(body, status=status, media_type=media_type), Grant)


@pytest.mark.requirement("US2-2", "FR-008", "FR-010")
def test_the_specs_answer_is_a_grant() -> None:
    """002 US2-2: `{"data": {"bk_app_code", "bk_username", "audience"}}`."""
    wire = b'{"data": {"bk_app_code": "my-app", "bk_username": "alice", "audience": ["gateway:a/api:*"]}}'
    read = read_verification(parse_object(wire), BKAUTH)
    assert isinstance(read, Grant)
    assert (read.app_code, read.username, read.audience) == ("my-app", "alice", ("gateway:a/api:*",))


def test_a_machine_in_the_specs_answer_is_no_user() -> None:
    """RFC 9068 §2.2: the shape has no `client_id`, so the app's code is the name that it repeats."""
    read = read_verification({"data": {"bk_app_code": "app", "bk_username": "app"}}, BKAUTH)
    assert isinstance(read, Grant)
    assert (read.app_code, read.username) == ("app", None)


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        ({}, Inactive(active=False)),
        ({"data": None}, Inactive(active=False, claims=("data",))),
        ({"result": False, "data": {"bk_app_code": "a"}}, Inactive(active=False, claims=("data", "result"))),
        (
            {"data": {"active": False, "bk_app_code": "a"}},
            Inactive(active=False, claims=("active", "aud", "bk_app_code")),
        ),
        (
            {"error": {"code": "inactive"}, "data": {"bk_app_code": "a", "audience": ["x"]}},
            Inactive(active=False, claims=("data", "error")),
        ),
        ({"data": {"active": "false"}}, Inactive(fault=ClaimFault.CLAIMS, claims=("active", "aud"))),
        ({"data": []}, Inactive(fault=ClaimFault.CLAIMS, claims=("data",))),
        ({"data": "x"}, Inactive(fault=ClaimFault.CLAIMS, claims=("data",))),
        ({"data": False}, Inactive(fault=ClaimFault.CLAIMS, claims=("data",))),
        (
            {"data": {"audience": 5}},
            Inactive(active=True, fault=ClaimFault.CLAIMS, claims=("active", "aud", "audience")),
        ),
        (
            {"data": {"bk_app_code": 5}},
            Inactive(active=True, fault=ClaimFault.CLAIMS, claims=("active", "aud", "bk_app_code")),
        ),
    ],
)
def test_another_answer_of_the_specs_shape_is_none(wire: dict[str, JsonValue], expected: Inactive) -> None:
    """Ours: the shape has no `active`, so `data` is the answer."""
    assert read_verification(wire, BKAUTH) == expected


def test_the_specs_answer_has_no_exp_and_counts_only_where_that_is_accepted() -> None:
    """gateway.md: `require_exp` holds for every shape."""
    wire: dict[str, JsonValue] = {"data": {"bk_app_code": "a", "audience": ["x"]}}
    read = read_verification(wire, Expected(issuer=ISSUER))
    assert isinstance(read, Inactive)
    assert read.fault is ClaimFault.NO_EXPIRY


@given(st.binary())
def test_an_object_is_read_whole_or_not_at_all(body: bytes) -> None:
    """Ours: `read_object` says of a 200 what `parse_object` says."""
    read = read_object(status=200, media_type="", body=body)
    try:
        assert read == parse_object(body)
    except JsonFault as fault:
        assert read == Unavailable(cause=Cause.NOT_JSON, note=str(fault))  # noqa: PT017 - both ways are expected
