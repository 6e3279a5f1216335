"""The second belt: canaries in every dress, and JSON that stays JSON."""

from __future__ import annotations

import json
import logging
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostiary.diagnostics.redaction import REDACTED, RedactingFilter, redact, redact_event

CANARY = "canary-8Vd.x_Q~t+z/1"
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlLWNhbmFyeQ"


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {CANARY}==",
        f"authorization: bEARER   {CANARY}",
        f"Bearer\t{CANARY}",
        json.dumps({"note": f"Bearer\t{CANARY}"}),
        json.dumps(json.dumps({"note": f"Bearer\t{CANARY}"})),
        repr([(b"authorization", f"Bearer {CANARY}".encode())]),
        f"/a/bearer%20{CANARY}",
        f"Basic {CANARY}",
        f"DPoP {CANARY}",
        f"it was {JWT}, they said",
        f"/a/{JWT}/b",
        JWT.rpartition(".")[0],
        f"https://op.example.com/introspect?access_token={CANARY}&a=b",
        f"token_type_hint=access_token&client_secret={CANARY}",
        json.dumps({"client_secret": CANARY}),
        json.dumps(json.dumps({"bk_app_secret": CANARY})),
        repr({"bk_token": CANARY}),
        repr({b"app_secret": CANARY.encode()}),
        f"refresh_token%3D{CANARY}",
        f"password: {CANARY}",
        f"redis://user:{CANARY.replace('/', '')}@cache.example.com",
        f"-----BEGIN PRIVATE KEY-----\n{'canary'}\nAAAA\n-----END PRIVATE KEY-----",
        json.dumps(f"-----BEGIN RSA PRIVATE KEY-----\n{'canary'}\nAAAA"),
        f"Bearer token={CANARY}",
        f"Bearer token-{CANARY}",
        f"Bearer access_token={CANARY}",
    ],
)
def test_what_looks_like_a_credential_goes(text: str) -> None:
    """`attacks.md`, credentials in logs."""
    found = redact(text)

    assert REDACTED in found
    assert "canary" not in found
    assert CANARY[-5:] not in found
    assert "c2lnbm" not in found
    assert redact(found) == found


@pytest.mark.parametrize(
    "text",
    [
        'Bearer resource_metadata="https://a.example.com/x", error="invalid_token"',
        json.dumps('Bearer realm="ostiary operator"'),
        "No bearer token and no legacy header was sent.",
        '{"token_type":"Bearer","token_digest":"0123456789ab"}',
        "basic authentication",
        "https://op.example.com/introspect",
        "the secret of corp is not set",
        "token-inactive",
        "/a/eyes/b",
    ],
)
def test_what_only_speaks_of_credentials_stays(text: str) -> None:
    """Ours: a log that hides its own reasons helps nobody."""
    assert redact(text) == text


LETTERS = ("\n", "://", "@", '"', "\\", "x", ".", "=", "\t", "é")
WORDS = ("Bearer ", "bearer%20", "eyJhbGciOi", "secret=", 'secret": "', "password:", "-----BEGIN PRIVATE KEY-----")
words = st.sampled_from((*LETTERS, *WORDS))


texts = st.lists(words).map("".join)


@given(
    st.recursive(
        texts | st.integers() | st.booleans(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts | st.just("secret"), inner, max_size=3),
    ),
    st.sampled_from([None, (",", ":")]),
)
def test_json_stays_json(value: object, separators: tuple[str, str] | None) -> None:
    """Ours: a redacted line or row can still be read."""
    found = redact(json.dumps(value, separators=separators))

    json.loads(found)
    assert redact(found) == found


@pytest.mark.parametrize("name", ["Authorization", "x-bkapi-authorization", "client_secret", "Set-Cookie", "token"])
def test_a_member_with_a_credentials_name_loses_its_value(name: str) -> None:
    """Ours: whatever the value looks like."""
    event = redact_event(None, "info", {"event": "x", name: "plain", "inner": [{name: ["plain"]}, ("kept",)]})

    assert event == {"event": "x", name: REDACTED, "inner": [{name: REDACTED}, ["kept"]]}


def test_the_filter_redacts_message_arguments_and_traceback() -> None:
    """`attacks.md`: core exceptions."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactingFilter())
    logger = logging.getLogger("tests.diagnostics.redaction")
    logger.propagate = False
    logger.addHandler(handler)

    try:
        int(f"Bearer {CANARY}")
    except ValueError:
        logger.exception("it said %s", f"client_secret={CANARY}")

    assert "canary" not in stream.getvalue()
    assert "ValueError: invalid literal for int() with base 10: 'Bearer [redacted]'" in stream.getvalue()
