"""An authorization server that can misbehave byte by byte, and authorities opened against it."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ostiary.authorities import AUTHORIZATION_SERVERS, TOKEN_CACHE, Authorities, Clocks, TokenCache
from ostiary.config import Configuration, load_bytes
from ostiary.oauth.credentials import RawToken
from ostiary.plugins.questions import Introspect

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from ostiary.authorities import CacheOutcome, Observer, Told
    from ostiary.authorities.breaker import BreakerState
    from ostiary.config import AnySection
    from ostiary.oauth.json import JsonValue

NOW = 1_800_000_000.0
SECRET = "s3cr3t-canary"
TOKEN = "tok3n-canary"
DEADLINE = 20.0  # by a clock that stands at 0: long enough for anything that is not meant to hang


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came; header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


def sends(reply: bytes) -> Callable[[Request, asyncio.StreamWriter], Awaitable[None]]:
    """Write these bytes, then close."""

    async def script(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(reply)
        await writer.drain()

    return script


async def hangs(_: Request, __: asyncio.StreamWriter) -> None:
    """Never answer."""
    await asyncio.Event().wait()


def response(body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> bytes:
    """A whole response that closes the connection; `headers` replace the usual ones."""
    fields = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}
    fields |= headers or {}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode() + body


def says(answer: Mapping[str, JsonValue], *, status: int = 200) -> bytes:
    """A whole response with this JSON object."""
    return response(json.dumps(answer).encode(), status=status)


def active(**more: JsonValue) -> dict[str, JsonValue]:
    """The members of an answer that says yes, changed by `more`."""
    members: dict[str, JsonValue] = {
        "active": True,
        "client_id": "app",
        "sub": "alice",
        "scope": "read write",
        "aud": ["gateway:g/api:a"],
        "exp": NOW + 7200,
    }
    return members | more


ACTIVE = active()
NOT_FOUND = response(b"<html>no</html>", status=404, headers={"Content-Type": "text/html"})


@dataclass
class Peer:
    """A listening server. `answer` is what it does with a POST, `metadata` with a GET, by path."""

    answer: Callable[[Request, asyncio.StreamWriter], Awaitable[None]]
    metadata: dict[str, bytes] = field(default_factory=dict)
    hold_metadata: asyncio.Event | None = None
    keeps_alive: bool = False
    url: str = ""
    requests: list[Request] = field(default_factory=list)
    written: int = 0
    connections: int = 0
    conversations: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def posts(self) -> list[Request]:
        """Only the questions."""
        return [request for request in self.requests if request.method == "POST"]

    @property
    def gets(self) -> list[str]:
        """Only what was read of metadata."""
        return [request.target for request in self.requests if request.method == "GET"]

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.connections += 1
        await self._answer_one(reader, writer)
        while self.keeps_alive:
            await self._answer_one(reader, writer)

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        request = Request(method, target, headers, body)
        self.requests.append(request)
        if method == "GET":
            if self.hold_metadata is not None:
                await self.hold_metadata.wait()
            await sends(self.metadata.get(target, NOT_FOUND))(request, writer)
        else:
            await self.answer(request, writer)


@asynccontextmanager
async def listening(
    answer: Callable[[Request, asyncio.StreamWriter], Awaitable[None]] | bytes = b"",
    *,
    tls: ssl.SSLContext | None = None,
    port: int = 0,
    keeps_alive: bool = False,
) -> AsyncIterator[Peer]:
    """A peer on loopback while the block runs."""
    peer = Peer(sends(answer) if isinstance(answer, bytes) else answer, keeps_alive=keeps_alive)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        peer.conversations.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await peer.converse(reader, writer)
        finally:
            peer.conversations.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port, ssl=tls, backlog=2048)
    port = server.sockets[0].getsockname()[1]
    peer.url = f"http{'s' if tls else ''}://127.0.0.1:{port}"
    try:
        yield peer
    finally:
        server.close()
        for task in peer.conversations:
            task.cancel()
        if peer.conversations:
            await asyncio.wait(peer.conversations, timeout=5)


@dataclass
class Hands:
    """Two clocks that only a test moves."""

    wall: float = NOW
    monotonic: float = 0.0

    @property
    def clocks(self) -> Clocks:
        """As the room wants them."""
        return Clocks(wall=lambda: self.wall, monotonic=lambda: self.monotonic)

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self.wall += seconds
        self.monotonic += seconds


@dataclass
class Notebook:
    """An observer that writes down what it is told."""

    asks: list[tuple[str, str, float]] = field(default_factory=list)
    events: list[tuple[str, CacheOutcome]] = field(default_factory=list)
    breakers: list[tuple[str, BreakerState]] = field(default_factory=list)

    def asked(self, authority: str, outcome: str, seconds: float) -> None:
        """Noted."""
        self.asks.append((authority, outcome, seconds))

    def cache_event(self, authority: str, event: CacheOutcome) -> None:
        """Noted."""
        self.events.append((authority, event))

    def breaker(self, authority: str, state: BreakerState) -> None:
        """Noted."""
        self.breakers.append((authority, state))


def rfc7662(url: str, **more: JsonValue) -> dict[str, JsonValue]:
    """Settings of an RFC 7662 server at this URL, endpoint given."""
    settings: dict[str, JsonValue] = {
        "kind": "rfc7662",
        "issuer": url,
        "introspection_endpoint": url + "/introspect",
        "client_id": "gateway",
        "client_secret": {"env": "SECRET"},
    }
    return settings | more


def bkauth(url: str, **more: JsonValue) -> dict[str, JsonValue]:
    """Settings of a bkauth at this URL."""
    settings: dict[str, JsonValue] = {
        "kind": "bkauth",
        "issuer": url,
        "url": url,
        "app_code": "bk_apigateway",
        "app_secret": {"env": "SECRET"},
    }
    return settings | more


def configure(
    servers: Mapping[str, JsonValue], *, secret: str = SECRET, token_cache: Mapping[str, JsonValue] | None = None
) -> Configuration:
    """A file with these authorization servers; JSON is YAML."""
    written: dict[str, JsonValue] = {"version": 1, "authorization_servers": dict(servers)}
    if token_cache is not None:
        written["token_cache"] = dict(token_cache)
    sections: list[AnySection] = [AUTHORIZATION_SERVERS, TOKEN_CACHE]
    return load_bytes(json.dumps(written).encode(), sections, {"SECRET": secret}, origin=Path("/etc/ostiary.yaml"))


@dataclass(frozen=True, slots=True)
class Opened:
    """Authorities, and what they were opened with."""

    authorities: Authorities
    cache: TokenCache
    hands: Hands
    seen: Notebook

    async def ask(self, token: str = TOKEN, *, authority: str = "corp", remember: bool = True) -> Told:
        """Ask with the deadline far away."""
        question = Introspect(authority=authority, token=RawToken(token))
        deadline = self.hands.monotonic + DEADLINE
        return await self.authorities.ask(question, reference="ref-1", deadline=deadline, remember=remember)

    def recall(self, token: str = TOKEN, *, authority: str = "corp") -> Told | None:
        """Recall."""
        return self.authorities.recall(Introspect(authority=authority, token=RawToken(token)))


@asynccontextmanager
async def opened(
    servers: Mapping[str, JsonValue] | Configuration,
    *,
    tls: ssl.SSLContext | None = None,
    cache: TokenCache | None = None,
    hands: Hands | None = None,
    allow_development_issuer: bool = False,
) -> AsyncIterator[Opened]:
    """Authorities while the block runs, on clocks that stand still."""
    hands = hands or Hands()
    cache = cache or TokenCache(key=b"k" * 32, max_bytes=1 << 26, clocks=hands.clocks)
    seen = Notebook()
    observer: Observer = seen
    authorities = Authorities.open(
        servers if isinstance(servers, Configuration) else configure(servers),
        cache=cache,
        clocks=hands.clocks,
        observer=observer,
        allow_development_issuer=allow_development_issuer,
        tls=tls,
    )
    try:
        yield Opened(authorities, cache, hands, seen)
    finally:
        await authorities.aclose()
