"""Smuggling and protocol edges: a request ends where everybody says it ends, and what is no request reaches nobody.

Kong 3.13, mcp CVE-2025-66416, toolhive 39d0d14cd, Envoy CVE-2023-27491.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conformance.attacks import wire
from tests.conformance.attacks.doors import EVIL, GOOD, OPEN, Outcome, attack, is_clean, is_judged, volley
from tests.conformance.attacks.wire import HOST, head2, http1

from ostiary.decision.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.conformance.attacks.doors import Attack, GatewayDoor

_BEARER: Final = b"Authorization: Bearer " + GOOD.encode()
# What somebody would have arrive as a request of its own, unjudged.
_SECOND: Final = b"GET /api/admin?smuggled HTTP/1.1\r\nHost: bkapi.example.com\r\nX-Second: 1\r\n\r\n"
_CHUNKED: Final = b"Transfer-Encoding: chunked"
_LENGTH: Final = b"Content-Length: %d" % len(_SECOND)


def _post(*lines: bytes, body: bytes = _SECOND, version: bytes = b"HTTP/1.1") -> bytes:
    """An admitted POST on a connection that stays open."""
    head = [b"POST /api " + version, b"Host: " + HOST, _BEARER, *lines, b"", b""]
    return b"\r\n".join(head) + body


_400: Final = (400, Reason.EDGE_MALFORMED)
_426: Final = (426, Reason.EDGE_OTHER)
_501: Final = (501, Reason.EDGE_OTHER)

# What is refused before anything looks at it → status and reason.
REFUSED: Final[Mapping[str, tuple[bytes, tuple[int, Reason]]]] = {
    "length and chunked": (_post(_LENGTH, _CHUNKED, body=b"0\r\n\r\n" + _SECOND), _400),
    "chunked and length": (_post(_CHUNKED, _LENGTH, body=b"0\r\n\r\n" + _SECOND), _400),
    "chunked and length 0": (_post(_CHUNKED, b"Content-Length: 0"), _400),
    "two lengths": (_post(b"Content-Length: 0", _LENGTH), _400),
    "two equal lengths": (_post(_LENGTH, _LENGTH), _400),
    "two lengths in one": (_post(b"Content-Length: 0, %d" % len(_SECOND)), _400),
    "a length with a plus": (_post(b"Content-Length: +%d" % len(_SECOND)), _400),
    "a negative length": (_post(b"Content-Length: -1"), _400),
    "a length in hexadecimal": (_post(b"Content-Length: 0x10"), _400),
    "a length with a blank": (_post(b"Content-Length: 1 0"), _400),
    "a length of 2^64": (_post(b"Content-Length: 18446744073709551616"), _400),
    "a blank before the colon": (_post(b"Content-Length : %d" % len(_SECOND)), _400),
    "a blank before the colon of chunked": (_post(b"Transfer-Encoding : chunked", body=b"0\r\n\r\n" + _SECOND), _400),
    "a name that begins with a blank": (_post(b"X-A: 1", b" Content-Length: 1\x00"), _400),
    "chunked twice": (_post(_CHUNKED, _CHUNKED, body=b"0\r\n\r\n" + _SECOND), _501),
    "chunked, and something else": (_post(b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n" + _SECOND), _501),
    "something else, and chunked": (_post(b"Transfer-Encoding: identity, chunked", body=b"0\r\n\r\n" + _SECOND), _501),
    "gzip, chunked": (_post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n" + _SECOND), _501),
    "identity": (_post(b"Transfer-Encoding: identity", _LENGTH), _400),
    "xchunked": (_post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n" + _SECOND), _501),
    "quoted": (_post(b'Transfer-Encoding: "chunked"', body=b"0\r\n\r\n" + _SECOND), _501),
    "an underscore": (_post(b"Transfer_Encoding: chunked", b"Content-Length: 0"), _400),
    "a NUL in a value": (_post(b"X-A: a\x00b", b"Content-Length: 0"), _400),
    "a NUL in a name": (_post(b"X-\x00A: a", b"Content-Length: 0"), _400),
    "a name with a blank": (_post(b"X A: a", b"Content-Length: 0"), _400),
    "no name": (_post(b": a", b"Content-Length: 0"), _400),
    "no colon": (_post(b"X-A", b"Content-Length: 0"), _400),
    "a byte over 0x7F in a name": (_post(b"X-\xc3\xa4: a", b"Content-Length: 0"), _400),
    "HTTP/0.9": (b"GET /api\r\n\r\n", _426),
    "HTTP/1.0": (_post(b"Content-Length: 0", version=b"HTTP/1.0"), _426),
    "HTTP/1.2": (_post(b"Content-Length: 0", version=b"HTTP/1.2"), _426),
    "HTTP/3.0": (_post(b"Content-Length: 0", version=b"HTTP/3.0"), _426),
    "two targets": (b"GET /open /api HTTP/1.1\r\nHost: h\r\n\r\n", _400),
    "two hosts": (_post(b"Host: evil.example.com", b"Content-Length: 0"), _400),
    "no host": (b"GET /api HTTP/1.1\r\n" + _BEARER + b"\r\n\r\n", _400),
    "a host that is folded": (b"GET /api HTTP/1.1\r\nHost: a\r\n b\r\n" + _BEARER + b"\r\n\r\n", _400),
    "an unknown upgrade": (_post(b"Connection: upgrade", b"Upgrade: tls-psk", b"Content-Length: 0"), _400),
}


@pytest.fixture(scope="module")
def refused(gateway: GatewayDoor) -> dict[str, Outcome]:
    return volley(gateway, {name: raw for name, (raw, _) in REFUSED.items()})


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_be_read_in_two_ways_is_refused_once(refused: dict[str, Outcome], name: str) -> None:
    """NOTES, laws: one answer, nothing at the upstream, and nobody answers the second request."""
    outcome = refused[name].held()
    assert outcome.verdict == REFUSED[name][1]
    assert outcome.reached == []


_CHUNKS: Final = b"%x\r\n" % len(_SECOND) + _SECOND + b"\r\n0\r\n"
# What is read in one way, and framed anew → the body that arrives.
REFRAMED: Final[Mapping[str, tuple[bytes, bytes]]] = {
    "a length": (_post(_LENGTH), _SECOND),
    "a length with zeros": (_post(b"Content-Length: 000%d" % len(_SECOND)), _SECOND),
    "chunks": (_post(_CHUNKED, body=_CHUNKS + b"\r\n"), _SECOND),
    "chunked in capitals": (_post(b"Transfer-Encoding: CHUNKED", body=_CHUNKS + b"\r\n"), _SECOND),
    "chunked, folded": (_post(b"Transfer-Encoding:\r\n chunked", body=_CHUNKS + b"\r\n"), _SECOND),
    "an extension": (_post(_CHUNKED, body=b"2;a=b\r\nhi\r\n0;c\r\n\r\n"), b"hi"),
    "a quoted extension": (_post(_CHUNKED, body=b'2;a="\\";b"\r\nhi\r\n0\r\n\r\n'), b"hi"),
    # Envoy does not look at what stands between a chunk's last byte and the line's end; what it read is framed anew.
    "a chunk longer than its size": (_post(_CHUNKED, body=b"2\r\nhi!\r\n0\r\n\r\n"), b"hi"),
    "two blanks before the target": (_post(_LENGTH).replace(b" ", b"  ", 1), _SECOND),
    "a trailer": (_post(_CHUNKED, body=b"2\r\nhi\r\n0\r\nX-Second: 1\r\n\r\n"), b"hi"),
}


@pytest.mark.parametrize("name", REFRAMED)
def test_a_request_inside_a_body_is_a_body(gateway: GatewayDoor, name: str) -> None:
    """Attack table: chunk extensions, trailers."""
    raw, body = REFRAMED[name]
    outcome = attack(gateway, raw)
    assert outcome.statuses == [200]
    assert [(request.path, request.body) for request in outcome.reached] == [("/api", body)]
    assert not {b"x-second", b"trailer"} & {name for name, _ in outcome.reached[0].headers}


# Chunks that are none, in a body whose head has been judged and sent on: no second request comes of it.
BROKEN: Final[Mapping[str, bytes]] = {
    "a plus": b"+2\r\nhi\r\n0\r\n\r\n",
    "0x": b"0x2\r\nhi\r\n0\r\n\r\n",
    "no size": b"\r\nhi\r\n0\r\n\r\n",
    "a size of 2^64": b"10000000000000002\r\nhi\r\n0\r\n\r\n",
    "a bare line feed in an extension": b"2;\nhi\r\n0\r\n\r\n",
    "a NUL in a trailer": b"2\r\nhi\r\n0\r\nX-A: \x00\r\n\r\n",
}


@pytest.mark.parametrize("name", BROKEN)
def test_of_broken_chunks_nothing_becomes_a_second_request(gateway: GatewayDoor, name: str) -> None:
    """The same. The first may have reached the upstream, by its head: then it had been judged."""
    before = len(gateway.upstream.seen)
    answers = wire.replies(gateway.port, _post(_CHUNKED, body=BROKEN[name] + _SECOND))
    assert [reply.status for reply in answers] in ([], [400], [502])
    assert [request.path for request in gateway.upstream.seen[before:]] in ([], ["/api"])


@pytest.mark.parametrize("path", ["/api", OPEN])
def test_each_request_on_a_connection_is_judged_for_itself(gateway: GatewayDoor, path: str) -> None:
    """Ours: what one was allowed, the next one is not, whoever shares the connection."""
    keep = f"GET {path} HTTP/1.1\r\nHost: h\r\n".encode()
    raw = keep + _BEARER + b"\r\n\r\n" + _SECOND + http1("/api/x")
    outcome = attack(gateway, raw, awaited=3)
    assert outcome.statuses == [200, 401, 401]
    assert outcome.paths == [path]


_STATUSES_OF_HTTP_2: Final[tuple[list[int], ...]] = ([], [400], [404])
_PSEUDO: Final = dict(head2(token=GOOD))


def _but(name: bytes, *values: bytes) -> wire.Fields:
    """The usual head, with other values of one pseudo-header, or none."""
    return tuple(
        pair for key, own in _PSEUDO.items() for pair in ([(key, v) for v in values] if key == name else [(key, own)])
    )


HTTP_2: Final[Mapping[str, wire.Fields]] = {
    "two paths": _but(b":path", b"/open", b"/api/admin"),
    "no path": _but(b":path"),
    "an empty path": _but(b":path", b""),
    "a path without a slash": _but(b":path", b"api"),
    "a star": _but(b":path", b"*"),
    "an absolute path": _but(b":path", b"http://bkapi.example.com/api"),
    "a line end in the path": _but(b":path", b"/api HTTP/1.1\r\nX-Evil: 1"),
    "a blank in the path": _but(b":path", b"/api /x"),
    "a fragment in the path": _but(b":path", b"/api#x"),
    "two methods": _but(b":method", b"GET", b"POST"),
    "no method": _but(b":method"),
    "a method with a line end": _but(b":method", b"GET /api/admin HTTP/1.1\r\nX: "),
    "a method with a blank": _but(b":method", b"GET /x"),
    "two schemes": _but(b":scheme", b"http", b"https"),
    "no scheme": _but(b":scheme"),
    "a scheme with a path": _but(b":scheme", b"http://evil.example.com/?"),
    "two authorities": _but(b":authority", HOST, b"evil.example.com"),
    "an authority with user information": _but(b":authority", b"x@bkapi.example.com"),
    "an authority with a path": _but(b":authority", b"bkapi.example.com/x"),
    "an unknown pseudo-header": (*head2(token=GOOD)[:4], (b":evil", b"1"), *head2(token=GOOD)[4:]),
    "a status": (*head2(token=GOOD)[:4], (b":status", b"200"), *head2(token=GOOD)[4:]),
    "a protocol": (*_but(b":method", b"CONNECT")[:4], (b":protocol", b"websocket"), *head2(token=GOOD)[4:]),
    "CONNECT": ((b":method", b"CONNECT"), (b":authority", HOST), *head2(token=GOOD)[4:]),
    "a pseudo-header at the end": (*head2(token=GOOD)[:3], *head2(token=GOOD)[4:], (b":path", b"/api")),
    "a name in capitals": head2(b"/api", (b"X-Evil", b"1"), token=GOOD),
    "a name with a colon": head2(b"/api", (b"x:evil", b"1"), token=GOOD),
    "a name with a line end": head2(b"/api", (b"x\r\nx-evil", b"1"), token=GOOD),
    "an empty name": head2(b"/api", (b"", b"1"), token=GOOD),
    "a line end in a value": head2(b"/api", (b"x-a", b"1\r\nx-evil: 1"), token=GOOD),
    "a line feed in a value": head2(b"/api", (b"x-a", b"1\nx-evil: 1"), token=GOOD),
    "a NUL in a value": head2(b"/api", (b"x-a", b"1\x00"), token=GOOD),
    "a request in a value": head2(b"/api", (b"x-a", b"\r\n\r\n" + _SECOND), token=GOOD),
    "transfer-encoding": head2(b"/api", (b"transfer-encoding", b"chunked"), token=GOOD),
    "connection": head2(b"/api", (b"connection", b"x-bkapi-jwt"), token=GOOD),
    "keep-alive": head2(b"/api", (b"keep-alive", b"1"), token=GOOD),
    "upgrade": head2(b"/api", (b"upgrade", b"websocket"), token=GOOD),
    "te": head2(b"/api", (b"te", b"gzip"), token=GOOD),
    "two lengths": head2(b"/api", (b"content-length", b"0"), (b"content-length", b"1"), token=GOOD),
    "a length that is none": head2(b"/api", (b"content-length", b"+1"), token=GOOD),
    "a length without a body": head2(b"/api", (b"content-length", b"5"), token=GOOD),
}


@pytest.fixture(scope="module")
def outcomes(gateway: GatewayDoor) -> dict[str, Outcome]:
    attacks: dict[str, Attack] = dict(HTTP_2)
    return volley(gateway, attacks)


@pytest.mark.parametrize("name", HTTP_2)
def test_what_is_no_request_of_http_2_reaches_nobody(outcomes: dict[str, Outcome], name: str) -> None:
    """RFC 9113 §8.2, §8.3; CVE-2023-27491: nothing of it becomes a line of HTTP/1."""
    outcome = outcomes[name].held()
    assert outcome.reached == []
    assert outcome.statuses in _STATUSES_OF_HTTP_2


def test_a_host_beside_an_authority_is_not_read(gateway: GatewayDoor) -> None:
    """RFC 9113 §8.3.1: `:authority` is what counts, and the upstream has one of them."""
    outcome = attack(gateway, head2(b"/api", (b"host", b"internal.example.com"), token=GOOD))
    assert [request.all("host") for request in outcome.reached] in ([], [[HOST.decode()]])


def test_two_tokens_of_http_2_are_never_one_of_them(gateway: GatewayDoor) -> None:
    """gateway.md, Detection: several fields are joined."""
    second = (b"authorization", b"Bearer " + EVIL.encode())
    assert attack(gateway, head2(b"/api", second, token=GOOD)).verdict == (400, Reason.CREDENTIALS_MALFORMED)


UPGRADES: Final[Mapping[str, bytes]] = {
    "websocket": b"websocket",
    "in capitals": b"WebSocket",
    "h2c": b"h2c",
    "TLS": b"TLS/1.0",
    "websocket, h2c": b"websocket, h2c",
}


@pytest.mark.parametrize("name", UPGRADES)
def test_an_upgrade_without_credentials_reaches_nobody(gateway: GatewayDoor, name: str) -> None:
    """Attack table: judged at the handshake; what follows on the connection is nobody's stream."""
    lines = (
        b"Upgrade: " + UPGRADES[name],
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        b"HTTP2-Settings: AAMAAABkAAQAAP__",
    )
    raw = b"\r\n".join([b"GET /api HTTP/1.1", b"Host: " + HOST, b"Connection: Upgrade", *lines, b"", b""]) + _SECOND
    outcome = attack(gateway, raw)
    assert outcome.reached == []
    assert set(outcome.statuses) <= {400, 401}
    assert outcome.statuses


_PIECES: Final = [
    b"GET ", b"POST ", b"/api", b"/api/admin", b" HTTP/1.1", b" HTTP/1.0", b"\r\n", b"\n", b"\r", b" ", b"\t", b":",
    b"Host: h", b"Host:", b"Content-Length: 5", b"Content-Length: 0", _CHUNKED, b"Transfer-Encoding: x", _BEARER,
    b"Authorization: Bearer x", b"X-Bkapi-Authorization: {}", b"X-Bkapi-Jwt: ev1l", b"x_y: ev1l", b"Connection: close",
    b"Connection: upgrade", b"Upgrade: websocket", b"Expect: 100-continue", b"0\r\n\r\n", b"5\r\nhello\r\n", b"hello",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x00", b"\xff", b"%2e%2e/", b"../", b"?",
]  # fmt: skip
_START: Final = b"GET /api HTTP/1.1\r\nHost: h\r\n"


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(_PIECES) | st.binary(max_size=12), max_size=14), st.sampled_from([b"", _START]))
def test_whatever_comes_as_a_head_nothing_unjudged_goes_on(
    gateway: GatewayDoor, pieces: list[bytes], start: bytes
) -> None:
    """Ours: bytes that nobody thought of. What got through had been allowed, and Envoy is the same one as before."""
    envoy = gateway.gateway.role.gateway.pids[0]
    before = len(gateway.upstream.seen)
    wire.poke(gateway.port, start + b"".join(pieces) + b"\r\n\r\n")
    for request in gateway.upstream.seen[before:]:
        is_judged(gateway, request)
        is_clean(request)
    assert gateway.gateway.role.gateway.pids[0] == envoy
