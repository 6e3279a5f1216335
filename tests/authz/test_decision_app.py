"""The decision service over a real Unix socket, asked as our Envoy asks it."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

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
from tests.integrations.serving import serving

from ostiary.authorities import Clocks
from ostiary.authz.decision_app import DecisionApp
from ostiary.authz.registry import Generation, Generations
from ostiary.decision.facts import Door
from ostiary.decision.headers import IDENTITY
from ostiary.decision.reasons import Reason
from ostiary.decision.verdict import VerdictLabel
from ostiary.devserver import DevelopmentServer, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.decision_row import Row
    from tests.integrations.serving import Answer, Served

    from ostiary.diagnostics.record import DecisionRecord
    from ostiary.judge.judge import Judge

pytestmark = pytest.mark.anyio

REFERENCE: Final = "d45a6a55-6b0f-4a45-9a35-1f4a1d9c2e11"
OWN: Final = {
    "host": "bkapi.example.com",
    "x-request-id": REFERENCE,
    "x-ostiary-route": "1:billing",
    "x-ostiary-peer": "203.0.113.7",
}
ROUTES: Final = [route("billing", "/billing"), route("quiet", "/quiet", disclosure="generic")]
UNAVAILABLE: Final = (
    b'{"code":1650300,"code_name":"SERVICE_UNAVAILABLE","message":"Service Unavailable","result":false,"data":null}'
)


class Asked:
    """Our Envoy's end, and the records that were left."""

    def __init__(self, served: Served, records: list[DecisionRecord]) -> None:
        self._served = served
        self.records = records

    async def check(
        self, path: str = "/billing", *, method: str = "GET", fields: bytes = b"", own: dict[str, str] | None = None
    ) -> Answer:
        """One question; `fields` are whole lines behind Envoy's own."""
        lines = "".join([f"{name}: {value}\r\n" for name, value in (OWN if own is None else own).items()]).encode()
        return await self._served.ask("/check" + path, lines + b"content-length: 0\r\n" + fields, method=method)

    async def get(self, target: str, *, method: str = "GET") -> Answer:
        """Anything else."""
        return await self._served.ask(target, method=method)


@asynccontextmanager
async def asked(folder: Path, judge: Judge) -> AsyncIterator[Asked]:
    """The service with one generation, 1."""
    generations = Generations()
    generations.load(1, Generation(judge=judge))
    records: list[DecisionRecord] = []
    app = DecisionApp(generations, record=records.append, metrics=lambda: b"a_metric 1\n")
    async with serving(app, at=folder / "decision.sock") as served:
        yield Asked(served, records)


@pytest.fixture(scope="module")
async def service(authority: DevelopmentServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Asked]:
    """The service, judging by two routes."""
    folder = tmp_path_factory.mktemp("service")
    async with judging(file_of(authority.issuer, [*ROUTES])) as judge, asked(folder, judge) as running:
        yield running


@pytest.fixture
def envoy(service: Asked) -> Asked:
    """The same, without the records of other tests."""
    service.records.clear()
    return service


def bearer(token: str) -> bytes:
    return b"authorization: Bearer " + token.encode() + b"\r\n"


@pytest.fixture
def good(authority: DevelopmentServer) -> bytes:
    """A token that `billing` accepts."""
    return bearer(authority.mint(client_id="reader", audience=[API]))


async def test_an_allow_says_so_and_names_every_identity_header(envoy: Asked, good: bytes) -> None:
    """NOTES: 200 with the verdict and every identity header, empty where there is nothing to say."""
    answer = await envoy.check(fields=good)
    assert answer.status == 200
    assert answer.one("x-ostiary-verdict") == "allow"
    assert [answer.one(name) for name in IDENTITY] == ["", "", ""]
    assert answer.body == b""


@pytest.mark.requirement("FR-004", "SC-004")
async def test_a_refusal_has_the_product_s_body_and_challenge(envoy: Asked) -> None:
    """002 FR-004; NOTES: 4xx with `x-bkapi-error-code`."""
    answer = await envoy.check("/billing/a%20b?q=secret")
    assert answer.status == 401
    assert answer.one("www-authenticate") == (
        'Bearer resource_metadata="https://bkapi.example.com/.well-known/oauth-protected-resource'
        '?resource=%2Fbilling%2Fa%2520b"'
    )
    assert answer.one("x-bkapi-error-code") == "1640100"
    assert answer.one("x-request-id") == REFERENCE
    assert answer.one("content-length") == str(len(answer.body))
    assert json.loads(answer.body)["message"] == 'Unauthorized [reason="no valid authentication header found"]'
    assert not answer.all("x-ostiary-verdict")


async def test_the_record_has_what_envoy_said_of_the_request(envoy: Asked) -> None:
    """Architecture, "The reference is ours": what Envoy says is believed on this socket, and only the path is kept."""
    await envoy.check("/billing/a?q=secret", method="POST")
    (record,) = envoy.records
    assert record.reference == REFERENCE
    assert record.door is Door.GATEWAY
    assert (record.method, record.path, record.peer) == ("POST", "/billing/a", "203.0.113.7")
    assert (record.route, record.reason, record.status) == ("billing", Reason.CREDENTIALS_MISSING, 401)


async def test_no_path_is_matched_a_second_time(envoy: Asked, good: bytes) -> None:
    """Architecture, "One router": the route that Envoy has matched is the one that is judged."""
    answer = await envoy.check("/elsewhere", fields=good, own=OWN | {"x-ostiary-route": "1:quiet"})
    assert answer.status == 200
    assert [record.route for record in envoy.records] == ["quiet"]


KEYS: Final = (
    "2:billing",
    "1:nobody",
    "billing",
    "1:",
    ":billing",
    "-1:billing",
    "x:billing",
    "",
    "1" * 5000 + ":billing",
)


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key[:12])
async def test_a_route_that_envoy_names_and_nobody_knows_is_unavailable(envoy: Asked, good: bytes, key: str) -> None:
    """Architecture, "One router": 503 `generation-unknown`, said to Envoy as 480. Envoy has matched: nothing is 404."""
    answer = await envoy.check(fields=good, own=OWN | {"x-ostiary-route": key})
    assert (answer.status, answer.body) == (480, UNAVAILABLE)
    assert answer.one("x-bkapi-error-code") == "1650300"
    assert answer.one("retry-after") == "1"
    (record,) = envoy.records
    assert (record.reason, record.status) == (Reason.GENERATION_UNKNOWN, 503)
    assert record.reference == REFERENCE


@pytest.mark.parametrize("name", OWN)
async def test_a_question_without_one_of_envoy_s_headers_is_refused(envoy: Asked, good: bytes, name: str) -> None:
    """Ours: whoever asks so is not our Envoy, and nothing it says is believed."""
    answer = await envoy.check(fields=good, own={key: value for key, value in OWN.items() if key != name})
    assert (answer.status, answer.body) == (480, UNAVAILABLE)
    assert [record.reason for record in envoy.records] == [Reason.JUDGE_FAILED]


@pytest.mark.parametrize("name", OWN)
async def test_a_question_with_one_of_envoy_s_headers_twice_is_refused(envoy: Asked, good: bytes, name: str) -> None:
    """Attack table, forwarded headers: two readers could pick two values."""
    answer = await envoy.check(fields=good + name.title().encode() + b": " + OWN[name].encode() + b"\r\n")
    assert (answer.status, answer.body) == (480, UNAVAILABLE)
    assert [record.reason for record in envoy.records] == [Reason.JUDGE_FAILED]


@pytest.mark.requirement("edge-3")
async def test_an_authority_that_is_away_is_said_as_480(tmp_path: Path) -> None:
    """NOTES, "could not tell": 480 with the judge's own 503 body and `Retry-After`; the record says 503."""
    gone = DevelopmentServer([GATE])
    with serve(gone):
        data = file_of(gone.issuer, [*ROUTES])
    async with judging(data) as judge, asked(tmp_path, judge) as envoy:
        answer = await envoy.check(fields=bearer("some-token"))
        assert answer.status == 480
        assert answer.one("retry-after") == "1"
        assert not answer.all("www-authenticate")
        assert json.loads(answer.body)["message"] == 'Service Unavailable [reason="authorization server unavailable"]'
        (record,) = envoy.records
        assert (record.verdict, record.status) == (VerdictLabel.UNAVAILABLE, 503)
        assert record.reason is Reason.AUTHORITY_UNAVAILABLE


async def test_a_judge_that_fails_lets_nothing_through(
    authority: DevelopmentServer, tmp_path: Path, good: bytes
) -> None:
    """Conventions 4, fail closed: with the product's body, and without a word of what happened."""

    def broken() -> float:
        raise OSError("a clock of glass")

    clocks = Clocks(wall=broken, monotonic=broken)
    async with judging(file_of(authority.issuer, [*ROUTES]), clocks) as judge, asked(tmp_path, judge) as envoy:
        answer = await envoy.check(fields=good)
        assert (answer.status, answer.body) == (480, UNAVAILABLE)
        assert [record.reason for record in envoy.records] == [Reason.JUDGE_FAILED]


async def test_two_authorization_headers_are_never_one_of_them(envoy: Asked, good: bytes) -> None:
    """Attack table, parsing of Authorization: first of several."""
    answer = await envoy.check(fields=good + good)
    assert answer.status == 400
    assert [record.reason for record in envoy.records] == [Reason.CREDENTIALS_MALFORMED]


async def test_a_refused_head_request_has_no_body(envoy: Asked) -> None:
    """RFC 9110 §9.3.2: Envoy asks with the client's own method."""
    answer = await envoy.check(method="HEAD")
    assert (answer.status, answer.body) == (401, b"")


async def test_health_and_metrics_are_answered(envoy: Asked) -> None:
    """NOTES: `GET /healthz` is 200."""
    assert (await envoy.get("/healthz")).status == 200
    page = await envoy.get("/metrics")
    assert (page.status, page.body) == (200, b"a_metric 1\n")
    assert page.one("content-type").startswith("text/plain; version=0.0.4")


@pytest.mark.parametrize(
    ("target", "method"),
    [
        ("/body/billing", "POST"),
        ("/check", "GET"),
        ("/checks/billing", "GET"),
        ("/CHECK/billing", "GET"),
        ("/", "GET"),
        ("/healthz", "POST"),
        ("/healthz/", "GET"),
        ("/metrics", "POST"),
    ],
)
async def test_whatever_else_is_asked_is_404(envoy: Asked, target: str, method: str) -> None:
    """Ours: a question that nobody answers has no verdict, and Envoy lets nothing through without one."""
    answer = await envoy.get(target, method=method)
    assert (answer.status, answer.one("x-bkapi-error-code")) == (404, "1640401")
    assert not answer.all("x-ostiary-verdict")
    assert envoy.records == []


async def test_the_record_is_sent_when_the_answer_is_gone(authority: DevelopmentServer) -> None:
    """Ours: recording costs the client no time."""
    order: list[str] = []

    async def send(message: object) -> None:
        assert isinstance(message, dict)
        order.append(message["type"])

    async def receive() -> dict[str, object]:
        raise AssertionError("the body is not read")

    async with judging(file_of(authority.issuer, [*ROUTES])) as judge:
        generations = Generations()
        generations.load(1, Generation(judge=judge))
        app = DecisionApp(generations, record=lambda _: order.append("record"), metrics=bytes)
        headers = [(name.encode(), value.encode()) for name, value in OWN.items()]
        scope = {"type": "http", "method": "GET", "raw_path": b"/check/billing", "headers": headers}
        await app(scope, receive, send)
    assert order == ["http.response.start", "http.response.body", "record"]


@pytest.fixture(scope="module")
async def services(
    authority: DevelopmentServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[str, Asked]]:
    """A service for each value of `both_present`."""
    async with table_judges(authority) as judges, AsyncExitStack() as stack:
        yield {
            value: await stack.enter_async_context(asked(tmp_path_factory.mktemp(value), judge))
            for value, judge in judges.items()
        }


@pytest.mark.parametrize(
    "row",
    parameters(TABLE),
)
async def test_the_decision_table_holds_here(
    services: dict[str, Asked], authority: DevelopmentServer, row: Row
) -> None:
    """Contract forward-auth: at every door verdict and reason are equal."""
    envoy = services[row.both_present]
    envoy.records.clear()
    fields = lines_of(row, mint(authority, row))
    answer = await envoy.check(
        row.path, method=row.method, fields=fields, own=OWN | {"x-ostiary-route": "1:" + row.route}
    )
    assert answer.status == (480 if row.status == 503 else row.status)
    (record,) = envoy.records
    assert (record.verdict, record.reason, record.status) == (row.verdict, row.reason, row.status)
