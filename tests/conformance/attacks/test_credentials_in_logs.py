"""Credentials in logs: what a client writes forges no line, no header and no page; what it shows is written nowhere.

Authorino #617, APISIX CVE-2022-29266, Envoy CVE-2024-45808, toolhive 4a61bd1a5; BlueKing's fallback log. The search for
credentials in everything that a gateway leaves is `tests/e2e/test_canaries.py`; this one searches after all attacks.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest
from tests.conformance.attacks.doors import CANARY, GOOD, Outcome, attack, volley
from tests.conformance.attacks.wire import http1
from tests.e2e.authority import active, says
from tests.e2e.running import OPERATOR_TOKEN, request

from ostiary.demo.worker import LOG_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.conformance.attacks.doors import Attack, GatewayDoor

_SIGNS: Final[Mapping[str, str]] = {
    "CR and LF": "%0d%0aX-Evil:%20ev1l",
    "LF": "%0aev1l",
    "two line ends": "%0d%0a%0d%0aev1l",
    "quotes": "%22,error=%22ev1l",
    "a backslash and a quote": "%22%22ev1l",
    "escape": "%1b[31mev1l%1b[0m",
    "bell and backspace": "%07%08ev1l",
    "another direction": "%e2%80%aeev1l",
    "a line separator": "%e2%80%a8ev1l",
    "markup": "%3Cscript%3Eev1l%3C/script%3E",
    "a format": "%25s%25n%7B0%7Dev1l",
    "a lookup": "$%7Bjndi:ldap:%7Dev1l",
    "JSON": "%22%7D%0a%7B%22event%22:%22ev1l%22",
}


@pytest.fixture(scope="module")
def outcomes(gateway: GatewayDoor) -> dict[str, Outcome]:
    attacks: dict[str, Attack] = {name: http1(f"/api/{signs}?q={signs}") for name, signs in _SIGNS.items()}
    return volley(gateway, attacks)


@pytest.mark.parametrize("name", _SIGNS)
def test_what_a_client_writes_stays_in_its_place(outcomes: dict[str, Outcome], name: str) -> None:
    """Attack table: CR, LF, quotes and escape sequences in anything echoed or logged."""
    outcome = outcomes[name].held()
    assert outcome.reply.status == 401
    assert outcome.reply.header("x-evil") is None
    (challenge,) = [value for header, value in outcome.reply.headers if header == "www-authenticate"]
    assert challenge.count('"') == 2
    assert challenge.isascii()
    assert outcome.record.path.isprintable()


def test_a_record_of_what_is_no_request_is_printable(gateway: GatewayDoor) -> None:
    """The same, for bytes that Envoy refuses."""
    raw = {name: b"GET /api/" + sign + b"ev1l HTTP/1.1\r\nHost: h\r\n\r\n" for name, sign in _BYTES.items()}
    for name, outcome in volley(gateway, raw).items():
        assert outcome.held().reply.status == 400, name
        assert outcome.record.path.isprintable()
        assert outcome.record.method.isprintable()


_BYTES: Final = {"escape": b"\x1b[31m", "bell": b"\x07", "NUL": b"\0", "latin-1": b"\x85\x9b", "tab": b"\t"}


def test_an_authority_writes_no_line_of_its_own(gateway: GatewayDoor) -> None:
    """The same: claims are written by somebody else as well."""
    token = CANARY + ".writes"
    forged = 'ev1l\r\n{"event": "forged"}\u2028\x1b[31m'
    gateway.authorities["corp"].answers[token] = says(
        active(aud=[API_LIKE, forged], client_id=forged, sub=forged, scope="a b") | {forged: 1}
    )
    outcome = attack(gateway, http1("/api", token=token))
    assert outcome.reply.status == 403
    record = outcome.record
    assert all(text.isprintable() for text in (record.client_id or "", *(record.audience or ()), *record.claims))


API_LIKE: Final = "gateway:my-gateway/api:other"


def test_every_line_of_the_workers_is_one_object(gateway: GatewayDoor) -> None:
    """operator.md: JSON lines; nobody begins one of their own."""
    assert attack(gateway, http1("/api/%0a%7B%7D")).reply.status == 401
    lines = (gateway.gateway.configuration.data_dir / LOG_NAME).read_bytes().splitlines()
    assert lines
    assert all(isinstance(json.loads(line), dict) for line in lines)


def test_no_token_of_an_attack_is_found_in_a_file_or_a_figure(gateway: GatewayDoor) -> None:
    """Attack table: logs, metric labels, the decision log; after all that this folder has sent so far."""
    assert attack(gateway, http1("/api", token=GOOD)).statuses == [200]
    assert (
        attack(gateway, http1("/api?access_token=" + CANARY, token=CANARY + ".nobody's".replace("'", ""))).reply.status
        == 401
    )
    files = [path for path in gateway.gateway.configuration.data_dir.rglob("*") if path.is_file()]
    found = {path.name: path.read_bytes() for path in files}
    headers = (("Authorization", b"Bearer " + OPERATOR_TOKEN.encode()),)
    found["/metrics"] = request(gateway.gateway.operator_port, "GET", "/metrics", headers).body
    assert b"ostiary_decisions_total" in found["/metrics"]
    assert [name for name, content in found.items() if CANARY.encode() in content] == []
