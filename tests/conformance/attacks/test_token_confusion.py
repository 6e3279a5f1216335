"""Token confusion: an answer that is almost a yes, and an audience that is almost ours, open nothing, at any door.

FastMCP bb37c3bb6 and e1ea133fb; Oxia CVE-2026-40946; Nuts CVE-2026-41164; Envoy CVE-2022-29226; Authlib
CVE-2026-27962 and CVE-2026-28802.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pytest
from starlette.responses import Response
from tests.conformance.attacks.doors import API, CANARY, Outcome, volley
from tests.conformance.attacks.wire import http1
from tests.e2e.authority import active, says

from ostiary.decision.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from tests.conformance.attacks.doors import Door, GatewayDoor
    from tests.e2e.authority import Answering

    from ostiary.oauth.json import JsonValue

_CLAIMS: Final = (401, Reason.TOKEN_CLAIMS)
_TYPE: Final = (401, Reason.TOKEN_TYPE)
_EMPTY: Final = (403, Reason.AUDIENCE_EMPTY)
_UNKNOWN: Final = (403, Reason.AUDIENCE_UNRECOGNISED)
_MISMATCH: Final = (403, Reason.AUDIENCE_GATEWAY_MISMATCH)
_ALLOWED: Final = (200, None)


@dataclass(frozen=True, slots=True)
class Row:
    """Members of the answer, None for one that is left out; what it comes to; and what is added to the clock's time."""

    members: Mapping[str, JsonValue]
    verdict: tuple[int, Reason | None]
    from_now: Mapping[str, float] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    def answer(self) -> dict[str, JsonValue]:
        now = time.time()
        whole = active(aud=[API]) | dict(self.members) | {name: now + more for name, more in self.from_now.items()}
        return {name: value for name, value in whole.items() if name not in self.left_out}


def _aud(value: JsonValue, verdict: tuple[int, Reason | None]) -> Row:
    return Row({"aud": value}, verdict)


ROWS: Final[Mapping[str, Row]] = {
    "a good answer": Row({}, _ALLOWED),
    "aud: missing": Row({}, _EMPTY, left_out=("aud",)),
    "aud: null": _aud(None, _EMPTY),
    "aud: an empty list": _aud([], _EMPTY),
    "aud: an empty string": _aud("", _UNKNOWN),
    "aud: a list of an empty string": _aud([""], _UNKNOWN),
    "aud: one string": _aud(API, _ALLOWED),
    "aud: an object": _aud({"gateway": "my-gateway"}, _CLAIMS),
    "aud: an object with its name": _aud({API: True}, _CLAIMS),
    "aud: a number": _aud(0, _CLAIMS),
    "aud: true": Row({"aud": True}, _CLAIMS),
    "aud: a list in a list": _aud([[API]], _CLAIMS),
    "aud: a list with null": _aud([API, None], _CLAIMS),
    "aud: a list with a number": _aud([API, 1], _CLAIMS),
    "aud: a list as a string": _aud(f'["{API}"]', _UNKNOWN),
    "aud: two in one string": _aud(f"{API} {API}", _MISMATCH),
    "aud: two in one string, with a comma": _aud(f"{API},{API}", _MISMATCH),
    "aud: a star": _aud("*", _UNKNOWN),
    "aud: a star for a gateway": _aud(["gateway:*/api:*", "gateway:*/api:my-api"], _MISMATCH),
    "aud: a star inside a gateway": _aud(["gateway:my-*/api:*", "gateway:my-gateway*/api:*"], _MISMATCH),
    "aud: a star inside an api": _aud(["gateway:my-gateway/api:my-*", "gateway:my-gateway/api:**"], _MISMATCH),
    "aud: a shorter gateway": _aud(["gateway:my/api:*", "gateway:my-gatewa/api:*"], _MISMATCH),
    "aud: a longer gateway": _aud(["gateway:my-gateway2/api:*", "gateway:xmy-gateway/api:*"], _MISMATCH),
    "aud: another case": _aud(["gateway:MY-GATEWAY/api:*", "gateway:my-gateway/api:MY-API"], _MISMATCH),
    "aud: another case of the words": _aud(["GATEWAY:my-gateway/api:*", "gateway:my-gateway/API:*"], _UNKNOWN),
    "aud: blanks around": _aud([f" {API}", f"{API} ", f"{API}\n", f"{API}\0"], _MISMATCH),
    "aud: something behind": _aud([f"{API}/x", f"{API}?", f"{API}#", f"{API}%"], _MISMATCH),
    "aud: an escape": _aud(["gateway:my%2Dgateway/api:*", "gateway:my-gateway%2Fapi:*"], _MISMATCH),
    "aud: a letter that looks alike": _aud(
        ["gateway:my-g\u0430teway/api:*", "gateway:my\u2010gateway/api:*"], _MISMATCH
    ),
    "aud: the gateway alone": _aud(["gateway:my-gateway", "gateway:my-gateway/", "my-gateway"], _UNKNOWN),
    "aud: without an api": _aud(["gateway:my-gateway/api:"], _UNKNOWN),
    "aud: the URL of the resource": _aud("https://bkapi.example.com/api", _UNKNOWN),
    "aud: a server": _aud("mcp_server:my-api", (403, Reason.AUDIENCE_MCP_WRONG_GATEWAY)),
    'active: "true"': Row({"active": "true"}, _CLAIMS),
    "active: 1": Row({"active": 1}, _CLAIMS),
    "active: null": Row({"active": None}, _CLAIMS),
    "active: missing": Row({}, _CLAIMS, left_out=("active",)),
    "active: a list": Row({"active": [True]}, _CLAIMS),
    "Active: true": Row({"Active": True}, _CLAIMS, left_out=("active",)),
    "token_type: refresh_token": Row({"token_type": "refresh_token"}, _TYPE),
    "token_type: id_token": Row({"token_type": "id_token"}, _TYPE),
    "token_type: N_A": Row({"token_type": "N_A"}, _TYPE),
    "token_type: DPoP": Row({"token_type": "DPoP"}, _TYPE),
    "token_type: a list": Row({"token_type": ["Bearer"]}, _TYPE),
    "token_type: BEARER": Row({"token_type": "BEARER"}, _ALLOWED),
    "token_use: id": Row({"token_use": "id"}, _TYPE),
    "token_use: refresh": Row({"token_use": "refresh"}, _TYPE),
    "nbf: tomorrow": Row({}, (401, Reason.TOKEN_NOT_YET_VALID), {"nbf": 86_400}),
    "nbf: in half a minute": Row({}, (401, Reason.TOKEN_NOT_YET_VALID), {"nbf": 30}),
    "nbf: a string": Row({"nbf": "0"}, _CLAIMS),
    "exp: a moment ago": Row({}, (401, Reason.TOKEN_EXPIRED), {"exp": -1}),
    "exp: 0": Row({"exp": 0}, (401, Reason.TOKEN_EXPIRED)),
    "exp: -1": Row({"exp": -1}, (401, Reason.TOKEN_EXPIRED)),
    "exp: a string": Row({"exp": "9999999999"}, _CLAIMS),
    "exp: true": Row({"exp": True}, _CLAIMS),
    "exp: a list": Row({"exp": [9999999999]}, _CLAIMS),
    "exp: null": Row({"exp": None}, _CLAIMS),
    "exp: missing": Row({}, (401, Reason.TOKEN_NO_EXPIRY), left_out=("exp",)),
    "exp: 2^53": Row({"exp": 2**53}, _ALLOWED),
    "exp: a fraction": Row({}, _ALLOWED, {"exp": 600.5}),
    "iss: another": Row({"iss": "https://evil.example.com"}, (401, Reason.TOKEN_ISSUER)),
    "iss: empty": Row({"iss": ""}, (401, Reason.TOKEN_ISSUER)),
    "iss: a list": Row({"iss": ["https://evil.example.com"]}, (401, Reason.TOKEN_ISSUER)),
    "cnf": Row({"cnf": {"jkt": "x"}}, (401, Reason.TOKEN_BOUND)),
    "cnf: empty": Row({"cnf": {}}, (401, Reason.TOKEN_BOUND)),
    "client_id: a number": Row({"client_id": 1}, _CLAIMS),
    "client_id: empty": Row({"client_id": ""}, (403, Reason.APP_REQUIRED)),
    "scope: a list": Row({"scope": ["admin"]}, _CLAIMS),
}
# What no JSON object of members says: a number that is none, and members that are there twice.
_TEXT: Final = '{%s, "client_id": "reader", "sub": "alice", "aud": "' + API + '"}'
TEXTS: Final[Mapping[str, str]] = {
    "exp: 1e999": _TEXT % '"active": true, "exp": 1e999',
    "exp: Infinity": _TEXT % '"active": true, "exp": Infinity',
    "exp: twice": _TEXT % '"active": true, "exp": 1, "exp": 9999999999',
    "active: twice": _TEXT % '"active": false, "exp": 9999999999, "active": true',
}


def _text(text: str) -> Answering:
    async def answer(_: Request) -> Response:
        return Response(text, media_type="application/json")

    return answer


def _token(name: str) -> str:
    return CANARY + "." + name.encode().hex()


@pytest.fixture(scope="module")
def outcomes(door: Door, gateway: GatewayDoor) -> dict[str, Outcome]:
    answers = gateway.authorities["corp"].answers
    answers |= {_token(name): says(row.answer()) for name, row in ROWS.items()}
    answers |= {_token(name): _text(text) for name, text in TEXTS.items()}
    return volley(door, {name: http1("/api", token=_token(name)) for name in (*ROWS, *TEXTS)})


@pytest.mark.parametrize("name", [*ROWS, *TEXTS])
def test_an_answer_is_a_yes_or_none(outcomes: dict[str, Outcome], name: str) -> None:
    """gateway.md, Verification, Audience grammar."""
    expected = ROWS[name].verdict if name in ROWS else (503, Reason.AUTHORITY_UNAVAILABLE)
    assert outcomes[name].held().verdict == expected


@pytest.mark.parametrize(("entries", "verdict"), [(9_999, _ALLOWED), (10_000, (403, Reason.AUDIENCE_TOO_MANY))])
def test_ten_thousand_entries_are_judged_in_bounded_time(
    door: Door, gateway: GatewayDoor, entries: int, verdict: tuple[int, Reason | None]
) -> None:
    """Attack table; over 10,000 is a refusal."""
    token = CANARY + f".{entries}"
    audience: list[JsonValue] = [f"gateway:my-gateway{number}/api:*" for number in range(entries)]
    gateway.authorities["corp"].answers[token] = says(active(aud=[*audience, API]))
    began = time.monotonic()
    (outcome,) = volley(door, {token: http1("/api", token=token)}).values()
    assert time.monotonic() - began < 2
    assert outcome.held().verdict == verdict
