"""Timing and secrets: no secret is compared letter by letter, and a stranger is answered before a body is read.

agentgateway 60f7219b6; Howera's `!=`; joserfc dbb26fc; mod_auth_openidc CVE-2024-24814.
"""

from __future__ import annotations

import ast
import socket
from typing import TYPE_CHECKING, Final

import pytest
from tests.conformance.attacks.doors import GOOD, UNKNOWN, Outcome, attack
from tests.conformance.attacks.wire import HOST, SECONDS, final_reply, http1
from tests.conformance.traceability import ROOT

from ostiary.decision.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.conformance.attacks.doors import Door, GatewayDoor

_SOURCE: Final = ROOT / "src" / "ostiary"


def _compared(tree: ast.AST) -> Iterator[ast.Compare]:
    """Comparisons of something that has just been revealed, but for what is asked of its form."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(
            isinstance(op, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for op in node.ops
        ):
            sides = [node.left, *node.comparators]
            if any(
                isinstance(side, ast.Call) and isinstance(side.func, ast.Attribute) and side.func.attr == "reveal"
                for side in sides
            ):
                yield node


def test_no_revealed_secret_is_compared_by_an_operator() -> None:
    """Attack table: constant time over all active secrets; conventions: `hmac.compare_digest` alone."""
    files = sorted(_SOURCE.rglob("*.py"))
    assert len(files) > 50
    found = [(file.name, node.lineno) for file in files for node in _compared(ast.parse(file.read_text()))]
    assert found == []
    assert len([*_compared(ast.parse("x = secret.reveal() == sent"))]) == 1


# The head of a request whose body never comes → what is answered.
WAITING: Final[Mapping[str, tuple[tuple[bytes, ...], tuple[int, Reason]]]] = {
    "no token, a length": ((b"Content-Length: 1000000000",), (401, Reason.CREDENTIALS_MISSING)),
    "no token, chunks": ((b"Transfer-Encoding: chunked",), (401, Reason.CREDENTIALS_MISSING)),
    "no token, and asking first": (
        (b"Content-Length: 1000000000", b"Expect: 100-continue"),
        (401, Reason.CREDENTIALS_MISSING),
    ),
    "an unknown token": (
        (b"Content-Length: 1000000000", b"Authorization: Bearer " + UNKNOWN.encode()),
        (401, Reason.TOKEN_INACTIVE),
    ),
    "another scope": (
        (b"Content-Length: 1000000000", b"Expect: 100-continue", b"Authorization: Bearer " + GOOD.encode()),
        (403, Reason.SCOPE_MISSING),
    ),
}


@pytest.mark.parametrize("name", WAITING)
def test_a_stranger_is_answered_before_a_byte_of_the_body(door: Door, gateway: GatewayDoor, name: str) -> None:
    """Attack table: authentication is decided before the body is read.

    Envoy itself tells whoever asks to go on with it: left to the upstream, the two would wait for each other. Guard's
    server asks for a body only when the application reads it.
    """
    lines, verdict = WAITING[name]
    before = len(door.upstream.seen)
    head = b"\r\n".join([b"POST /api/admin HTTP/1.1", b"Host: " + HOST, *lines, b"", b""])
    with socket.create_connection(("127.0.0.1", door.port), timeout=SECONDS) as connection:
        connection.sendall(head)
        reply, interim = final_reply(connection)
    assert door is gateway or interim == 0
    outcome = Outcome(door=door, replies=[reply], reached=door.upstream.seen[before:]).held()
    assert outcome.verdict == verdict
    assert outcome.reached == []


def test_what_is_there_and_refused_is_not_told_from_what_is_not_there(gateway: GatewayDoor) -> None:
    """Attack table: to a stranger, two paths of one route differ by nothing but the path that the challenge repeats."""
    seen = []
    for name in ("there", "nothere"):
        reply = attack(gateway, http1("/api/" + name)).reply
        kept = [(field, value.replace(name, "")) for field, value in reply.headers if field not in _EACH_ITS_OWN]
        seen.append((reply.status, reply.body, kept))
    assert seen[0] == seen[1]


_EACH_ITS_OWN: Final = {"date", "x-request-id", "x-bkapi-request-id"}
