"""What is attacked: the gateway and Guard, before one upstream that keeps what reached it; and what must always hold.

Whatever is sent, `Outcome.held` demands four things. What reached the upstream had been judged and allowed, on that
very path. It carries no credential, and nothing that only a gateway may say. Each refusal is explained by its
reference, with the status that the client got. And no answer repeats a credential or a word of the attacker's.
"""

from __future__ import annotations

import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from starlette.applications import Starlette
from starlette.routing import Route
from tests.conformance.attacks import wire

from ostiary.decision.headers import IDENTITY, is_managed
from ostiary.decision.reasons import Reason
from ostiary.decision.verdict import VerdictLabel
from ostiary.oauth.credentials import AUTHORIZATION, LEGACY_AUTHORIZATION

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from typing import Self

    from starlette.types import Receive, Scope, Send
    from tests.e2e.authority import Authority
    from tests.e2e.running import Reply, Running

    from ostiary.diagnostics.record import DecisionRecord

# In every value that an attacker chooses: it must come out nowhere.
EVIL: Final = "ev1l"
# What a token of the tests begins with.
CANARY: Final = "t0ken-canary"
GOOD: Final = CANARY + ".good"
UNKNOWN: Final = CANARY + ".unknown"
API: Final = "gateway:my-gateway/api:my-api"
CHALLENGE: Final = 'Bearer resource_metadata="https://bkapi.example.com/.well-known/oauth-protected-resource?resource='
_CHALLENGES: Final = re.compile(
    r'Bearer resource_metadata="https://(bkapi|internal)\.example\.com/\.well-known/oauth-protected-resource'
    r'\?resource=[A-Za-z0-9._~%-]+"'
)
_AT_A_TIME: Final = 8
OPEN: Final = "/open"  # nobody is judged there
_OURS: Final = {*(name.encode() for name in IDENTITY), b"x-forwarded-for", b"x-forwarded-proto", b"x-request-id"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A request as the upstream has it."""

    method: str
    target: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def reference(self) -> str:
        (value,) = self.all("x-request-id")
        return value

    def all(self, name: str) -> list[str]:
        return [value.decode("latin-1") for found, value in self.headers if found == name.encode()]


@dataclass
class Upstream:
    """Answers everything with what it was asked, and keeps it."""

    seen: list[Reached] = field(default_factory=list)

    def application(self, closing: Callable[[], Awaitable[None]] | None = None) -> Starlette:
        """An ASGI application; `closing` is waited for at its end."""

        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            yield
            if closing is not None:
                await closing()

        return Starlette(routes=[Route("/{path:path}", self._Endpoint(self))], lifespan=lifespan)

    class _Endpoint:
        """An endpoint for every method: Starlette takes a function for GET alone."""

        def __init__(self, upstream: Upstream) -> None:
            self._upstream = upstream

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            body, more = b"", True
            while more:
                message = await receive()
                body += message.get("body", b"")
                more = message.get("more_body", False)
            query = scope["query_string"]
            reached = Reached(
                method=scope["method"],
                target=(scope["raw_path"] + (b"?" + query if query else b"")).decode("latin-1"),
                headers=tuple(scope["headers"]),
                body=body,
            )
            self._upstream.seen.append(reached)
            echo = json.dumps({"target": reached.target}).encode()
            length = (b"content-length", str(len(echo)).encode())
            await send({"type": "http.response.start", "status": 200, "headers": [length]})
            await send({"type": "http.response.body", "body": echo})


class Door(Protocol):
    """Where requests come in."""

    @property
    def port(self) -> int: ...

    @property
    def upstream(self) -> Upstream: ...

    def explain(self, reference: str) -> DecisionRecord:
        """The decision behind an answer."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayDoor:
    """`ostiary serve`: Envoy, two workers, the decision log; and those who are asked, by the names of routes."""

    gateway: Running
    upstream: Upstream
    authorities: dict[str, Authority]
    read: dict[str, DecisionRecord] = field(default_factory=dict)

    @property
    def port(self) -> int:
        return self.gateway.port

    def explain(self, reference: str) -> DecisionRecord:
        give_up = time.monotonic() + wire.SECONDS
        while reference not in self.read:
            record = self.gateway.explain(reference)
            # Envoy's line about a refusal of the judge may come before the judge's own record.
            if record.reason is not Reason.EDGE_DECISION or record.status >= 500 or time.monotonic() > give_up:
                self.read[reference] = record
        return self.read[reference]


class Records:
    """The records of one who hands them on when the answer is gone."""

    def __init__(self) -> None:
        self._found: dict[str, DecisionRecord] = {}
        self._news = threading.Condition()

    def take(self, record: DecisionRecord) -> None:
        with self._news:
            assert record.reference not in self._found
            self._found[record.reference] = record
            self._news.notify_all()

    def wait_for(self, reference: str) -> DecisionRecord:
        with self._news:
            assert self._news.wait_for(lambda: reference in self._found, wire.SECONDS), f"{reference} is not explained"
            return self._found[reference]


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardDoor:
    """Guard before an application of its own."""

    port: int
    upstream: Upstream
    records: Records

    def explain(self, reference: str) -> DecisionRecord:
        return self.records.wait_for(reference)


Key = TypeVar("Key")
# Bytes for HTTP/1; what makes a request of HTTP/2 otherwise.
Attack = bytes | wire.Fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of an attack."""

    door: Door
    replies: list[Reply]
    reached: list[Reached]

    @property
    def statuses(self) -> list[int]:
        return [reply.status for reply in self.replies]

    @property
    def paths(self) -> list[str]:
        """What the upstream was asked for."""
        return [request.path for request in self.reached]

    @property
    def reply(self) -> Reply:
        """The only answer."""
        (reply,) = self.replies
        return reply

    @property
    def record(self) -> DecisionRecord:
        """What the log says of the only answer."""
        return self.door.explain(self.reply.reference)

    @property
    def verdict(self) -> tuple[int, Reason | None]:
        """Of the only answer: its status, and the reason by the log."""
        return self.reply.status, self.record.reason

    def held(self) -> Self:
        """Itself, once what always must hold is seen to."""
        for request in self.reached:
            is_judged(self.door, request)
            is_clean(request)
        answered = {request.reference for request in self.reached}
        for reply in self.replies:
            if reply.status == 200:
                assert reply.reference in answered, "answered by nobody"
            else:
                assert reply.reference not in answered, "refused, and yet it reached the upstream"
                _is_explained(self.door, reply)
        return self


def attack(door: Door, sent: Attack, *, awaited: int = 1) -> Outcome:
    """Send it, and see that everything holds that must; several answers are `awaited` on one connection."""
    before = len(door.upstream.seen)
    replies = _send(door, sent, awaited)
    return Outcome(door=door, replies=replies, reached=door.upstream.seen[before:]).held()


def volley(door: Door, attacks: Mapping[Key, Attack]) -> dict[Key, Outcome]:
    """Send all, several at a time, and tell which request is whose; the log needs its time once. None is `held` yet."""
    before = len(door.upstream.seen)
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        found = list(pool.map(lambda sent: _send(door, sent, 1), attacks.values()))
    reached = {request.reference: request for request in door.upstream.seen[before:]}
    owned = [[reached.pop(reply.reference) for reply in replies if reply.reference in reached] for replies in found]
    assert list(reached.values()) == [], "what nobody got an answer to"
    return {
        name: Outcome(door=door, replies=replies, reached=own)
        for name, replies, own in zip(attacks, found, owned, strict=True)
    }


def _send(door: Door, sent: Attack, awaited: int) -> list[Reply]:
    if isinstance(sent, bytes):
        return wire.replies(door.port, sent, awaited=awaited)
    reply = wire.stream(door.port, sent)
    return [] if reply is None else [reply]


def is_judged(door: Door, request: Reached) -> None:
    """It was allowed, and on that path."""
    if request.path == OPEN or request.path.startswith(OPEN + "/"):
        return
    record = door.explain(request.reference)
    assert (record.verdict, record.status) == (VerdictLabel.ALLOW, 200)
    assert (record.method, record.path) == (request.method, request.path)


def is_clean(request: Reached) -> None:
    """No credential, nothing managed but what we wrote, and that once."""
    for name, value in request.headers:
        assert name not in {AUTHORIZATION, LEGACY_AUTHORIZATION}
        assert not is_managed(name) or name in _OURS, name
        assert CANARY.encode() not in value
        assert EVIL.encode() not in value, name
    names = [name for name, _ in request.headers if name in _OURS]
    assert len(names) == len(set(names))


def _is_explained(door: Door, reply: Reply) -> None:
    """The log says the same status; the answer is the product's, with a challenge where there should be one."""
    record = door.explain(reply.reference)
    assert (record.status, record.verdict) != (200, VerdictLabel.ALLOW)
    assert record.status == reply.status
    assert reply.header("x-bkapi-request-id") == reply.reference
    assert json.loads(reply.body)["result"] is False
    challenges = [value for name, value in reply.headers if name == "www-authenticate"]
    assert all(_CHALLENGES.match(challenge) for challenge in challenges)
    assert len(challenges) == 1 if reply.status in {401, 403} else len(challenges) <= (reply.status == 400)
    said = "\n".join(f"{name}: {value}" for name, value in reply.headers if name != "www-authenticate")
    # Where the resource stands, the attacker's path does, escaped.
    for text in (said, *(_CHALLENGES.sub("", challenge) for challenge in challenges)):
        assert EVIL not in text
    for text in (said, reply.body.decode(), *challenges):
        assert CANARY not in text
