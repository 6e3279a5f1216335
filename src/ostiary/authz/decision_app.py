"""The decision service for our own Envoy: one question, one verdict (Envoy's HTTP ext_authz). Bare ASGI.

It runs on a worker's own Unix socket and nowhere else: there, and only there, `x-ostiary-route`, `x-ostiary-peer` and
`x-request-id` are Envoy's words and believed. No path is matched a second time.
"""

from __future__ import annotations

import time
import uuid
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import structlog

from ostiary.decision.dialects import Answer, bkapi
from ostiary.decision.facts import Door, RequestFacts
from ostiary.decision.headers import IDENTITY
from ostiary.decision.reasons import Reason
from ostiary.decision.refusal import refuse
from ostiary.decision.verdict import Deny
from ostiary.integrations.wire import send_answer
from ostiary.judge.generations import parse_route_key
from ostiary.judge.recording import compose_record

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostiary.authz.registry import Generations
    from ostiary.decision.facts import Headers
    from ostiary.decision.refusal import Refusal
    from ostiary.diagnostics.record import DecisionRecord
    from ostiary.integrations.wire import Receive, Scope, Send

_log = structlog.get_logger(__name__)

CHECK: Final = b"/check"
VERDICT: Final = b"x-ostiary-verdict"
# How a 503 is said to Envoy: of a 5xx it would drop headers and body, of this it makes a 503 with both.
UNAVAILABLE: Final = 480

_HOST: Final = b"host"
_REFERENCE: Final = b"x-request-id"
_ROUTE: Final = b"x-ostiary-route"
_PEER: Final = b"x-ostiary-peer"
# Envoy sends each once. One that is missing or doubled was not sent by it.
_OWN: Final = frozenset({_HOST, _REFERENCE, _ROUTE, _PEER})

# Made once: every allow is the same answer. Each identity header is there, so that none of the client's is left.
_ALLOW: Final = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-length", b"0"),
        (VERDICT, b"allow"),
        *((name.encode("ascii"), b"") for name in IDENTITY),
    ],
}
_NO_BODY: Final = {"type": "http.response.body", "body": b""}

# Not the class itself: docs/adr/values-of-a-request.md says what its keywords cost.
_facts: Final = partial(RequestFacts.__new__, RequestFacts)

_PLAIN: Final = "text/plain; charset=utf-8"
_METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"
_HEALTHY: Final = Answer(status=200, headers=(("content-type", _PLAIN),), body=b"ok\n")


class DecisionApp:
    """`/check` + path judges; `GET /healthz` and `GET /metrics` are for Envoy and the supervisor; all else is 404.

    Args:
        generations: what is judged by.
        record: gets each record after the answer was sent; must not block.
        metrics: the page, in Prometheus' text format.
        wall: seconds since the epoch, for records of what no judge saw.
    """

    def __init__(
        self,
        generations: Generations,
        *,
        record: Callable[[DecisionRecord], None],
        metrics: Callable[[], bytes],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._generations = generations
        self._record = record
        self._metrics = metrics
        self._wall = wall

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - the body is never read
        """ASGI 3, `http` alone."""
        raw_path: bytes = scope["raw_path"]
        if raw_path.startswith(b"/check/"):
            await self._check(scope, raw_path, send)
        elif raw_path == b"/healthz" and scope["method"] == "GET":
            await send_answer(send, _HEALTHY)
        elif raw_path == b"/metrics" and scope["method"] == "GET":
            page = Answer(status=200, headers=(("content-type", _METRICS),), body=self._metrics())
            await send_answer(send, page)
        else:
            refusal = refuse(Deny(Reason.ROUTE_UNMATCHED), route=None, path="")
            await send_answer(send, bkapi(refusal, str(uuid.uuid4())))

    async def _check(self, scope: Scope, raw_path: bytes, send: Send) -> None:
        # First of all, before anything is awaited: a server may append trailers to its list.
        headers: Headers = tuple(scope["headers"])
        own = dict(headers)
        if len(own) != len(headers):
            own = _once(headers)
        facts = _facts(
            door=Door.GATEWAY,
            reference=own[_REFERENCE].decode("latin-1") if _REFERENCE in own else str(uuid.uuid4()),
            method=scope["method"],
            host=own.get(_HOST, b"").decode("latin-1"),
            path=raw_path[len(CHECK) :].decode("latin-1"),
            headers=headers,
            peer=own.get(_PEER, b"").decode("latin-1"),
        )
        if not own.keys() >= _OWN:
            _log.error("a question that is not our Envoy's", reference=facts.reference)
            await self._deny(Deny(Reason.JUDGE_FAILED, note="not our Envoy's question"), facts, send)
            return
        key = own[_ROUTE].decode("latin-1")
        named = parse_route_key(key)
        try:
            decision = None if named is None else await self._generations.decide(named[0], facts, named[1])
        except Exception as error:  # noqa: BLE001 - whatever fails in a judge, nothing is let through
            _log.error("judge failed", reference=facts.reference, error=type(error).__name__)
            await self._deny(Deny(Reason.JUDGE_FAILED, note=type(error).__name__), facts, send)
            return
        if decision is None:
            await self._deny(Deny(Reason.GENERATION_UNKNOWN, note=key), facts, send)
            return
        if decision.refusal is not None:
            await _send_refusal(decision.refusal, facts.reference, send)
        else:
            await send(_ALLOW)
            await send(_NO_BODY)
        if decision.record is not None:
            self._record(decision.record)

    async def _deny(self, deny: Deny, facts: RequestFacts, send: Send) -> None:
        """Refuse what no judge has judged."""
        await _send_refusal(refuse(deny, route=None, path=facts.path), facts.reference, send)
        self._record(
            compose_record(facts, route=None, verdict=deny, walked=None, told=None, time=self._wall(), seconds=0.0)
        )


def _once(headers: Headers) -> dict[bytes, bytes]:
    """Those whose name is there once."""
    names = [name for name, _ in headers]
    return {name: value for name, value in headers if names.count(name) == 1}


async def _send_refusal(refusal: Refusal, reference: str, send: Send) -> None:
    answer = bkapi(refusal, reference)
    await send_answer(send, answer, status=UNAVAILABLE if answer.status == HTTPStatus.SERVICE_UNAVAILABLE else None)
