"""What the plugins begin with."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.samples import NOW, REFERENCE, ROUTE, facts

from ostiary.decision.headers import handed_on
from ostiary.oauth.credentials import parse_credentials
from ostiary.plugins.exchange import CONTEXT_VARIABLES, Exchange, begin

NAMES = st.sampled_from([b"authorization", b"x-bkapi-authorization", b"cookie", b"origin", b"mcp-method", b"accept"])


@given(st.lists(st.tuples(NAMES, st.binary(max_size=20)), max_size=6).map(tuple))
def test_an_exchange_holds_no_credential_and_only_what_every_door_hands_on(
    headers: tuple[tuple[bytes, bytes], ...],
) -> None:
    """architecture.md: a plugin sees the same everywhere."""
    credentials = parse_credentials(headers)
    begun = begin(facts("/billing/x", headers), credentials, ROUTE, NOW)
    assert begun.headers == tuple(pair for pair in headers if pair[0] in {b"origin", b"mcp-method"})
    assert handed_on(begun.headers) == begun.headers
    assert begun.presented is credentials.presented
    assert (begun.token_digest is None) == (credentials.bearer is None)


def test_an_exchange_begins_with_the_request_and_nobody() -> None:
    """Ours: nothing is assumed of whom it is from."""
    begun = begin(facts("/billing/x"), parse_credentials(()), ROUTE, NOW)
    assert (begun.reference, begun.method, begun.host, begun.path, begun.peer) == (
        REFERENCE,
        "GET",
        "bkapi.example.com",
        "/billing/x",
        "",
    )
    assert (begun.route, begun.now, begun.notes) == (ROUTE, NOW, ())
    assert all(getattr(begun, name) is None for name in (*CONTEXT_VARIABLES, "grant", "token_digest"))


def test_the_specs_context_variables_are_fields_by_the_specs_names() -> None:
    """002 FR-010, key entities."""
    assert list(CONTEXT_VARIABLES) == [
        "is_bk_oauth2",
        "bk_app",
        "bk_user",
        "bk_app_code",
        "audience",
        "auth_params_location",
    ]
    assert set(CONTEXT_VARIABLES) <= set(Exchange._fields)
