"""Path confusion: one canonical path is judged, and that one is forwarded.

Oathkeeper GHSA-p224-6x5r-fjpm, heimdall CVE-2026-42274, Envoy CVE-2019-9901, CVE-2021-29492 and CVE-2021-32779,
oauth2-proxy GHSA-pxq7-h93f-9jrg, Caddy CVE-2026-27587; BlueKing's unanchored MCP path.

The good token opens `/api` and what is below it, but not `/api/admin`, nor `/other-api`; `/open` is judged by nobody.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conformance.attacks.doors import EVIL, GOOD, Outcome, attack, is_judged, volley
from tests.conformance.attacks.wire import head2, http1, replies
from tests.samples import ROUTE

from ostiary.decision.reasons import Reason
from ostiary.decision.routes import Match
from ostiary.judge.paths import normalise
from ostiary.judge.routing import RouteTable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.conformance.attacks.doors import Attack, GatewayDoor, GuardDoor

_DENIED: Final = (403, Reason.SCOPE_MISSING)
_ALLOWED: Final = (200, None)
_PATH: Final = (400, Reason.EDGE_PATH)
_MALFORMED: Final = (400, Reason.EDGE_MALFORMED)
_NOWHERE: Final = (404, Reason.ROUTE_UNMATCHED)
_OTHER: Final = (403, Reason.AUDIENCE_GATEWAY_MISMATCH)

# Target as sent, with the good token → status and reason; where it is let through, the path that the upstream has.
ROWS: Final[Mapping[bytes, tuple[tuple[int, Reason | None], str | None]]] = {
    b"/api/admin": (_DENIED, None),
    b"/api/admin/": (_DENIED, None),
    b"/api//admin": (_DENIED, None),
    b"//api/admin": (_DENIED, None),
    b"/api///admin//x": (_DENIED, None),
    b"/api/./admin": (_DENIED, None),
    b"/api/%2e/admin": (_DENIED, None),
    b"/api/x/../admin": (_DENIED, None),
    b"/api/x/%2e%2e/admin": (_DENIED, None),
    b"/api/x/%2E%2e/admin": (_DENIED, None),
    b"/api/x/.%2e/admin": (_DENIED, None),
    b"/api/x/..;/admin": (_DENIED, None),
    b"/api\\admin": (_DENIED, None),
    b"/api/x\\..\\admin": (_DENIED, None),
    b"/open/../api/admin": (_DENIED, None),
    b"/open/..;/api/admin": (_DENIED, None),
    b"/open/%2e%2e/api/admin": (_DENIED, None),
    b"/open\\..\\api\\admin": (_DENIED, None),
    b"/open/x/../../api/admin": (_DENIED, None),
    b"/../api/admin": (_DENIED, None),
    b"/%61pi/%61dmin": (_DENIED, None),
    b"/api/%61dmi%6E": (_DENIED, None),
    b"/api/admin?x": (_DENIED, None),
    b"/api/admin?/../../open": (_DENIED, None),
    b"/api/admin/?a=/api/x": (_DENIED, None),
    b"http://bkapi.example.com/api/admin": (_DENIED, None),
    b"http://bkapi.example.com/open/../api/admin": (_DENIED, None),
    b"HTTP://evil.example.com/api/admin": (_DENIED, None),
    b"http://open@bkapi.example.com/api/admin": (_DENIED, None),
    b"/other-api/../other-api": (_OTHER, None),
    b"/api/../other-api": (_OTHER, None),
    b"/api%2fadmin": (_PATH, None),
    b"/api%2Fadmin": (_PATH, None),
    b"/open/..%2fapi%2fadmin": (_PATH, None),
    b"/open%2f..%2fapi/admin": (_PATH, None),
    b"/api%5cadmin": (_PATH, None),
    b"/api%5Cadmin": (_PATH, None),
    b"/api/admin%00": (_PATH, None),
    b"/api%00/admin": (_PATH, None),
    b"/api/%": (_PATH, None),
    b"/api/%zz": (_PATH, None),
    b"/api/%4": (_PATH, None),
    b"/api/admin#x": (_PATH, None),
    b"/api#/admin": (_PATH, None),
    b"/open#/../api/admin": (_PATH, None),
    b"/open/%2e%2e;/api/admin": (_PATH, None),
    b"/api/.;/admin": (_DENIED, None),
    b"/api/\x00admin": (_MALFORMED, None),
    b"/api/\x01admin": (_MALFORMED, None),
    b"/api/\x1fadmin": (_MALFORMED, None),
    b"/api/\x7fadmin": (_MALFORMED, None),
    b"/api/\tadmin": (_MALFORMED, None),
    b"/api/\xc0\xae\xc0\xae/admin": (_MALFORMED, None),
    b"/api/\xef\xbc\x8fadmin": (_MALFORMED, None),
    b"*": (_MALFORMED, None),
    b"api/admin": (_MALFORMED, None),
    b"": (_MALFORMED, None),
    b"?/api/admin": (_MALFORMED, None),
    b"/API/admin": (_NOWHERE, None),
    b"/api.": (_NOWHERE, None),
    b"/apiadmin": (_NOWHERE, None),
    b"/api;x": (_NOWHERE, None),
    # Other resources to us; whether a framework behind us reads them as `/api/admin` is said in the threat model.
    b"/api/admin.": (_ALLOWED, "/api/admin."),
    b"/api/Admin": (_ALLOWED, "/api/Admin"),
    b"/api/admin;x": (_ALLOWED, "/api/admin;x"),
    b"/api/adminx": (_ALLOWED, "/api/adminx"),
    b"/api/%252e%252e/admin": (_ALLOWED, "/api/%252e%252e/admin"),
    b"/api/x/..": (_ALLOWED, "/api/"),
    b"/api/admin/..": (_ALLOWED, "/api/"),
    b"/api/admin/../x": (_ALLOWED, "/api/x"),
    b"/api/x/api/admin": (_ALLOWED, "/api/x/api/admin"),
    b"/api/open/../x": (_ALLOWED, "/api/x"),
}


_OF_HTTP_2: Final = [target for target in ROWS if target.startswith(b"/")]
# Bytes that HTTP/1 refuses in a target are escaped there, judged as such, and forwarded as such.
_ESCAPED: Final[Mapping[bytes, str]] = {
    b"/api/\xc0\xae\xc0\xae/admin": "/api/%C0%AE%C0%AE/admin",
    b"/api/\xef\xbc\x8fadmin": "/api/%EF%BC%8Fadmin",
}


@pytest.fixture(scope="module")
def outcomes(gateway: GatewayDoor) -> dict[tuple[str, bytes], Outcome]:
    """Of every target: with the good token, without one, and with it over HTTP/2."""
    attacks: dict[tuple[str, bytes], Attack] = {("good", target): http1(target, token=GOOD) for target in ROWS}
    attacks |= {("stranger", target): http1(target) for target in ROWS}
    attacks |= {("http/2", target): head2(target, token=GOOD) for target in _OF_HTTP_2}
    attacks |= {("host", host): http1("/api", token=GOOD, host=host) for host in HOSTS}
    attacks |= {("authority", host): head2(token=GOOD, authority=host) for host in HOSTS if b" " not in host}
    return volley(gateway, attacks)


Outcomes = dict[tuple[str, bytes], "Outcome"]


@pytest.mark.parametrize("target", ROWS, ids=repr)
def test_every_spelling_is_judged_as_the_path_that_is_forwarded(outcomes: Outcomes, target: bytes) -> None:
    """gateway.md, Routes: what is matched is judged is sent."""
    expected, path = ROWS[target]
    outcome = outcomes["good", target].held()
    assert outcome.verdict == expected
    assert outcome.paths == ([] if path is None else [path])


@pytest.mark.parametrize("target", ROWS, ids=repr)
def test_no_spelling_reaches_anything_without_credentials(outcomes: Outcomes, target: bytes) -> None:
    """The same, for a stranger."""
    outcome = outcomes["stranger", target].held()
    assert outcome.reached == []
    assert outcome.reply.status in {400, 401, 404}


@pytest.mark.parametrize("target", _OF_HTTP_2, ids=repr)
def test_http_2_reads_no_target_in_another_way(outcomes: Outcomes, target: bytes) -> None:
    """The same: what HTTP/1 has no room for is refused."""
    expected, path = (_ALLOWED, _ESCAPED[target]) if target in _ESCAPED else ROWS[target]
    outcome = outcomes["http/2", target].held()
    assert outcome.paths == ([] if path is None else [path])
    if expected[0] == 400:
        assert outcome.statuses in ([], [400])
    else:
        assert outcome.verdict == expected


@pytest.mark.parametrize("target", ROWS, ids=repr)
def test_guard_lets_nothing_through_that_the_gateway_refuses(guard: GuardDoor, target: bytes) -> None:
    """forward-auth.md: equal at every door, but for targets that are not canonical, which Guard refuses."""
    before = len(guard.upstream.seen)
    expected, path = ROWS[target]
    statuses = {reply.status for reply in replies(guard.port, http1(target, token=GOOD))}
    assert statuses <= {400, expected[0]} if path is None else {200, 400}
    assert {request.path for request in guard.upstream.seen[before:]} <= {path}


# `Host` → status and reason of `/api` there; a route of `internal.example.com` has the same path, and another scope.
HOSTS: Final[Mapping[bytes, tuple[int, Reason | None]]] = {
    b"internal.example.com": _DENIED,
    b"INTERNAL.example.COM": _DENIED,
    b"internal.example.com:8443": _DENIED,
    b"internal.example.com.": _DENIED,
    b"Internal.Example.com.:80": _DENIED,
    b"bkapi.example.com": _ALLOWED,
    b"evil.internal.example.com": _ALLOWED,
    b"internal.example.com.evil.example": _ALLOWED,
    b"internal.example.com:abc": _MALFORMED,
    b"internal.example.com:80:80": _MALFORMED,
    b"internal.example.com/x": _MALFORMED,
    b"x@internal.example.com": _MALFORMED,
    b"bkapi.example.com,internal.example.com": _MALFORMED,
    b"bkapi.example.com internal.example.com": _MALFORMED,
    b"internal.example.com%2e": _MALFORMED,
    b"": _MALFORMED,
}


@pytest.mark.parametrize("host", HOSTS, ids=repr)
def test_a_host_is_the_same_in_every_spelling(outcomes: Outcomes, host: bytes) -> None:
    """gateway.md, Routes: a given host before null; `Host` goes on as sent, without the dot of an absolute name."""
    outcome = outcomes["host", host].held()
    assert outcome.verdict == HOSTS[host]
    assert [request.all("host") for request in outcome.reached] in ([], [[_without_dot(host.decode())]])


@pytest.mark.parametrize("host", [*HOSTS, b"internal.example.com:", b"internal.example.com..", b"[::1]x"], ids=repr)
def test_guard_reads_a_host_as_the_gateway_does_and_hands_on_what_it_read(guard: GuardDoor, host: bytes) -> None:
    """attacks.md, path confusion: an application may route by hosts, by other rules than ours."""
    before = len(guard.upstream.seen)
    (reply,) = replies(guard.port, http1("/api", token=GOOD, host=host))
    assert reply.status == HOSTS.get(host, _MALFORMED)[0]
    handed = [request.all("host") for request in guard.upstream.seen[before:]]
    assert handed == ([[_without_dot(host.decode()).lower()]] if reply.status == 200 else [])


def _without_dot(host: str) -> str:
    return re.sub(r"\.(?=:|\Z)", "", host)


@pytest.mark.parametrize("host", [host for host in HOSTS if b" " not in host], ids=repr)
def test_an_authority_of_http_2_is_read_alike(outcomes: Outcomes, host: bytes) -> None:
    """The same."""
    outcome = outcomes["authority", host].held()
    if HOSTS[host][0] == 400:
        assert outcome.statuses in ([], [400])
    else:
        assert outcome.verdict == HOSTS[host]


def test_of_an_absolute_form_the_host_counts_and_not_the_header(gateway: GatewayDoor) -> None:
    """RFC 9112 §3.2.2: the target's authority replaces `Host`; the upstream has one of them."""
    inner = attack(gateway, http1("http://internal.example.com/api", token=GOOD))
    assert inner.verdict == _DENIED
    outer = attack(gateway, http1("http://bkapi.example.com/api", token=GOOD, host=b"internal.example.com"))
    assert outer.verdict == _ALLOWED
    named = attack(gateway, http1("http://internal.example.com@bkapi.example.com/api", token=GOOD))
    assert named.verdict == _ALLOWED
    assert [request.all("host") for request in (*outer.reached, *named.reached)] == [["bkapi.example.com"]] * 2


@pytest.mark.parametrize("method", [b"TRACE", b"CONNECT", b"LOCK", b"get", b"GET\x00", b"POST /api/admin"])
def test_another_method_opens_nothing(gateway: GatewayDoor, method: bytes) -> None:
    """gateway.md, Routes: never TRACE, CONNECT or an unknown one."""
    outcome = attack(gateway, http1("/api", token=GOOD, method=method))
    assert outcome.reached == []
    assert outcome.reply.status in {400, 404}


def test_a_handshake_of_another_method_opens_nothing(gateway: GatewayDoor) -> None:
    """RFC 6455 §4.1; to an upstream of HTTP/2 it would be the CONNECT of one that was judged (RFC 8441 §4)."""
    outcome = attack(gateway, http1("/api", b"Upgrade: WebSocket", b"Connection: upgrade", token=GOOD, method=b"POST"))
    assert (outcome.verdict, outcome.reached) == (_MALFORMED, [])


def test_a_path_of_another_method_is_not_a_broader_route_s(gateway: GatewayDoor) -> None:
    """gateway.md, Routes: 404."""
    assert attack(gateway, http1("/written", token=GOOD)).verdict == _NOWHERE
    assert attack(gateway, http1("/written", token=GOOD, method=b"POST")).verdict == _ALLOWED


_PIECES: Final = [
    "/",
    "//",
    "api",
    "admin",
    "open",
    "other-api",
    "x",
    ".",
    "..",
    "%2e",
    "%2E%2e",
    "..;",
    ";",
    "\\",
    "%5c",
]
_PIECES_TOO: Final = ["%2f", "%61", "%00", "%", "?", "#", "%25", "%252e", "*", "@", ":", ".;x", EVIL]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.sampled_from([*_PIECES, *_PIECES_TOO]), max_size=9))
def test_no_path_that_somebody_makes_up_gets_past_its_judge(gateway: GatewayDoor, pieces: list[str]) -> None:
    """The same, for paths that nobody listed. Below `/api/admin` nothing arrives at all."""
    before = len(gateway.upstream.seen)
    answers = replies(gateway.port, http1("/" + "".join(pieces), token=GOOD))
    assert {reply.status for reply in answers} <= {200, 400, 403, 404}
    for request in gateway.upstream.seen[before:]:
        is_judged(gateway, request)
        assert request.path == normalise(request.path.encode())
        assert not (request.path + "/").startswith(("/api/admin/", "/other-api/"))


_MADE: Final = st.lists(st.sampled_from(["a", "b", "c"]), max_size=4).map(lambda segments: "/" + "/".join(segments))


@given(paths=st.sets(_MADE, max_size=8), more=st.integers(0, 300), asked=_MADE)
def test_how_many_routes_there_are_changes_no_decision(paths: set[str], more: int, asked: str) -> None:
    """CVE-2026-42274: routes that nobody asked for change nothing of the one that was asked for."""
    few = [Match(path=path) for path in sorted(paths)]
    many = [*few, *(Match(path=f"/other/{number}") for number in range(more))]
    tables = [
        RouteTable([replace(ROUTE, name=match.path, match=match) for match in matches]) for matches in (few, many)
    ]
    found = [table.match(host="h", path=asked, method="GET") for table in tables]
    assert found[0] == found[1]
