"""Guard behind a real uvicorn, with both of its HTTP parsers, over raw sockets."""

from __future__ import annotations

import asyncio
import json
import uuid
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.integrations.judging import (
    API,
    GATE,
    TABLE,
    file_of,
    judging,
    lines_of,
    mint,
    parameters,
    route,
    table_judges,
)
from tests.integrations.serving import SECONDS, parse_answer, serving

from ostiary.decision.dialects import Answer as Written
from ostiary.decision.facts import Door
from ostiary.decision.reasons import Reason
from ostiary.decision.verdict import VerdictLabel
from ostiary.devserver import DevelopmentServer, serve
from ostiary.integrations.asgi import Guard
from ostiary.judge.paths import is_canonical

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.decision_row import Row
    from tests.integrations.serving import Answer, Served

    from ostiary.decision.refusal import Refusal
    from ostiary.diagnostics.record import DecisionRecord
    from ostiary.integrations.wire import Message, Receive, Scope, Send
    from ostiary.judge.judge import Judge
    from ostiary.oauth.json import JsonValue

pytestmark = pytest.mark.anyio

HOST: Final = b"Host: bkapi.example.com\r\n"
ROUTES: Final[list[JsonValue]] = [
    route("billing", "/billing"),
    route("files", "/files", auth={"app_required": True, "user_required": True}),
    route("status", "/status", unsafe_anonymous=True),
]


async def upstream(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that reads its body and repeats all that it was handed."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    principal = scope["ostiary"]
    seen = {
        "path": scope["path"],
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]],
        "principal": None if principal is None else asdict(principal),
        "body": body.decode(),
    }
    headers = [(b"X-Request-ID", b"the application's own"), (b"x-app", b"1")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(seen).encode()})


class Guarded:
    """The guarded application, and the records that were left."""

    def __init__(self, served: Served, records: list[DecisionRecord]) -> None:
        self.served = served
        self.records = records

    async def ask(self, target: str = "/billing", fields: bytes = b"", *, method: str = "GET") -> Answer:
        """One request; `fields` are whole lines."""
        return await self.served.ask(target, HOST + fields, method=method)


@asynccontextmanager
async def guarded(judge: Judge, http: str = "httptools") -> AsyncIterator[Guarded]:
    """The application behind Guard."""
    records: list[DecisionRecord] = []
    async with serving(Guard(upstream, judge, record=records.append), http=http) as served:
        yield Guarded(served, records)


@pytest.fixture(scope="module")
async def judge(authority: DevelopmentServer) -> AsyncIterator[Judge]:
    """It judges by four routes."""
    async with judging(file_of(authority.issuer, ROUTES)) as opened:
        yield opened


@pytest.fixture(scope="module", params=["httptools", "h11"])
async def both(judge: Judge, request: pytest.FixtureRequest) -> AsyncIterator[Guarded]:
    """Behind either parser."""
    async with guarded(judge, request.param) as running:
        yield running


@pytest.fixture
def app(both: Guarded) -> Guarded:
    """The same, without the records of other tests."""
    both.records.clear()
    return both


@pytest.fixture(scope="module")
def token(authority: DevelopmentServer) -> str:
    """A machine's token for every route."""
    return authority.mint(client_id="reader", audience=[API], scopes=["files.read"])


@pytest.fixture(scope="module")
def good(token: str) -> bytes:
    """The same, as a header field."""
    return b"Authorization: Bearer " + token.encode() + b"\r\n"


def seen(answer: Answer) -> dict[str, Any]:
    """What the application was handed."""
    assert answer.status == 200, answer.body
    found: dict[str, Any] = json.loads(answer.body[answer.body.index(b"{") : answer.body.rindex(b"}") + 1])
    return found


def names(answer: Answer) -> set[str]:
    return {name for name, _ in seen(answer)["headers"]}


async def test_the_application_gets_who_it_is_and_no_credential(
    app: Guarded, good: bytes, authority: DevelopmentServer
) -> None:
    """Contract kit: `Principal`, no token on it; the client's credentials never reach what is guarded."""
    answer = await app.ask(fields=good)
    found = seen(answer)
    (record,) = app.records
    assert found["principal"].pop("expires_at") > 0
    assert found["principal"] == {
        "issuer": authority.issuer,
        "client_id": "reader",
        "subject": None,
        "scopes": ["files.read"],
        "audience": [API],
        "reference": record.reference,
    }
    assert not {"authorization", "x-bkapi-authorization"} & names(answer)
    assert good.split()[2].decode() not in json.dumps(found)
    assert (record.door, record.verdict, record.route, record.peer) == (
        Door.ASGI,
        VerdictLabel.ALLOW,
        "billing",
        "127.0.0.1",
    )


@pytest.mark.requirement("FR-004")
async def test_a_refusal_is_the_gateway_s(app: Guarded) -> None:
    """002 FR-004: the same body, headers and challenge at every door."""
    answer = await app.ask("/billing/a%20b?x=1")
    assert answer.status == 401
    assert answer.one("www-authenticate") == (
        'Bearer resource_metadata="https://bkapi.example.com/.well-known/oauth-protected-resource'
        '?resource=%2Fbilling%2Fa%2520b"'
    )
    assert answer.one("x-bkapi-error-code") == "1640100"
    assert answer.one("x-request-id") == app.records[0].reference


@pytest.mark.requirement("edge-3")
async def test_an_authority_that_is_away_is_503() -> None:
    """Conventions 3: on TCP it is a plain 503."""
    gone = DevelopmentServer([GATE])
    with serve(gone):
        data = file_of(gone.issuer, ROUTES)
    async with judging(data) as judge, guarded(judge) as app:
        answer = await app.ask(fields=b"Authorization: Bearer abc\r\n")
    assert (answer.status, answer.one("retry-after")) == (503, "1")
    assert not answer.all("www-authenticate")
    assert [record.reason for record in app.records] == [Reason.AUTHORITY_UNAVAILABLE]


async def test_the_reference_is_ours_on_every_answer(app: Guarded, good: bytes) -> None:
    """Architecture, "The reference is ours": a UUID4, never the client's, never the application's."""
    for fields in (good, b""):
        answer = await app.ask(fields=fields + b"X-Request-ID: evil\r\nx_request_id: evil\r\nX.Request.Id: evil\r\n")
        reference = answer.one("x-request-id")
        assert str(uuid.UUID(reference, version=4)) == reference
        assert app.records[-1].reference == reference
        if answer.status == 200:
            assert [value for name, value in seen(answer)["headers"] if name == "x-request-id"] == [reference]
            assert answer.one("x-app") == "1"
    assert app.records[0].reference != app.records[1].reference


@pytest.mark.parametrize(
    "name",
    [
        "X-Bkapi-Jwt",
        "x_bkapi_jwt",
        "X.Bkapi.App",
        "X--Bkapi--User",
        "X_Bkapi_Authorization",
        "X-Ostiary-Route",
        "X-Ostiary-Verdict",
        "X-Forwarded-For",
        "x_forwarded_proto",
        "X-Original-URL",
        "X-Rewrite-Url",
        "X-Envoy-Internal",
        "Forwarded",
        "True-Client-IP",
    ],
)
@pytest.mark.parametrize("target", ["/billing", "/status", "/unprotected"])
async def test_no_header_that_only_a_gateway_may_set_reaches_the_application(
    judge: Judge, good: bytes, name: str, target: str
) -> None:
    """Attack table, identity headers: cleared in every alias, on judged, public and unprotected paths."""
    handed: list[tuple[bytes, bytes]] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        handed.extend(scope["headers"])

    guard = Guard(app, judge, protect=lambda path: path != "/unprotected")
    fields = [good.strip().partition(b": ")[::2], (name.lower().encode(), b"evil"), (b"x-harmless", b"1")]
    await guard(http_scope(target, fields), nothing_to_receive, no_answer)
    assert b"evil" not in [value for _, value in handed]
    assert (b"x-harmless", b"1") in handed


CHUNKED: Final = b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n4\r\nbody\r\n"
TRAILERS: Final = b"0\r\nX-Bkapi-App: evil\r\nAuthorization: Bearer evil\r\nX-Extra: evil\r\n\r\n"


async def test_trailers_that_come_with_the_head_pretend_nothing(app: Guarded, good: bytes) -> None:
    """Attack table, identity headers: from trailers too. httptools has them among the headers before Guard runs."""
    answer = await app.served.send(b"POST /billing HTTP/1.1\r\n" + HOST + good + CHUNKED + TRAILERS)
    if answer.status == 200:
        assert b"evil" not in answer.body
    else:  # a second token: refused, as any two are
        assert [record.reason for record in app.records] == [Reason.CREDENTIALS_MALFORMED]


@pytest.mark.parametrize("http", ["httptools", "h11"])
async def test_trailers_that_come_later_are_no_headers(judge: Judge, good: bytes, http: str) -> None:
    """The same. httptools appends them to the scope's list while the application runs."""
    begun = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        await upstream(scope, receive, send)

    async with serving(Guard(app, judge), http=http) as served:
        reader, writer = await served.connect()
        writer.write(b"POST /billing HTTP/1.1\r\n" + HOST + good + CHUNKED)
        await asyncio.wait_for(begun.wait(), SECONDS)
        writer.write(TRAILERS)
        answer = parse_answer(await asyncio.wait_for(reader.read(-1), SECONDS))
        writer.close()
    assert seen(answer)["body"] == "body"
    assert b"evil" not in answer.body


async def test_a_token_in_a_trailer_that_comes_later_is_never_read(app: Guarded, token: str) -> None:
    """Contract kit: the answer is made before the body is read."""
    head = b"POST /billing HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    reader, writer = await app.served.connect()
    writer.write(head + b"4\r\nbody\r\n")
    line = await reader.readline()
    writer.write(b"0\r\nAuthorization: Bearer " + token.encode() + b"\r\n\r\n")
    writer.close()
    assert line.startswith(b"HTTP/1.1 401 ")
    assert [record.reason for record in app.records] == [Reason.CREDENTIALS_MISSING]


async def test_a_stranger_is_answered_before_a_byte_of_the_body(app: Guarded) -> None:
    """Contract kit: answers before the body is read."""
    answer = await app.ask(fields=b"Content-Length: 1000000\r\n", method="POST")
    assert answer.status == 401


async def test_an_allowed_body_arrives_whole(app: Guarded, good: bytes) -> None:
    """Ours: Guard reads nothing of it."""
    head = b"POST /billing HTTP/1.1\r\n" + HOST + good + b"Content-Length: 4\r\nConnection: close\r\n\r\n"
    assert seen(await app.served.send(head, b"bo", b"dy"))["body"] == "body"


@pytest.mark.parametrize(
    "target",
    [
        "/billing/../files",
        "/billing/./a",
        "//billing",
        "/billing//a",
        "/billing/%2e%2e/files",
        "/billing%2fa",
        "/billing%2Fa",
        "/billing%5ca",
        "/billing/a;x",
        "/billing/..;/files",
        "/billing\\a",
        "/%62illing",
        "/billing/%zz",
        "/billing/%",
        '/billing/"',
        "/status/../billing",
    ],
)
async def test_a_target_that_can_be_read_in_two_ways_is_refused(app: Guarded, good: bytes, target: str) -> None:
    """Contract kit, contract forward-auth: 400 `target-not-canonical`, whoever asks."""
    answer = await app.ask(target, good)
    assert (answer.status, answer.one("x-bkapi-error-code")) == (400, "1640001")
    assert not answer.all("www-authenticate")
    (record,) = app.records
    assert (record.reason, record.status) == (Reason.TARGET_NOT_CANONICAL, 400)


@pytest.mark.parametrize("target", ["http://bkapi.example.com/billing", "http://evil.example.com/billing"])
async def test_an_absolute_form_is_refused_where_the_server_shows_it(judge: Judge, good: bytes, target: str) -> None:
    """RFC 9112 §3.2.2: h11 hands it on; httptools hides it, and Guard and the application see the same path."""
    async with guarded(judge, "h11") as app:
        assert (await app.ask(target, good)).status == 400
        assert [record.reason for record in app.records] == [Reason.TARGET_NOT_CANONICAL]
    async with guarded(judge, "httptools") as app:
        assert seen(await app.ask(target, good))["path"] == "/billing"


async def test_a_fragment_is_in_no_record(app: Guarded) -> None:
    """attacks.md, credentials in logs; RFC 6749 §4.2.2: a token stands in the fragment."""
    await app.ask("/billing#access_token=canary")
    assert all("canary" not in record.path for record in app.records)


async def test_two_hosts_are_refused(app: Guarded, good: bytes) -> None:
    """Contract kit: two `Host` fields; a parser that refuses them itself says 400 as well."""
    answer = await app.ask(fields=good + b"Host: evil.example.com\r\n")
    assert answer.status == 400
    assert [record.reason for record in app.records] in ([Reason.TARGET_NOT_CANONICAL], [])


async def test_an_escape_that_is_needed_reaches_the_application_decoded(app: Guarded, good: bytes) -> None:
    """Attack table, path confusion: no escape leads past a route, whose path has unreserved characters alone."""
    assert seen(await app.ask("/billing/user%40example.com", good))["path"] == "/billing/user@example.com"


async def test_two_tokens_are_never_one_of_them(app: Guarded, good: bytes) -> None:
    """Contract kit: several `Authorization` or `X-Bkapi-Authorization` as the gateway has it."""
    assert (await app.ask(fields=good + good)).status == 400
    assert (await app.ask(fields=good + b"X-Bkapi-Authorization: {}\r\nX-Bkapi-Authorization: {}\r\n")).status == 400
    assert [record.reason for record in app.records] == [Reason.CREDENTIALS_MALFORMED] * 2


async def test_a_public_route_is_let_through_without_credentials_and_without_a_record(
    app: Guarded, good: bytes
) -> None:
    """Architecture, `unsafe_anonymous`: nothing is judged, credentials are stripped, no record."""
    answer = await app.ask("/status", good)
    assert seen(answer)["principal"] is None
    assert "authorization" not in names(answer)
    assert app.records == []


async def test_a_path_that_no_route_has_is_404(app: Guarded, good: bytes) -> None:
    """Conventions 4: an unmatched route denies."""
    assert (await app.ask("/unprotected", good)).status == 404


async def test_what_is_not_protected_is_the_application_s_own_business(judge: Judge) -> None:
    """Ours: it has its credentials, but no principal, and nothing that somebody pretended."""
    guard = Guard(upstream, judge, protect=lambda path: path.startswith("/api"))
    async with serving(guard) as served:
        fields = HOST + b"Authorization: Basic abc\r\nX-Bkapi-App: evil\r\n"
        answer = await served.ask("/own", fields)
        odd = await served.ask("/own/../api", fields)
        protected = await served.ask("/api", fields)
    assert seen(answer)["principal"] is None
    assert {"authorization", "x-request-id"} <= names(answer)
    assert "x-bkapi-app" not in names(answer)
    assert (odd.status, protected.status) == (400, 404)


async def test_a_dialect_writes_the_refusals(judge: Judge) -> None:
    """Contract kit: the kit uses them all."""

    def terse(refusal: Refusal, reference: str) -> Written:
        return Written(status=refusal.status, headers=(("x-reason", refusal.reason),), body=reference.encode())

    async with serving(Guard(upstream, judge, dialect=terse)) as served:
        answer = await served.ask("/billing")
    assert (answer.status, answer.one("x-reason")) == (401, "credentials-missing")
    assert answer.body.decode() == answer.one("x-request-id")


def http_scope(target: str, fields: list[tuple[bytes, bytes]], **more: object) -> Scope:
    """A request as a server would hand it over."""
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": target,
        "raw_path": target.encode(),
        "query_string": b"",
        "headers": [(b"host", b"bkapi.example.com"), *fields],
        "client": ("127.0.0.1", 1),
    }
    return scope | more


async def nothing_to_receive() -> Message:
    raise AssertionError("nothing is read")


async def no_answer(message: Message) -> None:
    raise AssertionError(message)


async def denied(judge: Judge, scope: Scope, *incoming: Message) -> list[Message]:
    """What Guard sends; the application must not be reached."""
    sent: list[Message] = []
    waiting = [*incoming]

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise AssertionError("it was let through")

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    await Guard(app, judge)(scope, receive, send)
    assert waiting == []
    return sent


@pytest.mark.parametrize(
    "more",
    [
        {"raw_path": None},
        {"path": "/files"},
        {"path": "/billing/x"},
        {"raw_path": b"/files"},
        {"raw_path": b""},
        {"raw_path": b"*", "path": "*"},
    ],
)
async def test_a_path_that_somebody_changed_on_the_way_is_refused(judge: Judge, more: dict[str, object]) -> None:
    """Ours: what is judged is what is routed, or nothing."""
    start, _ = await denied(judge, http_scope("/billing", [], **more))
    assert start["status"] == 400


def websocket_scope(fields: list[tuple[bytes, bytes]], *, extension: bool) -> Scope:
    scope = http_scope("/billing", fields, type="websocket")
    del scope["method"]
    scope["extensions"] = {"websocket.http.response": {}} if extension else None
    return scope


async def test_a_websocket_is_judged_at_its_handshake(judge: Judge, good: bytes) -> None:
    """Attack table, protocol edges: WebSocket judged at the handshake; the refusal has its challenge."""
    connect = {"type": "websocket.connect"}
    start, body = await denied(judge, websocket_scope([], extension=True), connect)
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 401)
    assert {b"www-authenticate", b"x-request-id"} <= {name for name, _ in start["headers"]}
    assert body["type"] == "websocket.http.response.body"
    (close,) = await denied(judge, websocket_scope([], extension=False), connect)
    assert close == {"type": "websocket.close", "code": 1008}


async def test_an_allowed_websocket_has_its_principal(judge: Judge, good: bytes) -> None:
    """Ours: the scope's, and the reference on the handshake's answer."""
    sent: list[Message] = []

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        assert scope["ostiary"].client_id == "reader"
        assert b"authorization" not in [name for name, _ in scope["headers"]]
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close"})

    async def send(message: Message) -> None:
        sent.append(message)

    fields = [good.strip().partition(b": ")[::2]]
    await Guard(app, judge)(websocket_scope(fields, extension=True), nothing_to_receive, send)
    accept, close = sent
    assert [name for name, _ in accept["headers"]] == [b"x-request-id"]
    assert close == {"type": "websocket.close"}


async def test_the_lifespan_is_the_application_s(judge: Judge) -> None:
    """ASGI lifespan: there is nothing to judge."""
    scopes: list[Scope] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        scopes.append(scope)

    guard = Guard(app, judge)
    await guard({"type": "lifespan"}, nothing_to_receive, no_answer)
    assert scopes == [{"type": "lifespan"}]
    with pytest.raises(ValueError, match="unknown type"):
        await guard({"type": "http2.push"}, nothing_to_receive, no_answer)
    assert len(scopes) == 1


@pytest.fixture(scope="module")
async def doors(authority: DevelopmentServer) -> AsyncIterator[dict[str, Guarded]]:
    """A guarded application for each value of `both_present`."""
    async with (
        table_judges(authority) as judges,
        guarded(judges["legacy"]) as legacy,
        guarded(judges["refuse"]) as strict,
    ):
        yield {"legacy": legacy, "refuse": strict}


@pytest.mark.parametrize("row", parameters(TABLE))
async def test_the_decision_table_holds_here(doors: dict[str, Guarded], authority: DevelopmentServer, row: Row) -> None:
    """Contract forward-auth: verdict and reason are equal at every door, but for targets."""
    app = doors[row.both_present]
    app.records.clear()
    answer = await app.ask(row.path, lines_of(row, mint(authority, row)), method=row.method)
    (record,) = app.records
    if not is_canonical(row.path):
        assert (answer.status, record.reason) == (400, Reason.TARGET_NOT_CANONICAL)
        return
    assert answer.status == row.status
    assert (record.verdict, record.reason, record.status) == (row.verdict, row.reason, row.status)
