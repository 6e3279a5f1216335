"""Forwarded headers: nobody's word about where a request comes from, where it goes or what it asks for is believed.

oauth2-proxy CVE-2026-40575 and CVE-2026-34457, Oathkeeper GHSA-vhr5-ggp3-qq85, Traefik CVE-2026-35051 and
CVE-2026-54764.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from tests.conformance.attacks.doors import CHALLENGE, EVIL, GOOD, Outcome, attack, volley
from tests.conformance.attacks.wire import head2, http1, replies

from ostiary.decision.reasons import Reason

if TYPE_CHECKING:
    from tests.conformance.attacks.doors import Attack, Door, GatewayDoor

NAMES: Final = (
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Forwarded-Method",
    "X-Forwarded-Uri",
    "X-Forwarded-Server",
    "X-Forwarded-Ssl",
    "X-Forwarded-Groups",
    "X-Forwarded-Client-Cert",
    "X-Forwarded",
    "Forwarded",
    "X-Original-URL",
    "X-Original-URI",
    "X-Original-Method",
    "X-Original-Forwarded-For",
    "X-Rewrite-URL",
    "X-Real-IP",
    "True-Client-IP",
    "X-Client-IP",
    "X-HTTP-Method",
    "X-HTTP-Method-Override",
    "X-Method-Override",
    "X-Envoy-Original-Path",
    "X-Envoy-Original-Host",
    "X-Envoy-External-Address",
    "X-Envoy-Internal",
    "X-Envoy-Decorator-Operation",
    "X-Envoy-Upstream-Rq-Timeout-Ms",
    "X-Envoy-Retry-On",
    "X-Envoy-Auth-Headers-To-Remove",
    "Proxy",
)
# What would let a request past a judge that believed it.
WORDS: Final = ("/open", "https://evil.example.com/open", "OPTIONS", "127.0.0.1", f"for={EVIL};host={EVIL}")


@pytest.fixture(scope="module")
def outcomes(door: Door) -> dict[tuple[str, str], Outcome]:
    """Of each header: with words that could lead past the judge, as a stranger, and admitted."""
    attacks: dict[tuple[str, str], Attack] = {}
    for name in NAMES:
        lines = [f"{name}: {EVIL}".encode()] * 2
        attacks |= {(name, word): http1("/api/admin", f"{name}: {word}".encode(), token=GOOD) for word in WORDS}
        attacks[name, "stranger"] = http1("/api/x", *lines)
        attacks[name, "admitted"] = http1("/api/x", *lines, token=GOOD)
    return volley(door, attacks)


@pytest.mark.parametrize("name", NAMES)
def test_it_reaches_no_upstream_and_changes_no_answer(outcomes: dict[tuple[str, str], Outcome], name: str) -> None:
    """Attack table: ignored from everybody; that none arrives is what always must hold."""
    assert {outcomes[name, word].held().verdict for word in WORDS} == {(403, Reason.SCOPE_MISSING)}
    stranger = outcomes[name, "stranger"].held()
    assert stranger.verdict == (401, Reason.CREDENTIALS_MISSING)
    assert stranger.reply.header("www-authenticate") == CHALLENGE + '%2Fapi%2Fx"'
    assert outcomes[name, "admitted"].held().verdict == (200, None)


def test_http_2_is_no_way_in(gateway: GatewayDoor) -> None:
    """The same."""
    found = volley(
        gateway, {name: head2(b"/api/admin", (name.lower().encode(), b"/open"), token=GOOD) for name in NAMES}
    )
    assert {outcome.held().verdict for outcome in found.values()} == {(403, Reason.SCOPE_MISSING)}


def test_all_of_them_together_skip_nothing(gateway: GatewayDoor) -> None:
    """Attack table: no header value alone skips the chain."""
    lines = [f"{name}: {EVIL}".encode() for name in NAMES]
    assert attack(gateway, http1("/api/x", *lines)).verdict == (401, Reason.CREDENTIALS_MISSING)
    outcome = attack(gateway, http1("/api/x", *lines, token=GOOD))
    (reached,) = outcome.reached
    assert reached.all("x-forwarded-for") == ["127.0.0.1"]
    assert reached.all("x-forwarded-proto") == ["https"]
    assert outcome.record.peer == "127.0.0.1"


@pytest.mark.parametrize("host", [b"evil.example.com", b"evil.example.com:1", b"localhost", b"127.0.0.1"])
def test_a_challenge_names_the_configured_host(door: Door, host: bytes) -> None:
    """Attack table: challenges are built from configuration only."""
    outcome = attack(door, http1("/api", host=host))
    assert outcome.reply.header("www-authenticate") == CHALLENGE + '%2Fapi"'
    assert host not in outcome.reply.body


@pytest.mark.parametrize("fields", [(), ((b"x-forwarded-host", b"evil.example.com"), (b"x-forwarded-proto", b"http"))])
def test_a_metadata_document_names_the_configured_origin(
    gateway: GatewayDoor, fields: tuple[tuple[bytes, bytes], ...]
) -> None:
    """The same; gateway.md, Metadata: nothing is ever built from the request's `Host`."""
    lines = [name + b": " + value for name, value in fields]
    raw = http1("/.well-known/oauth-protected-resource?resource=%2Fapi", *lines, host=b"evil.example.com")
    (reply,) = replies(gateway.port, raw)
    assert reply.status == 200
    assert b"evil" not in reply.body
    assert b'"https://bkapi.example.com/api"' in reply.body
