"""Identity headers: what only a gateway may say arrives from nobody else, in no spelling, and in no part of a request.

oauth2-proxy CVE-2025-64484; Traefik CVE-2026-39858, -54763, -88011 and -88004; Oathkeeper GHSA-w9mr-28mw-j8hg;
mod_auth_openidc e81822a7.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final

import pytest
from tests.conformance.attacks.doors import EVIL, GOOD, OPEN, attack
from tests.conformance.attacks.wire import head2, http1

from ostiary.decision.headers import IDENTITY
from ostiary.decision.reasons import Reason

if TYPE_CHECKING:
    from tests.conformance.attacks.doors import GatewayDoor, GuardDoor

_WORDS: Final = (
    *(tuple(name.split("-")) for name in IDENTITY),
    ("x", "bkapi", "authorization"),
    ("x", "bkapi", "request", "id"),
    ("x", "bkapi", "error", "code"),
    ("x", "ostiary", "verdict"),
    ("x", "ostiary", "route"),
    ("x", "ostiary", "peer"),
    ("x", "request", "id"),
)
_GAPS: Final = ("-", ".", "--", "~", "+", "!", "-.", "'")


def _aliases() -> list[str]:
    """Each name with each gap, and with one gap of another kind; the right spelling of a credential is none."""
    found = [gap.join(words) for words, gap in product(_WORDS, _GAPS)]
    found += [words[0] + gap + "-".join(words[1:]) for words, gap in product(_WORDS, _GAPS)]
    found += ["-".join(words[:-1]) + gap + words[-1] for words, gap in product(_WORDS, _GAPS)]
    return sorted({name for name in found if name != "x-bkapi-authorization"})


ALIASES: Final = _aliases()
_PER_REQUEST: Final = 60  # of the hundred fields that a head may have


def _chunks() -> list[list[str]]:
    return [ALIASES[start : start + _PER_REQUEST] for start in range(0, len(ALIASES), _PER_REQUEST)]


@pytest.mark.parametrize("path", ["/api", OPEN])
@pytest.mark.parametrize("case", ["lower", "upper", "title"])
def test_no_alias_reaches_the_upstream(gateway: GatewayDoor, path: str, case: str) -> None:
    """Attack table: cleared in every alias, on judged and on open paths; that none arrives always must hold."""
    shape = {"lower": str.lower, "upper": str.upper, "title": str.title}[case]
    for names in _chunks():
        lines = [f"{shape(name)}: {EVIL}".encode() for name in names]
        assert attack(gateway, http1(path, *lines, token=GOOD)).statuses == [200]


def test_no_alias_gets_past_guard(guard: GuardDoor) -> None:
    """The same."""
    for names in _chunks():
        lines = [f"{name}: {EVIL}".encode() for name in names]
        assert attack(guard, http1("/api", *lines, token=GOOD)).statuses == [200]


def test_no_alias_gets_in_over_http_2(gateway: GatewayDoor) -> None:
    """The same."""
    for names in _chunks():
        fields = [(name.encode(), EVIL.encode()) for name in names]
        assert attack(gateway, head2(b"/api", *fields, token=GOOD)).statuses == [200]


@pytest.mark.parametrize("name", ["X_Bkapi_Jwt", "x-bkapi_jwt", "X_Bkapi_Authorization", "Author_ization", "_"])
def test_an_underscore_ends_the_request(gateway: GatewayDoor, name: str) -> None:
    """Attack table: `_` is what CGI makes of every other sign."""
    outcome = attack(gateway, http1("/api", f"{name}: {EVIL}".encode(), token=GOOD))
    assert outcome.verdict == (400, Reason.EDGE_MALFORMED)
    assert attack(gateway, head2(b"/api", (name.lower().encode(), EVIL.encode()), token=GOOD)).statuses == []


def test_what_the_token_does_not_say_is_empty_and_not_the_client_s(gateway: GatewayDoor) -> None:
    """Attack table: cleared even when the claim is missing; gateway.md: every allow names all three."""
    lines = [f"{name}: {EVIL}".encode() for name in IDENTITY]
    (judged,) = attack(gateway, http1("/api", *lines, token=GOOD)).reached
    (public,) = attack(gateway, http1(OPEN, *lines, token=GOOD)).reached
    assert [judged.all(name) for name in IDENTITY] == [[""], [""], [""]]
    assert [public.all(name) for name in IDENTITY] == [[], [], []]


@pytest.mark.parametrize("named", [*IDENTITY, "x-request-id", "x-ostiary-route", "x-ostiary-verdict"])
def test_a_header_named_in_connection_still_arrives_as_ours(gateway: GatewayDoor, named: str) -> None:
    """Attack table; RFC 9110 §7.6.1: whoever removes what `Connection` names must not remove our word."""
    connection = f"Connection: keep-alive, {named}, {named.title()}".encode()
    (reached,) = attack(gateway, http1("/api", connection, f"{named}: {EVIL}".encode(), token=GOOD)).reached
    assert [reached.all(name) for name in IDENTITY] == [[""], [""], [""]]
    assert reached.all("x-forwarded-for") == ["127.0.0.1"]
    assert len(reached.all("x-request-id")) == 1
    assert attack(gateway, http1("/api", connection)).verdict == (401, Reason.CREDENTIALS_MISSING)


@pytest.mark.parametrize("named", ["host", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"])
def test_what_says_where_a_request_is_from_cannot_be_named_in_connection(gateway: GatewayDoor, named: str) -> None:
    """The same: Envoy refuses such a request."""
    outcome = attack(gateway, http1("/api", f"Connection: {named}".encode(), token=GOOD))
    assert outcome.verdict == (400, Reason.EDGE_MALFORMED)


def test_a_token_named_in_connection_is_no_token(gateway: GatewayDoor) -> None:
    """The same: what is removed before the decision is not judged, and does not arrive."""
    outcome = attack(gateway, http1("/api", b"Connection: authorization", token=GOOD))
    assert outcome.verdict == (401, Reason.CREDENTIALS_MISSING)


@pytest.mark.parametrize("path", ["/api", OPEN])
def test_nothing_comes_in_by_trailers(gateway: GatewayDoor, path: str) -> None:
    """Attack table: from trailers too."""
    names = [*ALIASES[:40], "authorization", "x-bkapi-authorization", "cookie", "content-length", "host"]
    lines = "".join(f"{name}: {EVIL}\r\n" for name in names)
    body = b"2\r\nhi\r\n0\r\n" + lines.encode() + b"\r\n"
    chunked = b"Transfer-Encoding: chunked"
    trailer = b"Trailer: x-bkapi-jwt, authorization"
    raw = http1(path, chunked, trailer, method=b"POST", token=GOOD, body=body)
    (reached,) = attack(gateway, raw).reached
    assert reached.body == b"hi"
    assert EVIL.encode() not in b"".join(value for _, value in reached.headers)


def test_a_token_in_a_trailer_is_never_read(gateway: GatewayDoor) -> None:
    """The same: the decision is made before the body."""
    body = b"2\r\nhi\r\n0\r\nAuthorization: Bearer " + GOOD.encode() + b"\r\n\r\n"
    outcome = attack(gateway, http1("/api", b"Transfer-Encoding: chunked", method=b"POST", body=body))
    assert outcome.verdict == (401, Reason.CREDENTIALS_MISSING)
    assert outcome.reached == []
