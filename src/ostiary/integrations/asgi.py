"""Guard: an ASGI application behind a judge, without a proxy.

The application gets a request only if the judge allows it, with what was found in `scope["ostiary"]`. It never sees a
credential, nor a header that only a gateway may set. A request is answered before its body is read.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from ostiary.decision.dialects import bkapi
from ostiary.decision.facts import Door, RequestFacts
from ostiary.decision.headers import is_managed
from ostiary.decision.hosts import parse_host
from ostiary.integrations.wire import HTTP, WEBSOCKET_DENIAL, send_answer
from ostiary.judge.paths import is_canonical
from ostiary.oauth.credentials import CREDENTIALS

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostiary.decision.dialects import Answer, Dialect
    from ostiary.decision.facts import Headers
    from ostiary.diagnostics.record import DecisionRecord
    from ostiary.integrations.wire import App, Message, Receive, Scope, Send
    from ostiary.judge.judge import Decision, Judge

PRINCIPAL: Final = "ostiary"  # the key in the scope
_HOST: Final = b"host"
_REFERENCE: Final = b"x-request-id"
_POLICY_VIOLATION: Final = 1008  # RFC 6455 §7.4.1
_STARTS: Final = frozenset({HTTP + ".start", WEBSOCKET_DENIAL + ".start", "websocket.accept"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Whom an allowed request is from. Client and subject mean something only together with the issuer.

    Attributes:
        subject: None for a token without a resource owner.
        audience: entries in their order; None where the token has none.
        expires_at: seconds since the epoch; None where the authority did not say.
        reference: of the request, under which an operator finds the decision.
    """

    issuer: str
    client_id: str | None
    subject: str | None
    scopes: tuple[str, ...]
    audience: tuple[str, ...] | None
    expires_at: float | None
    reference: str


def _everything(_path: str) -> bool:
    return True


def _nowhere(_record: DecisionRecord) -> None:
    return


class Guard:
    """An ASGI application that lets requests through to another one, or answers them.

    Args:
        app: what is guarded.
        judge: who decides. It is not closed here.
        protect: whether a path, as the application sees it in `scope["path"]`, is judged; all are by default. Of the
            others managed headers are removed as well, and an odd target is refused.
        dialect: how refusals are written.
        record: gets each decision's record; must not block, such as a `RecordSink`'s `send`.
    """

    def __init__(
        self,
        app: App,
        judge: Judge,
        *,
        protect: Callable[[str], bool] = _everything,
        dialect: Dialect = bkapi,
        record: Callable[[DecisionRecord], None] = _nowhere,
    ) -> None:
        self._app = app
        self._judge = judge
        self._protect = protect
        self._dialect = dialect
        self._record = record

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3. HTTP requests and WebSocket handshakes are judged.

        Raises:
            ValueError: a scope of a kind that nobody could judge.
        """
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] not in {"http", "websocket"}:
            raise ValueError("a scope of an unknown type is not let through")
        # Some servers append trailers to the list of the scope: what counts is what is there now.
        headers: Headers = tuple((name.lower(), value) for name, value in scope["headers"])
        hosts = [value.decode("latin-1") for name, value in headers if name == _HOST]
        host = parse_host(hosts[0]) if len(hosts) == 1 else None
        facts = _facts(scope, headers, ", ".join(hosts) if host is None else str(host))
        send = _with_reference(send, facts.reference)
        if not _is_plain(scope) or (hosts and host is None):
            await self._refuse(self._judge.refuse_target(facts), facts, scope, receive, send)
        elif not self._protect(scope["path"]):
            await self._app(_handed_on(scope, facts.headers, None), receive, send)
        else:
            await self._judged(facts, scope, receive, send)

    async def _judged(self, facts: RequestFacts, scope: Scope, receive: Receive, send: Send) -> None:
        decision = await self._judge.decide(facts)
        if decision.refusal is not None:
            await self._refuse(decision, facts, scope, receive, send)
            return
        if decision.record is not None:
            self._record(decision.record)
        kept = tuple(pair for pair in facts.headers if pair[0] not in CREDENTIALS)
        await self._app(_handed_on(scope, kept, _principal(decision, facts.reference)), receive, send)

    async def _refuse(
        self, decision: Decision, facts: RequestFacts, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if decision.refusal is not None:
            await _send_refusal(self._dialect(decision.refusal, facts.reference), scope, receive, send)
        if decision.record is not None:
            self._record(decision.record)


def _facts(scope: Scope, headers: Headers, host: str) -> RequestFacts:
    """What is judged. Managed headers of the client are gone from it; reference and spelling of the host are ours."""
    reference = str(uuid.uuid4())
    kept = [
        (name, host.encode("latin-1") if name == _HOST else value) for name, value in headers if not is_managed(name)
    ]
    kept.append((_REFERENCE, reference.encode("ascii")))
    client = scope.get("client")
    return RequestFacts(
        door=Door.ASGI,
        reference=reference,
        method=scope.get("method", "GET"),  # RFC 6455 §4.1: a handshake is a GET
        host=host,
        # Some servers keep a fragment, and a token may be in it (RFC 6749 §4.2.2). With a `#` the target is refused.
        path=b"".join((scope.get("raw_path") or b"").partition(b"#")[:2]).decode("latin-1"),
        headers=tuple(kept),
        peer=client[0] if client else "",
    )


def _is_plain(scope: Scope) -> bool:
    """Whether the application can read the path in one way only.

    The server must say the path as it was sent, and its decoded form must be that path's: somebody in between who
    rewrote one of them would have us judge another request than the one that is routed.
    """
    raw: bytes | None = scope.get("raw_path")
    return raw is not None and is_canonical(raw) and scope["path"] == unquote(raw.decode("ascii"))


def _handed_on(scope: Scope, headers: Headers, principal: Principal | None) -> Scope:
    """The application's own scope: a server that appends to its list of headers does not reach it."""
    return {**scope, "headers": list(headers), PRINCIPAL: principal}


def _principal(decision: Decision, reference: str) -> Principal | None:
    grant = None if decision.walked is None else decision.walked.exchange.grant
    if grant is None:
        return None
    return Principal(
        issuer=grant.issuer,
        client_id=grant.client_id,
        subject=grant.subject,
        scopes=grant.scopes,
        audience=grant.audience,
        expires_at=grant.expires_at,
        reference=reference,
    )


def _with_reference(send: Send, reference: str) -> Send:
    """Every answer has our reference and no other, the application's too."""
    field = (_REFERENCE, reference.encode("ascii"))

    async def send_with_reference(message: Message) -> None:
        if message["type"] in _STARTS:
            others = [pair for pair in message.get("headers", ()) if pair[0].lower() != _REFERENCE]
            message = {**message, "headers": [*others, field]}
        await send(message)

    return send_with_reference


async def _send_refusal(answer: Answer, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        await send_answer(send, answer)
        return
    await receive()  # `websocket.connect`, which the server has already
    if WEBSOCKET_DENIAL in (scope.get("extensions") or {}):
        await send_answer(send, answer, kind=WEBSOCKET_DENIAL)
    else:
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
