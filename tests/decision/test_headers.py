"""Who may send which header, and who may see it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.decision.headers import IDENTITY, handed_on, is_managed
from ostiary.oauth.credentials import AUTHORIZATION, CREDENTIALS, LEGACY_AUTHORIZATION

MANAGED = (
    "x-bkapi-jwt",
    "x-bkapi-app",
    "x-bkapi-user",
    "x-bkapi-request-id",
    "x-bkapi-error-code",
    "x-ostiary-route",
    "x-ostiary-verdict",
    "x-ostiary-peer",
    "x-forwarded",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-prefix",
    "x-forwarded-uri",
    "x-original-url",
    "x-rewrite-url",
    "x-real-ip",
    "x-envoy-original-path",
    "x-request-id",
)
EXACT = ("forwarded", "true-client-ip", "x-client-ip", "proxy", "x-http-method-override", "x-method-override")


@pytest.mark.parametrize("name", [*MANAGED, *EXACT])
def test_a_header_that_means_something_to_us_is_no_clients(name: str) -> None:
    """gateway.md, identity; attacks.md, forwarded headers."""
    assert is_managed(name.encode("ascii"))


@given(st.sampled_from(MANAGED), st.text("-_.", min_size=1, max_size=3), st.data())
def test_nor_is_any_of_its_aliases(name: str, separator: str, data: st.DataObject) -> None:
    """attacks.md, identity headers: a WSGI application sees one name for `-`, `_` and what else is no letter."""
    words = name.split("-")
    alias = words[0]
    for word in words[1:]:
        alias += data.draw(st.sampled_from(["-", "_", ".", separator])) + word
    assert is_managed(alias.encode("ascii"))


def test_the_identity_headers_are_managed() -> None:
    """gateway.md, identity: cleared first, in every alias."""
    assert all(is_managed(name.encode("ascii")) for name in IDENTITY)


@pytest.mark.parametrize(
    "name",
    [
        b"authorization",
        b"x-bkapi-authorization",
        b"x-bkapi-allowed-headers",
        b"content-type",
        b"origin",
        b"x-forward",
        b"x-realm",
        b"mcp-session-id",
        b"traceparent",
        b"x-custom-forwarded",
        b"x-request",
        b"",
    ],
)
def test_other_headers_are_left_alone(name: bytes) -> None:
    """Ours: the client's credentials go by a rule of their own."""
    assert not is_managed(name)


@pytest.mark.parametrize(
    "name", [b"x_bkapi_authorization", b"x-bkapi_authorization", b"x.bkapi.authorization", b"x--bkapi-authorization"]
)
def test_a_misspelt_legacy_header_is_managed_since_nobody_judged_it(name: bytes) -> None:
    """attacks.md, identity headers: an application would read it as the credentials that were checked."""
    assert is_managed(name)
    assert not is_managed(LEGACY_AUTHORIZATION)


@pytest.mark.parametrize("name", [b"x-request-id", b"origin", b"content-type", b"upgrade", b"mcp-protocol-version"])
def test_a_plugin_sees_what_every_door_hands_on(name: bytes) -> None:
    """NOTES, *It sees*."""
    assert handed_on([(name, b"")])


@given(st.binary())
def test_no_credential_is_handed_on(name: bytes) -> None:
    """architecture.md: without the two credentials and `Cookie`."""
    assert frozenset({AUTHORIZATION, LEGACY_AUTHORIZATION}) == CREDENTIALS
    for credential in (*CREDENTIALS, b"cookie", b"proxy-authorization"):
        assert not handed_on([(credential, b"")])
    assert bool(handed_on([(name, b"")])) == bool(re.match(rb"mcp-|(x-request-id|origin|content-type|upgrade)\Z", name))
