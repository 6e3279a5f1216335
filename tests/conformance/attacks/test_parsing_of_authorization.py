"""Parsing of Authorization: one reading of the header, at every door.

Case-sensitive schemes at toolhive, Skipper and heimdall; the first of several at python-sdk, Oathkeeper and Duende;
lua-resty-openidc #473.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from tests.conformance.attacks.doors import EVIL, GOOD, UNKNOWN, attack, volley
from tests.conformance.attacks.wire import http1, replies

from ostiary.decision.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.conformance.attacks.doors import Door, GatewayDoor, GuardDoor, Outcome

_G: Final = GOOD.encode()
_A: Final = b"Authorization: "
_NONE: Final = (401, Reason.CREDENTIALS_MISSING)
_TWO: Final = (400, Reason.CREDENTIALS_MALFORMED)
_FORMAT: Final = (401, Reason.TOKEN_FORMAT)
_LEGACY: Final = (400, Reason.LEGACY_NOT_ACCEPTED)
_ALLOWED: Final = (200, None)

# Name → header lines, status and reason. `\r\n ` inside a line is an obs-fold.
ROWS: Final[Mapping[str, tuple[tuple[bytes, ...], tuple[int, Reason | None]]]] = {
    "lower case": ((_A + b"bearer " + _G,), _ALLOWED),
    "upper case": ((_A + b"BEARER " + _G,), _ALLOWED),
    "mixed case, name in upper case": ((b"AUTHORIZATION: bEaReR " + _G,), _ALLOWED),
    "two spaces": ((_A + b"Bearer  " + _G,), _ALLOWED),
    "no space behind the colon": ((b"Authorization:Bearer " + _G,), _ALLOWED),
    "blanks behind the token": ((_A + b"Bearer " + _G + b" \t ",), _ALLOWED),
    "a tab": ((_A + b"Bearer\t" + _G,), _NONE),
    "a tab behind a space": ((_A + b"Bearer \t" + _G,), _FORMAT),
    "no space": ((_A + b"Bearer" + _G,), _NONE),
    "a colon": ((_A + b"Bearer: " + _G,), _NONE),
    "an equals sign": ((_A + b"Bearer=" + _G,), _NONE),
    "the token alone": ((_A + _G,), _NONE),
    "another scheme": ((_A + b"DPoP " + _G,), _NONE),
    "a scheme that begins alike": ((_A + b"BearerX " + _G,), _NONE),
    "a scheme behind the first": ((_A + b"Basic Bearer " + _G,), _NONE),
    "the scheme twice": ((_A + b"Bearer Bearer " + _G,), _FORMAT),
    "nothing": ((_A,), _NONE),
    "nothing behind the scheme": ((_A + b"Bearer",), _NONE),
    "spaces behind the scheme": ((_A + b"Bearer   ",), _NONE),
    "a comma behind the token": ((_A + b"Bearer " + _G + b",",), _TWO),
    "a comma before the scheme": ((_A + b", Bearer " + _G,), _TWO),
    "two fields": ((_A + b"Bearer " + _G, _A + b"Bearer " + UNKNOWN.encode()), _TWO),
    "two fields, the good one last": ((_A + b"Bearer " + UNKNOWN.encode(), _A + b"Bearer " + _G), _TWO),
    "the same field twice": ((_A + b"Bearer " + _G, _A + b"Bearer " + _G), _TWO),
    "an empty field beside it": ((_A, _A + b"Bearer " + _G), _ALLOWED),
    "joined with a comma": ((_A + b"Bearer " + _G + b", Bearer " + UNKNOWN.encode(),), _TWO),
    "beside DPoP": ((_A + b"DPoP x", _A + b"Bearer " + _G), _TWO),
    "beside Basic, joined": ((_A + b"Basic cjpz, Bearer " + _G,), _TWO),
    "a parameter of another scheme": ((_A + b"Digest a=b, Bearer " + _G,), _TWO),
    "an obs-fold between scheme and token": ((_A + b"Bearer\r\n  " + _G,), _ALLOWED),
    "an obs-fold in the token": ((_A + b"Bearer " + _G[:6] + b"\r\n " + _G[6:],), _FORMAT),
    "quotes": ((_A + b'Bearer "' + _G + b'"',), _FORMAT),
    "a percent sign": ((_A + b"Bearer " + _G.replace(b".", b"%2e"),), _FORMAT),
    "a byte that is no ASCII": ((_A + b"Bearer " + _G + b"\xff",), _FORMAT),
    "padding inside": ((_A + b"Bearer a=" + _G,), _FORMAT),
    "another b64token": ((_A + b"Bearer " + _G + b"=",), (401, Reason.TOKEN_INACTIVE)),
    "the token in another case": ((_A + b"Bearer " + _G.upper(),), (401, Reason.TOKEN_INACTIVE)),
    "8 KiB and one byte": ((_A + b"Bearer " + b"a" * 8193,), _FORMAT),
    "legacy beside it": ((_A + b"Bearer " + _G, b"X-Bkapi-Authorization: {}"), _LEGACY),
    "two legacy fields beside it": (
        (_A + b"Bearer " + _G, b"X-Bkapi-Authorization: {}", b"X-Bkapi-Authorization: "),
        _TWO,
    ),
    "a header of another name": ((b"X-Authorization: Bearer " + _G, b"Proxy-Authorization: Bearer x"), _NONE),
    "in a cookie": ((b"Cookie: access_token=x; Authorization=Bearer%20x",), _NONE),
}


@pytest.fixture(scope="module")
def outcomes(door: Door) -> dict[str, Outcome]:
    return volley(door, {name: http1("/api", *lines) for name, (lines, _) in ROWS.items()})


@pytest.mark.parametrize("name", ROWS)
def test_the_header_has_one_reading_at_every_door(outcomes: dict[str, Outcome], name: str) -> None:
    """gateway.md, Detection."""
    assert outcomes[name].held().verdict == ROWS[name][1]


@pytest.mark.parametrize("target", ["/api?access_token=" + GOOD, "/api?bearer_token=x&Authorization=Bearer%20x"])
def test_a_token_in_the_query_is_never_read(door: Door, target: str) -> None:
    """gateway.md, Detection: tokens in query or body are never read."""
    assert attack(door, http1(target)).verdict == _NONE


def test_a_token_in_the_body_is_never_read(door: Door) -> None:
    """The same."""
    body = b"access_token=" + _G
    form = (b"Content-Type: application/x-www-form-urlencoded", b"Content-Length: %d" % len(body))
    assert attack(door, http1("/api", *form, method=b"POST", body=body)).verdict == _NONE


def test_a_copy_in_query_and_body_changes_nothing_of_the_header(door: Door) -> None:
    """The same: the header decides, and its copies are nobody's credentials."""
    body = b"access_token=" + EVIL.encode()
    lines = (_A + b"Bearer " + _G, b"Content-Length: %d" % len(body))
    outcome = attack(door, http1(f"/api?access_token={EVIL}", *lines, method=b"POST", body=body))
    assert outcome.verdict == _ALLOWED
    assert [request.body for request in outcome.reached] == [body]
    bad = attack(door, http1("/api", _A + b"Bearer " + UNKNOWN.encode(), *lines[1:], method=b"POST", body=body))
    assert bad.verdict == (401, Reason.TOKEN_INACTIVE)


def test_100_kb_are_refused_before_anybody_is_asked(gateway: GatewayDoor) -> None:
    """gateway.md, Reasons: 431."""
    asked = len(gateway.authorities["corp"].received)
    outcome = attack(gateway, http1("/api", _A + b"Bearer " + b"a" * 100_000))
    assert outcome.verdict == (431, Reason.EDGE_HEADERS)
    assert len(gateway.authorities["corp"].received) == asked


def test_100_kb_do_not_reach_a_guarded_application(guard: GuardDoor) -> None:
    """The same: of the server that Guard runs in."""
    before = len(guard.upstream.seen)
    answers = replies(guard.port, http1("/api", _A + b"Bearer " + b"a" * 100_000))
    assert {reply.status for reply in answers} <= {400, 401, 431}
    assert len(guard.upstream.seen) == before
