"""The metadata documents over a real socket: both locations, every refusal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import pytest
from tests.integrations.judging import file_of, judging, route
from tests.integrations.serving import serving

from ostiary.authz.metadata_app import MetadataApp
from ostiary.authz.registry import Generation, Generations

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.integrations.serving import Answer, Served

    from ostiary.devserver import DevelopmentServer
    from ostiary.oauth.json import JsonValue

pytestmark = pytest.mark.anyio

WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"
ORIGIN: Final = "https://bkapi.example.com"
HOST: Final = "bkapi.example.com"
METADATA: Final[JsonValue] = {
    "scopes_supported": ["files.list"],
    "resource_name": "Rechnungen für alle",
    "resource_documentation": "https://docs.example.com/billing",
}
ROUTES: Final[list[JsonValue]] = [
    route("billing", "/my-gateway/prod/billing", scopes=["files.read"], metadata=METADATA),
    route("plain", "/my-gateway/prod/plain"),
    route("read", "/group", match={"path": "/group", "methods": ["GET"]}),
    route("write", "/group", match={"path": "/group", "methods": ["POST"]}, scopes=["write"]),
    route("public", "/public", unsafe_anonymous=True),
    route("hosted", "/", match={"path": "/", "host": "api.example.com"}, public_url="https://api.example.com"),
    route("moved", "/moved", public_url="https://moved.example.com:8443"),
]


class Published:
    """The application, with generations that a test may change."""

    def __init__(self, served: Served, generations: Generations) -> None:
        self._served = served
        self.generations = generations

    async def get(self, target: str, *, host: str = HOST, method: str = "GET", fields: str = "") -> Answer:
        """One request."""
        lines = f"Host: {host}\r\n{fields}".encode()
        return await self._served.ask(target, lines, method=method)

    async def about(self, resource: str, host: str = HOST) -> Answer:
        """The query's location, with the resource escaped as challenges have it."""
        return await self.get(WELL_KNOWN + "?resource=" + quote(resource, safe=""), host=host)


@pytest.fixture(scope="module")
async def published(authority: DevelopmentServer) -> AsyncIterator[Published]:
    """One generation without a root."""
    generations = Generations()
    async with judging(file_of(authority.issuer, ROUTES)) as judge, serving(MetadataApp(generations)) as served:
        generations.load(1, Generation(judge=judge))
        yield Published(served, generations)


def members(answer: Answer) -> dict[str, JsonValue]:
    assert answer.status == 200
    found = json.loads(answer.body)
    assert isinstance(found, dict)
    return found


async def test_the_document_says_what_the_route_is(published: Published, authority: DevelopmentServer) -> None:
    """RFC 9728 §2, §3.2; contract gateway, Metadata."""
    answer = await published.about("/my-gateway/prod/billing")
    assert members(answer) == {
        "resource": ORIGIN + "/my-gateway/prod/billing",
        "authorization_servers": [authority.issuer],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["files.read", "files.list"],
        "resource_name": "Rechnungen für alle",
        "resource_documentation": "https://docs.example.com/billing",
    }
    assert answer.one("content-type") == "application/json"
    assert answer.one("cache-control") == "max-age=300"
    assert answer.one("access-control-allow-origin") == "*"


@pytest.mark.parametrize(
    "resource",
    [
        "/my-gateway/prod/plain/a",
        "/my-gateway/prod/plain/a?token=x",
        "/my-gateway/prod/../prod//plain/./a",
        "/my-gateway/prod/plain/%61",
        ORIGIN + "/my-gateway/prod/plain/a",
        "HTTPS://BKAPI.example.com:443/my-gateway/prod/plain/a",
        ORIGIN + "/my-gateway/prod/plain/a?token=x",
    ],
)
async def test_every_spelling_of_a_resource_has_one_document(published: Published, resource: str) -> None:
    """Contract gateway, Metadata: origin + the asked path, normalised, no query."""
    assert members(await published.about(resource))["resource"] == ORIGIN + "/my-gateway/prod/plain/a"


@pytest.mark.parametrize("below", ["", "/", "/a%20b", "/~c;d=1", "/a+b", "/%E4%BD%A0", "/x%2Cy"])
async def test_both_locations_say_what_the_client_used(published: Published, below: str) -> None:
    """RFC 9728 §3.3: `resource` is to the letter the URL that the client used."""
    path = "/my-gateway/prod/plain" + below
    assert members(await published.about(path))["resource"] == ORIGIN + path
    assert members(await published.get(WELL_KNOWN + path))["resource"] == ORIGIN + path


async def test_an_inserted_path_may_have_a_query_behind_it(published: Published) -> None:
    """RFC 9728 §3.1: a client appends its resource's own query, which names no other resource of ours."""
    answer = await published.get(WELL_KNOWN + "/my-gateway/prod/plain?resource=/group")
    assert members(answer)["resource"] == ORIGIN + "/my-gateway/prod/plain"


async def test_methods_are_ignored(published: Published) -> None:
    """Contract gateway, Metadata: a resource is one, whatever may be done with it."""
    assert members(await published.about("/group/x"))["resource"] == ORIGIN + "/group/x"


@pytest.mark.parametrize(
    "resource",
    [
        "/nowhere",
        "/my-gateway/prod",
        "/my-gateway/prod/billings",
        "/MY-GATEWAY/prod/billing",
        "/public",
        "/",
        "/moved%2fx",
        "https://evil.example.com/my-gateway/prod/billing",
        "http://bkapi.example.com/my-gateway/prod/billing",
        "https://bkapi.example.com:8443/my-gateway/prod/billing",
        "https://bkapi.example.com@evil.example.com/my-gateway/prod/billing",
        "https://user@bkapi.example.com/my-gateway/prod/billing",
        "ftp://bkapi.example.com/my-gateway/prod/billing",
        "https://moved.example.com/moved",
        ORIGIN + "/moved",
        ORIGIN,
        "https://",
    ],
)
async def test_what_is_no_resource_here_is_404(published: Published, resource: str) -> None:
    """Contract gateway, Metadata: no route, or another origin; never an echo."""
    answer = await published.about(resource)
    assert (answer.status, answer.one("x-bkapi-error-code")) == (404, "1640401")
    assert json.loads(answer.body) == {
        "code": 1640401,
        "code_name": "API_NOT_FOUND",
        "message": "API not found",
        "result": False,
        "data": None,
    }
    assert answer.one("access-control-allow-origin") == "*"
    assert answer.one("cache-control") == "no-store"


@pytest.mark.parametrize(
    "query",
    [
        "resource=",
        "resource=billing",
        "resource=%2Fa%2520b%2Fc%20d",
        "resource=%2Fa%23b",
        "resource=%2F%3Cscript%3E",
        "resource=%2F%25zz",
        "resource=%2F%00",
        "resource=%2F%FF",
        "resource=bkapi.example.com%2Fa",
        "resource=javascript:alert(1)",
        "resource=%2Fgroup&resource=%2Fgroup",
        "resource=%2Fgroup&resource=",
        "other=%2Fgroup",
        "Resource=%2Fgroup",
        "&",
    ],
)
async def test_what_is_no_url_is_400(published: Published, query: str) -> None:
    """Contract gateway, Metadata: exactly one `resource`, and it is a path or a URL; never an echo."""
    answer = await published.get(WELL_KNOWN + "?" + query)
    assert (answer.status, answer.one("x-bkapi-error-code")) == (400, "1640001")
    assert json.loads(answer.body)["message"] == "Parameters error"


async def test_a_route_of_another_host_is_found_by_the_host_that_was_asked(published: Published) -> None:
    """Contract gateway, Challenge: a route's own `public_url` stands for everything published about it."""
    assert (await published.about("/x")).status == 404
    assert members(await published.about("/x", host="api.example.com:443"))["resource"] == "https://api.example.com/x"
    assert members(await published.get(WELL_KNOWN + "/x", host="API.example.com"))["resource"] == (
        "https://api.example.com/x"
    )
    assert members(await published.about("https://api.example.com/x"))["resource"] == "https://api.example.com/x"
    assert members(await published.about("https://moved.example.com:8443/moved"))["resource"] == (
        "https://moved.example.com:8443/moved"
    )


async def test_nothing_is_built_from_the_host(published: Published) -> None:
    """Attack table, forwarded headers: documents are built from configuration only."""
    fields = "X-Forwarded-Host: evil.example.com\r\nForwarded: host=evil.example.com\r\n"
    answer = await published.get(WELL_KNOWN + "/group", host="evil.example.com", fields=fields)
    assert members(answer)["resource"] == ORIGIN + "/group"
    assert b"evil" not in answer.body


@pytest.mark.parametrize("location", [WELL_KNOWN, WELL_KNOWN + "/", WELL_KNOWN + "?resource=%2F"])
async def test_the_root_document_speaks_for_a_route_of_the_root(published: Published, location: str) -> None:
    """Contract gateway, Metadata: only for a route with path `/`; its `resource` is the origin alone."""
    assert members(await published.get(location, host="api.example.com"))["resource"] == "https://api.example.com"
    assert (await published.get(location)).status == 404


@pytest.mark.parametrize("location", [WELL_KNOWN, WELL_KNOWN + "/", WELL_KNOWN + "?resource=" + quote(ORIGIN, safe="")])
async def test_the_root_document_speaks_for_the_route_that_is_named(
    authority: DevelopmentServer, published: Published, location: str
) -> None:
    """Contract gateway, Metadata: or for the one in `metadata.root`; and answers come from the newest generation."""
    async with judging(file_of(authority.issuer, ROUTES)) as judge:
        published.generations.load(2, Generation(judge=judge, metadata_root="billing"))
        found = members(await published.get(location))
        below = await published.about("/nowhere")
        elsewhere = await published.get(location, host="api.example.com")
        await published.generations.forget(2)
    assert (found["resource"], found["resource_name"]) == (ORIGIN, "Rechnungen für alle")
    assert below.status == 404
    assert members(elsewhere)["resource"] == (ORIGIN if ORIGIN[8:] in location else "https://api.example.com")
    assert (await published.get(location)).status == 404


async def test_a_route_of_another_host_does_not_speak_for_this_root(
    authority: DevelopmentServer, published: Published
) -> None:
    """Contract gateway, Challenge: a route with a host stands for that host alone."""
    hosted = route(
        "deep", "/deep", match={"path": "/deep", "host": "api.example.com"}, public_url="https://api.example.com"
    )
    async with judging(file_of(authority.issuer, [hosted])) as judge:
        published.generations.load(2, Generation(judge=judge, metadata_root="deep"))
        here = await published.get(WELL_KNOWN)
        there = await published.get(WELL_KNOWN, host="api.example.com")
        await published.generations.forget(2)
    assert here.status == 404
    assert members(there)["resource"] == "https://api.example.com"


async def test_a_head_request_has_the_headers_alone(published: Published) -> None:
    """RFC 9110 §9.3.2."""
    get = await published.about("/group")
    head = await published.get(WELL_KNOWN + "?resource=%2Fgroup", method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.one("content-length") == str(len(get.body))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
async def test_other_methods_are_405(published: Published, method: str) -> None:
    """RFC 9110 §15.5.6: with what is allowed."""
    answer = await published.get(WELL_KNOWN + "/group", method=method)
    assert (answer.status, answer.one("allow")) == (405, "GET, HEAD")
    assert answer.one("x-bkapi-error-code") == "1640500"


async def test_a_browser_may_ask_before_it_asks(published: Published) -> None:
    """Contract gateway, Metadata: CORS open; MCP clients in browsers send `MCP-Protocol-Version`."""
    fields = "Origin: https://app.example.com\r\nAccess-Control-Request-Method: GET\r\n"
    answer = await published.get(WELL_KNOWN + "/group", method="OPTIONS", fields=fields)
    assert answer.status == 200
    assert answer.one("access-control-allow-origin") == "*"
    assert answer.one("access-control-allow-headers") == "*"


@pytest.mark.parametrize(
    "target", ["/", "/check/group", "/healthz", "/metrics", WELL_KNOWN + "s", "/.well-known/jwks.json"]
)
async def test_nothing_else_is_here(published: Published, target: str) -> None:
    """Contract forward-auth: the metadata socket is a listener of its own, and public."""
    assert (await published.get(target)).status == 404


async def test_before_the_first_generation_it_is_unavailable() -> None:
    """Conventions 3: could not tell."""
    async with serving(MetadataApp(Generations())) as served:
        answer = await served.ask(WELL_KNOWN + "/group")
    assert (answer.status, answer.one("retry-after")) == (503, "1")


async def test_an_address_in_brackets_is_a_host(authority: DevelopmentServer, published: Published) -> None:
    """RFC 3986 §3.2.2: the brackets are part of the host, in a URL as in a route."""
    async with judging(file_of(authority.issuer, [route("six", "/six")], public_url="https://[::1]")) as judge:
        published.generations.load(2, Generation(judge=judge))
        found = members(await published.about("https://[::1]:443/six"))
        await published.generations.forget(2)
    assert found["resource"] == "https://[::1]/six"
