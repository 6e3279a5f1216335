"""Server-side requests: nobody but the configuration says whom the gateway asks.

Pomerium ssrf.go, liboauth2 CWE-918, FastMCP GHSA-vv7q-7jx5-f767, microsoft/mcp-gateway MSRC-112281.
"""

from __future__ import annotations

import base64
import json
import select
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import pytest
from starlette.responses import RedirectResponse
from tests.conformance.attacks.doors import API, CANARY, GOOD, attack
from tests.conformance.attacks.wire import http1, replies
from tests.e2e.authority import active, says

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from starlette.requests import Request
    from starlette.responses import Response
    from tests.conformance.attacks.doors import GatewayDoor
    from tests.e2e.authority import Answering


@contextmanager
def trap() -> Iterator[str]:
    """The URL of a place that nobody may connect to while the block runs."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        if select.select([listener], [], [], 0)[0]:
            pytest.fail("somebody connected")


def test_the_trap_can_be_sprung() -> None:
    """Ours: it can fail."""
    with pytest.raises(pytest.fail.Exception, match="connected"):
        _spring()


def _spring() -> None:
    with trap() as url:
        host, _, port = url.removeprefix("http://").partition(":")
        socket.create_connection((host, int(port))).close()


def _part(members: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(members).encode()).decode().rstrip("=")


def _jwt(url: str) -> str:
    """A token that names its judges."""
    head = {"alg": "RS256", "typ": "at+jwt", "kid": url, "jku": url + "/jwks", "x5u": url + "/x5u"}
    return ".".join([_part(head), _part({"iss": url, "aud": API, "exp": 9999999999}), _part({})])


@pytest.mark.parametrize("known", [True, False])
def test_a_token_names_nobody_who_is_asked(gateway: GatewayDoor, *, known: bool) -> None:
    """Attack table: a token's `iss` never chooses a URL."""
    with trap() as url:
        token = _jwt(url)
        gateway.authorities["corp"].answers[token] = says(active(aud=[API]) if known else {"active": False})
        assert attack(gateway, http1("/api", token=token)).statuses == [200 if known else 401]


def _redirects(status: int) -> Callable[[str], Answering]:
    def make(url: str) -> Answering:
        async def answer(_: Request) -> Response:
            return RedirectResponse(url + "/introspect", status_code=status)

        return answer

    return make


def _says_where(url: str) -> Answering:
    names = ("introspection_endpoint", "jwks_uri", "userinfo_endpoint", "iss_metadata", "claims_endpoint")
    return says({**active(aud=[API]), **dict.fromkeys(names, url), "_claim_sources": {"src1": {"endpoint": url}}})


def _is_issued_by(url: str) -> Answering:
    return says(active(aud=[API], iss=url))


ANSWERS: Final[Mapping[str, tuple[Callable[[str], Answering], int]]] = {
    **{f"redirect {status}": (_redirects(status), 503) for status in (301, 302, 303, 307, 308)},
    "iss": (_is_issued_by, 401),
    "endpoints": (_says_where, 200),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_names_nobody_who_is_asked(gateway: GatewayDoor, name: str) -> None:
    """Attack table: redirects off; nothing that an authority says leads anywhere."""
    make, status = ANSWERS[name]
    with trap() as url:
        token = f"{CANARY}.leads.{name.replace(' ', '-')}"
        gateway.authorities["other"].answers[token] = make(url)
        assert attack(gateway, http1("/other-authority", token=token)).statuses == [status]


def test_a_request_names_nobody_who_is_asked(gateway: GatewayDoor) -> None:
    """Attack table: URLs only from configuration; neither target, nor `Host`, nor a header is one."""
    with trap() as url:
        authority = url.removeprefix("http://").encode()
        names = ("X-Forwarded-Host", "X-Original-URL", "Referer", "Origin", "X-Envoy-Original-Dst-Host", "Link", "Via")
        lines = [f"{name}: {url}".encode() for name in names]
        assert attack(gateway, http1("/api", *lines, token=GOOD, host=authority)).statuses == [200]
        assert attack(gateway, http1(url + "/api", token=GOOD)).statuses == [200]
        assert attack(gateway, http1(url + "/nowhere", token=GOOD)).statuses == [404]
        assert attack(gateway, http1(authority, method=b"CONNECT", token=GOOD)).reply.status in {400, 404}


@pytest.mark.parametrize("form", ["{0}", "{0}/api", "{0}@bkapi.example.com/api", "//{1}/api", "https://{1}/api"])
def test_metadata_is_asked_about_nobody_else(gateway: GatewayDoor, form: str) -> None:
    """gateway.md, Metadata: another origin is 404, never an echo."""
    with trap() as url:
        resource = quote(form.format(url, url.removeprefix("http://")), safe="")
        answers = replies(gateway.port, http1("/.well-known/oauth-protected-resource?resource=" + resource))
        assert [reply.status for reply in answers] in ([400], [404])
        assert url.removeprefix("http://").encode() not in answers[0].body
