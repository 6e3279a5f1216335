"""The one exit: status, headers and text of every refusal."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rfc9110 import parse_challenge
from tests.samples import ORIGIN, ROUTE

from ostiary.decision.reasons import CONSEQUENCES, Reason
from ostiary.decision.refusal import MAX_CHALLENGE_PATH, MAX_RETRY_AFTER_SECONDS, MAX_SCOPES, is_composable, refuse
from ostiary.decision.routes import Disclosure, MetadataLocation, RouteProtocol
from ostiary.decision.verdict import Deny

PATH = "/my-gateway/prod/billing"
COMPOSED = [reason for reason in Reason if CONSEQUENCES[reason].status is not None]
EDGE = [reason for reason in Reason if CONSEQUENCES[reason].status is None]
GENERIC = replace(ROUTE, policy=replace(ROUTE.policy, disclosure=Disclosure.GENERIC))
SCOPED = replace(ROUTE, policy=replace(ROUTE.policy, scopes=("files.read", "files.delete")))
MCP = replace(SCOPED, policy=replace(SCOPED.policy, protocol=RouteProtocol.MCP))
SCOPE_TOKEN = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"\\')
METADATA = ORIGIN + "/.well-known/oauth-protected-resource?resource=%2Fmy-gateway%2Fprod%2Fbilling"


def challenge_of(deny: Deny, *, route: object = ROUTE) -> dict[str, str] | None:
    """The parameters of its challenge; None: it has none."""
    refusal = refuse(deny, route=route, path=PATH)  # type: ignore[arg-type]  # handed on
    values = [value for name, value in refusal.headers if name == "www-authenticate"]
    assert len(values) <= 1
    return parse_challenge(values[0])[1] if values else None


@pytest.mark.requirement("FR-004", "US1-3", "SC-004")
def test_who_sent_no_credentials_gets_the_specs_challenge_to_the_letter() -> None:
    """002 FR-004, RFC 6750 §3.1: no error code where no credentials were sent."""
    refusal = refuse(Deny(Reason.CREDENTIALS_MISSING), route=ROUTE, path=PATH)
    assert refusal.status == 401
    assert refusal.headers == (("www-authenticate", f'Bearer resource_metadata="{METADATA}"'),)


def test_the_challenge_names_the_configured_host_and_never_another() -> None:
    """gateway.md, challenge: `hosts.bk-apigateway-host` replaces the authority."""
    publication = replace(ROUTE.publication, challenge_origin="https://apigw.example.com")
    refusal = refuse(Deny(Reason.CREDENTIALS_MISSING), route=replace(ROUTE, publication=publication), path="/a")
    assert refusal.headers[0][1] == (
        'Bearer resource_metadata="https://apigw.example.com/.well-known/oauth-protected-resource?resource=%2Fa"'
    )


def test_a_route_can_name_the_inserted_location() -> None:
    """RFC 9728 §3.1: `metadata_url: inserted`."""
    route = replace(ROUTE, metadata_location=MetadataLocation.INSERTED)
    refusal = refuse(Deny(Reason.CREDENTIALS_MISSING), route=route, path=PATH)
    assert refusal.headers[0][1] == (f'Bearer resource_metadata="{ORIGIN}/.well-known/oauth-protected-resource{PATH}"')


@pytest.mark.requirement("SC-004")
def test_a_path_too_long_for_a_header_is_challenged_with_its_routes() -> None:
    """SC-004: every 401 has its challenge; one that no client and no proxy takes would be none."""
    route = ROUTE.match.path
    for path in (route + "/" + "!" * MAX_CHALLENGE_PATH, route + "/" + "!" * 100_000):
        refusal = refuse(Deny(Reason.CREDENTIALS_MISSING), route=ROUTE, path=path)
        assert refusal.headers == refuse(Deny(Reason.CREDENTIALS_MISSING), route=ROUTE, path=route).headers


@pytest.mark.requirement("SC-004", "SC-007")
@pytest.mark.parametrize("reason", COMPOSED)
def test_every_refusal_has_the_challenge_of_its_reason_and_no_more(reason: Reason) -> None:
    """RFC 6750 §3, gateway.md: challenge, error code and description of every reason."""
    row = CONSEQUENCES[reason]
    expected = None
    if row.challenge:
        expected = {"resource_metadata": METADATA}
        if row.error is not None:
            expected |= {"error": row.error.value, "error_description": row.text}
    assert challenge_of(Deny(reason)) == expected


@pytest.mark.requirement("SC-007")
@pytest.mark.parametrize("reason", COMPOSED)
def test_generic_disclosure_shows_no_text(reason: Reason) -> None:
    """gateway.md, disclosure `generic`: the base message only, and no error_description."""
    refusal = refuse(Deny(reason, note="a note"), route=GENERIC, path=PATH)
    assert refusal.text is None
    parameters = challenge_of(Deny(reason), route=GENERIC)
    assert parameters is None or "error_description" not in parameters
    shown = refuse(Deny(reason), route=ROUTE, path=PATH)
    assert shown.text == CONSEQUENCES[reason].text
    assert (shown.status, shown.reason) == (refusal.status, refusal.reason) == (CONSEQUENCES[reason].status, reason)


@pytest.mark.parametrize("reason", COMPOSED)
def test_where_no_route_matched_nobody_is_challenged_and_nothing_shown(reason: Reason) -> None:
    """Ours: a challenge would name a resource that there is not."""
    refusal = refuse(Deny(reason), route=None, path=PATH)
    assert (refusal.status, refusal.text) == (CONSEQUENCES[reason].status, None)
    assert all(name == "retry-after" for name, _ in refusal.headers)


@pytest.mark.requirement("edge-3")
@pytest.mark.parametrize("reason", COMPOSED)
def test_retry_after_stands_on_503_and_nowhere_else(reason: Reason) -> None:
    """gateway.md, verification: 503, `Retry-After: 1`, no challenge."""
    headers = dict(refuse(Deny(reason), route=ROUTE, path=PATH).headers)
    if CONSEQUENCES[reason].status == 503:
        assert headers == {"retry-after": "1"}
    else:
        assert "retry-after" not in headers
    later = dict(refuse(Deny(reason, retry_after_seconds=30), route=ROUTE, path=PATH).headers)
    assert later.get("retry-after", "30") == "30"


def test_where_scopes_are_the_cause_all_of_them_are_named() -> None:
    """RFC 6750 §3, gateway.md: all that are needed, so that a client steps up once."""
    parameters = challenge_of(Deny(Reason.SCOPE_MISSING, scopes=("files.read", "files.delete")), route=SCOPED)
    assert parameters is not None
    assert parameters["scope"] == "files.read files.delete"


@pytest.mark.parametrize("reason", [reason for reason in COMPOSED if CONSEQUENCES[reason].challenge])
def test_an_mcp_route_names_its_scopes_in_every_401_and_403_another_route_only_for_scopes(reason: Reason) -> None:
    """gateway.md, challenge; mcp.md."""
    on_mcp = challenge_of(Deny(reason), route=MCP)
    elsewhere = challenge_of(Deny(reason), route=SCOPED)
    assert on_mcp is not None
    assert elsewhere is not None
    assert "scope" not in elsewhere
    named = on_mcp.get("scope")
    assert named == (None if CONSEQUENCES[reason].status == 400 else "files.read files.delete")


def test_an_mcp_route_without_scopes_names_none() -> None:
    """RFC 6749 §3.3: an empty scope is no scope."""
    route = replace(MCP, policy=replace(MCP.policy, scopes=()))
    assert challenge_of(Deny(Reason.CREDENTIALS_MISSING), route=route) == {"resource_metadata": METADATA}


@pytest.mark.parametrize("reason", EDGE)
def test_a_denial_with_a_reason_of_the_edge_cannot_be_composed(reason: Reason) -> None:
    """architecture.md: Envoy's own answers are recorded; here nothing is made of them."""
    assert not is_composable(Deny(reason))
    with pytest.raises(ValueError, match="recorded, not composed"):
        refuse(Deny(reason), route=ROUTE, path=PATH)


@given(
    st.sampled_from(COMPOSED),
    st.text(),
    st.lists(st.text(SCOPE_TOKEN, min_size=1), max_size=3).map(tuple),
    st.sampled_from([ROUTE, GENERIC, SCOPED, MCP, replace(MCP, metadata_location=MetadataLocation.INSERTED), None]),
)
def test_whatever_the_path_every_composable_denial_is_composed(
    reason: Reason, path: str, scopes: tuple[str, ...], route: object
) -> None:
    """Ours: no request makes the one exit fail, no header is but ASCII without control characters."""
    deny = Deny(reason, scopes=scopes, note="Canary-7f3a9c")
    assert is_composable(deny)
    refusal = refuse(deny, route=route, path=path)  # type: ignore[arg-type]  # drawn
    assert "Canary" not in repr(refusal)
    for name, value in refusal.headers:
        assert name == name.lower()
        assert value.isascii()
        assert value.isprintable()
        if name == "www-authenticate":
            parse_challenge(value)


@pytest.mark.parametrize("scope", ["", "a b", 'a"', "a\\", "é", "a\r\nX-Y: z"])
def test_a_scope_that_no_challenge_carries_is_not_composable(scope: str) -> None:
    """RFC 6749 §3.3: from a third party's plugin, say."""
    assert not is_composable(Deny(Reason.SCOPE_MISSING, scopes=("fine", scope)))


def test_more_scopes_than_a_header_holds_are_not_composable() -> None:
    """Ours: Envoy drops an answer with such a header, and the client would get another than the record says."""
    most = ("a" * 15,) * (MAX_SCOPES // 16)
    assert is_composable(Deny(Reason.SCOPE_MISSING, scopes=most))
    assert not is_composable(Deny(Reason.SCOPE_MISSING, scopes=(*most, "a")))


class Written(int):
    """A number that writes itself as a header of its own."""

    def __str__(self) -> str:
        return "1\r\nX-Y: z"


@pytest.mark.parametrize(
    "members",
    [
        {"retry_after_seconds": "1\r\nX-Y: z"},
        {"retry_after_seconds": Written(1)},
        {"retry_after_seconds": "1"},
        {"retry_after_seconds": True},
        {"retry_after_seconds": 1.0},
        {"retry_after_seconds": None},
        {"retry_after_seconds": -1},
        {"retry_after_seconds": MAX_RETRY_AFTER_SECONDS + 1},
        {"retry_after_seconds": 10**5000},
        {"note": 5},
        {"note": None},
        {"note": b"because"},
        {"scopes": "read"},
        {"scopes": ["read"]},
        {"scopes": None},
        {"scopes": (5,)},
        {"reason": ["policy-empty"]},
    ],
)
def test_a_denial_of_other_types_is_not_composable(members: dict[str, object]) -> None:
    """RFC 9110 §10.2.3, ours: what no header carries and no record holds, whatever an untyped plugin wrote there."""
    assert not is_composable(replace(Deny(Reason.AUTHORITY_UNAVAILABLE), **members))  # type: ignore[arg-type]  # drawn


@pytest.mark.parametrize("seconds", [0, 1, MAX_RETRY_AFTER_SECONDS])
def test_whole_seconds_up_to_a_day_are_composable(seconds: int) -> None:
    """RFC 9110 §10.2.3: `Retry-After` is a non-negative integer."""
    deny = Deny(Reason.AUTHORITY_UNAVAILABLE, retry_after_seconds=seconds)
    assert is_composable(deny)
    assert refuse(deny, route=None, path=PATH).headers == (("retry-after", str(seconds)),)


def test_a_reason_that_is_not_listed_is_not_composable() -> None:
    """Conventions 6: one closed list; a text that looks like a reason is none."""
    assert not is_composable(Deny("token-inactive"))  # type: ignore[arg-type]  # what an untyped plugin may write
    assert not is_composable(Deny("no-such-reason"))  # type: ignore[arg-type]  # the same
