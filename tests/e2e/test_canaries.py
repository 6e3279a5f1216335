"""No credential is found in anything that the gateway writes, says or shows, whatever happens to a request.

One gateway, at the most talkative level there is, goes through many kinds of requests and of failing authorities. Then
everything that it left is searched for each credential, and for pieces of each in the forms that it may have taken.
"""

from __future__ import annotations

import base64
import hashlib
import json
import signal
import socket
import sys
from contextlib import closing, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from http.client import HTTPResponse
from io import StringIO
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from tests.authorities.peer import rfc7662
from tests.e2e.authority import Authority, active, hangs, says
from tests.e2e.running import Reply, request
from tests.e2e.serving import Served, serving, write

from ostiary.cli import run
from ostiary.devserver import Listener, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from starlette.requests import Request
    from tests.e2e.authority import Answering

    from ostiary.oauth.json import JsonValue

_PIECE: Final = 12  # characters; a credential that was cut is one all the same
_END: Final = b"HTTP/1.1\r\nHost: bkapi.example.com\r\nConnection: close\r\n"


def _canary(name: str) -> str:
    """Characters of RFC 6750's b64token, `+` and `/` among them; no two have a piece in common."""
    return base64.b64encode(hashlib.sha256(name.encode()).digest() * 2).decode().rstrip("=")


# What a client sends, and where.
_CALM: Final = (
    "good",
    "unknown",
    "posted",
    "bkauth",
    "talkative",
    "echoing",
    "babbling",
    "lying",
    "mistyped",
    "malexpiring",
)
_FAILING: Final = ("erring", "bk-erring", "refusing", "page", "redirecting", "cut", "hung")
TOKENS: Final = {name: _canary(name) for name in (*_CALM, *_FAILING)}
ELSEWHERE: Final = {
    name: _canary(name)
    for name in ("malformed", "query", "fragment", "cookie", "legacy", "ticket", "basic", "dpop", "second", "body")
}
ELSEWHERE["userinfo"] = _canary("userinfo").replace("/", "-").replace("+", "-")
# What the gateway itself holds.
SECRETS: Final = {name: _canary(name) for name in ("SECRET", "POST_SECRET", "BK_SECRET", "OPERATOR")}
# What somebody tries at the operators' listener, and what an operator writes where a reference belongs.
MISTAKES: Final = {name: _canary(name) for name in ("wrong-operator", "literal")}
CANARIES: Final = {**TOKENS, **ELSEWHERE, **SECRETS, **MISTAKES}


def pieces(value: str) -> set[bytes]:
    """The beginning and the end of a credential in each form that it may be found in."""
    escaped = {value, quote(value, safe=""), quote(value), quote_plus(value), json.dumps(value)[1:-1]}
    texts = {form.encode() for form in escaped}
    # In base64 it depends on what stands before: three alignments, without the characters that neighbours share.
    for form in tuple(texts):
        for offset, foreign in ((0, 0), (1, 2), (2, 3)):
            whole = form[: len(form) - (len(form) + offset) % 3]
            texts.add(base64.b64encode(b"\0" * offset + whole)[foreign:])
            texts.add(base64.urlsafe_b64encode(b"\0" * offset + whole)[foreign:])
    return {piece for text in texts for piece in (text[:_PIECE], text[-_PIECE:])}


@dataclass(kw_only=True)
class Left:
    """All that there is to search, by where it was found; and what it is compared with."""

    found: dict[str, bytes] = field(default_factory=dict)
    replies: dict[str, Reply] = field(default_factory=dict)
    asked: bytes = b""
    upstream: bytes = b""
    commands: dict[int, str] = field(default_factory=dict)

    def where(self, words: bytes) -> list[str]:
        return [place for place, content in self.found.items() if words in content]

    def add_files(self, folder: Path, moment: str) -> None:
        for path in folder.rglob("*"):
            if path.is_file():
                self.found[f"{moment}: {path.relative_to(folder)}"] = path.read_bytes()

    def add_reply(self, name: str, reply: Reply) -> None:
        self.replies[name] = reply
        head = "\n".join(f"{header}: {value}" for header, value in reply.headers)
        self.found[f"answer to {name}"] = head.encode("latin-1") + b"\n\n" + reply.body


def _repeats(status: int) -> Answering:
    """Fail, and send back all that was sent."""

    async def answer(request: Request) -> Response:
        head = "\n".join(f"{name}: {value}" for name, value in request.headers.items())
        body = (await request.body()).decode()
        return JSONResponse({"error": "server_error", "error_description": [body, head]}, status, {"X-Sent": body})

    return answer


async def _page(request: Request) -> Response:
    return Response(b"<html>" + await request.body() + b"</html>", media_type="text/html")


async def _redirects(request: Request) -> Response:
    return RedirectResponse("/elsewhere?" + (await request.body()).decode())


async def _is_cut(request: Request) -> Response:
    body = await request.body()
    return Response(b'{"active": true, "client_id": "' + body, media_type="application/json")


def _authority() -> Authority:
    token = TOKENS
    said: dict[str, JsonValue] = {"token": token["talkative"], "nested": [{SECRETS["SECRET"]: token["talkative"]}]}
    answers = {
        token["good"]: says(active()),
        token["posted"]: says(active()),
        token["bkauth"]: says(active(bk_app_code="reader", bk_username="alice")),
        token["erring"]: _repeats(500),
        token["bk-erring"]: _repeats(500),
        token["refusing"]: _repeats(401),
        token["page"]: _page,
        token["redirecting"]: _redirects,
        token["cut"]: _is_cut,
        token["hung"]: hangs,
        token["lying"]: says(active(iss="https://op.example.com/" + token["lying"])),
        token["mistyped"]: says(active(token_type=token["mistyped"])),
        token["malexpiring"]: says(active(exp=token["malexpiring"], aud={token["malexpiring"]: 1})),
        token["talkative"]: says(active() | said),
        token["echoing"]: says(
            active(sub=token["echoing"], aud=["gateway:" + token["echoing"]]) | {token["echoing"]: 1}
        ),
        token["babbling"]: says({"active": False, "error_description": token["babbling"], "hint": SECRETS["SECRET"]}),
    }
    return Authority(answers)


def _members(authority: str, upstream: str) -> dict[str, JsonValue]:
    corp = rfc7662(authority, client_id="gate", timeout="500ms")
    post: dict[str, JsonValue] = {**corp, "client_auth": "client_secret_post", "client_secret": {"env": "POST_SECRET"}}
    bkauth: dict[str, JsonValue] = {
        "kind": "bkauth",
        "issuer": authority,
        "url": authority,
        "app_code": "gate",
        "app_secret": {"env": "BK_SECRET"},
    }
    servers: dict[str, JsonValue] = {"corp": corp, "post": post, "bkauth": bkauth, "broken": {**corp}}
    routes: list[JsonValue] = [
        _route("api", upstream),
        _route("post", upstream, authorization_server="post"),
        _route("bkauth", upstream, authorization_server="bkauth"),
        _route("broken", upstream, authorization_server="broken"),
        _route("dead", "http://127.0.0.1:1"),
        _route("open", upstream, unsafe_anonymous=True),
    ]
    return {
        "gateway": {"public_url": "https://bkapi.example.com", "limits": {"header_bytes": "8KiB"}},
        "authorization_servers": servers,
        "routes": routes,
    }


def _route(name: str, upstream: str, **more: JsonValue) -> dict[str, JsonValue]:
    own: dict[str, JsonValue] = {
        "name": name,
        "gateway": "my-gateway",
        "resource": "my-api",
        "match": {"path": "/" + name},
        "upstream": upstream,
        "authorization_server": "corp",
    }
    return own | more


def _bearer(token: str) -> tuple[str, bytes]:
    return "Authorization", b"Bearer " + token.encode()


_LEGACY: Final = json.dumps(
    {"bk_app_code": ELSEWHERE["legacy"], "bk_app_secret": ELSEWHERE["legacy"], "bk_ticket": ELSEWHERE["ticket"]}
).encode()
_BASIC: Final = ("Authorization", b"Basic " + base64.b64encode(b"reader:" + ELSEWHERE["basic"].encode()))
# Under a second name, which redaction does not know: that nothing is written must not be redaction's merit alone.
_QUERY: Final = "?access_token={0}&key={0}".format(quote(ELSEWHERE["query"], safe=""))
_COOKIE: Final = ("Cookie", b"session=" + ELSEWHERE["cookie"].encode())
_GOOD: Final = _bearer(TOKENS["good"])

# Name → target, headers, expected status.
REQUESTS: Final[Mapping[str, tuple[str, tuple[tuple[str, bytes], ...], int]]] = {
    "good": ("/api/a", (_GOOD,), 200),
    "good, remembered": ("/api/a", (_GOOD, _COOKIE), 200),
    "posted": ("/post", (_bearer(TOKENS["posted"]),), 200),
    "bkauth": ("/bkauth", (_bearer(TOKENS["bkauth"]),), 200),
    "unknown": ("/api", (_bearer(TOKENS["unknown"]),), 401),
    "malformed": ("/api", (_bearer('"' + ELSEWHERE["malformed"] + '"'),), 401),
    "too long": ("/api", (_bearer(ELSEWHERE["malformed"] * 70),), 401),
    "query": ("/api" + _QUERY, (), 401),
    "query and good": ("/api" + _QUERY, (_GOOD,), 200),
    "cookie": ("/api", (_COOKIE,), 401),
    "legacy": ("/api", (("X-Bkapi-Authorization", _LEGACY),), 400),
    "legacy and good": ("/api", (("X-Bkapi-Authorization", _LEGACY), _GOOD), 400),
    "basic": ("/api", (_BASIC,), 401),
    "another scheme": ("/api", (("Authorization", b"DPoP " + ELSEWHERE["dpop"].encode()),), 401),
    "two tokens": ("/api", (_GOOD, _bearer(ELSEWHERE["second"])), 400),
    "no user": ("/post", (_BASIC, _COOKIE), 401),
    "anonymous": ("/open", (_bearer(TOKENS["unknown"]),), 200),
    "dead upstream": ("/dead", (_GOOD,), 503),
    "no route": ("/nowhere" + _QUERY, (_GOOD,), 404),
    "escaped slash": ("/api/a%2fb" + _QUERY, (_GOOD,), 400),
    "too much": ("/api", (_GOOD, ("X-Much", ELSEWHERE["second"].encode() * 110)), 431),
    "alias": ("/api", (("X_Bkapi_Authorization", _LEGACY),), 400),
    "document": (f"/.well-known/oauth-protected-resource?resource=%2Fapi{quote(_QUERY)}", (_GOOD,), 200),
    "lying": ("/api", (_bearer(TOKENS["lying"]),), 401),
    "mistyped": ("/api", (_bearer(TOKENS["mistyped"]),), 401),
    "malexpiring": ("/api", (_bearer(TOKENS["malexpiring"]),), 401),
    "talkative": ("/api", (_bearer(TOKENS["talkative"]),), 200),
    "echoing": ("/api", (_bearer(TOKENS["echoing"]),), 401),
    "babbling": ("/api", (_bearer(TOKENS["babbling"]),), 401),
    "page": ("/broken", (_bearer(TOKENS["page"]),), 503),
    "redirecting": ("/broken", (_bearer(TOKENS["redirecting"]),), 503),
    "cut": ("/broken", (_bearer(TOKENS["cut"]),), 503),
    "erring": ("/broken", (_bearer(TOKENS["erring"]),), 503),
    "refusing": ("/broken", (_bearer(TOKENS["refusing"]),), 503),
    "hung": ("/broken", (_bearer(TOKENS["hung"]),), 503),
    "bk-erring": ("/bkauth", (_bearer(TOKENS["bk-erring"]),), 503),
}
NOT_JUDGED: Final = {"anonymous", "document"}  # so there is no record
# What is no request, or one that Envoy answers before it looks at routes.
RAW: Final[Mapping[str, tuple[bytes, int]]] = {
    "two lengths": (b"GET /api " + _END + b"%(good)sContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
    "no host": (b"GET /api HTTP/1.1\r\n%(good)s\r\n", 400),
    "a space in a name": (b"GET /api " + _END + b"Authorization : Bearer %(second)s\r\n\r\n", 400),
    "a token for a method": (b"%(userinfo)s /api " + _END + b"\r\n", 400),
    "a token for a version": (b"GET /api %(userinfo)s\r\n\r\n", 400),
    "trace": (b"TRACE /api " + _END + b"%(good)s\r\n", 404),
    "user information": (b"GET http://alice:%(userinfo)s@bkapi.example.com/api " + _END + b"\r\n", 401),
    "user information in Host": (b"GET /api HTTP/1.1\r\nHost: alice:%(userinfo)s@h\r\n\r\n", 400),
    # RFC 6749 §4.2.2: the fragment is where the implicit grant puts tokens.
    "a fragment": (b"GET /api#%(fragment)s " + _END + b"\r\n", 400),
}
# Name → headers and target at the operators' listener, expected status.
OPERATORS: Final[Mapping[str, tuple[str, tuple[tuple[str, bytes], ...], int]]] = {
    "wrong token": ("/metrics", (_bearer(MISTAKES["wrong-operator"]),), 401),
    "token in the query": ("/metrics?access_token=" + quote(MISTAKES["wrong-operator"], safe=""), (), 401),
    "client's token": ("/metrics", (_GOOD,), 401),
    "no such page": ("/" + quote(MISTAKES["wrong-operator"], safe=""), (_bearer(SECRETS["OPERATOR"]),), 404),
    "metrics": ("/metrics", (_bearer(SECRETS["OPERATOR"]),), 200),
}


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Left:
    """What is left after all of it."""
    left = Left()
    seen: list[bytes] = []

    async def upstream(request: Request) -> Response:
        seen.append(b"\n".join([b": ".join(pair) for pair in request.headers.raw]))
        return Response(b"here you are")

    every = Route("/{path:path}", upstream)
    authority = _authority()
    folder = tmp_path_factory.mktemp("k")
    with serve(authority) as url, closing(Listener(lambda: Starlette(routes=[every]))) as listener:
        file = write(folder, _members(url, listener.start()))
        with serving(file, SECRETS) as served:
            left.commands = served.family if sys.platform == "linux" else {}
            _send_all(served, left)
            left.add_files(served.data_dir, "serving")
            assert _reload_badly_and_well(served)
            left.add_files(served.data_dir, "reloaded")
            assert served.end(signal.SIGTERM) == 0
    left.add_files(served.data_dir, "ended")
    _ask_commands(file, left)
    left.found["standard output"] = b"".join(served.stdout.lines)
    left.found["standard error"] = b"".join(served.stderr.lines)
    left.asked, left.upstream = b"\n".join(authority.received), b"\n".join(seen)
    return left


def _send_all(served: Served, left: Left) -> None:
    for name, (target, headers, _) in REQUESTS.items():
        left.add_reply(name, served.send("GET", target, headers))
    body = "access_token={0}&key={0}".format(quote(ELSEWHERE["body"], safe="")).encode()
    left.add_reply("body", served.send("POST", "/api", (("Content-Type", b"application/x-www-form-urlencoded"),), body))
    canaries = {name.encode(): value.encode() for name, value in ELSEWHERE.items()}
    canaries[b"good"] = b"Authorization: " + _GOOD[1] + b"\r\n"
    for name, (raw, _) in RAW.items():
        left.add_reply(name, _exchange(served.port, raw % canaries))
    for name, (target, headers, _) in OPERATORS.items():
        left.add_reply(name, request(served.operator_port, "GET", target, headers))


def _exchange(port: int, raw: bytes) -> Reply:
    """The answer to bytes as they are given."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(raw)
        with closing(HTTPResponse(connection)) as response:
            response.begin()
            headers = tuple((name.lower(), value) for name, value in response.getheaders())
            return Reply(status=response.status, headers=headers, body=response.read())


def _reload_badly_and_well(served: Served) -> bool:
    """A secret where its reference belongs, then another route."""
    text = served.file.read_text()
    served.file.write_text(text.replace('{"env": "SECRET"}', json.dumps(MISTAKES["literal"])))
    served.process.send_signal(signal.SIGHUP)
    refused = served.stderr.wait_for(b"nothing has changed")
    served.file.write_text(text.replace('"/open"', '"/opened"'))
    served.process.send_signal(signal.SIGHUP)
    return refused and served.stderr.wait_for(b'"reloaded"')


def _ask_commands(file: Path, left: Left) -> None:
    """What an operator is shown of each request, and of one that nobody sent."""
    for name in {*REQUESTS, *RAW} - NOT_JUDGED:
        left.found[f"explain {name}"] = _command("explain", left.replies[name].reference, "-c", str(file), "--json")
    for name in ("good", "legacy", "lying", "erring"):
        left.found[f"show {name}"] = _command("explain", left.replies[name].reference, "-c", str(file))
    header = "Authorization: Bearer " + TOKENS["good"]
    left.found["decide"] = _command("decide", "-c", str(file), "--path", "/api" + _QUERY, "--header", header)


def _command(*arguments: str) -> bytes:
    said = StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        run(arguments, SECRETS)
    return said.getvalue().encode()


def test_requests_come_to_what_they_should(left: Left) -> None:
    """Ours: a search after requests that went nowhere would find nothing in any case."""
    expected = {name: row[-1] for name, row in (*REQUESTS.items(), *RAW.items(), *OPERATORS.items())}
    assert {name: left.replies[name].status for name in expected} == expected


def test_the_search_finds_what_must_be_there(left: Left) -> None:
    """Ours: it can fail."""
    # Each credential that the authority was shown is found in what it was shown, in the form it was sent in.
    asked = [*TOKENS, "SECRET", "POST_SECRET", "BK_SECRET"]
    assert [name for name in asked if not any(piece in left.asked for piece in pieces(CANARIES[name]))] == []
    # A fingerprint and a reference are found in the log's file, in its lines and in what `explain` says.
    digest = hashlib.sha256(TOKENS["good"].encode()).hexdigest()[:12].encode()
    for words in (digest, left.replies["good"].reference.encode()):
        places = left.where(words)
        assert [place for place in places if "decisions.sqlite" in place and place.startswith("ended")]
        assert {"standard error", "explain good", "show good"} <= set(places)
    assert left.where(b"ext_authz")  # the files of Envoy
    assert left.where(b"ostiary_decisions_total") == ["answer to metrics"]
    assert left.where(b"not reloaded") == ["standard error"]


@pytest.mark.parametrize("name", CANARIES)
def test_no_credential_is_found_anywhere(name: str, left: Left) -> None:
    """operator.md: never a token, a secret, a body; conventions 11: never in a log, a repr or an exception."""
    assert {place: piece for piece in pieces(CANARIES[name]) for place in left.where(piece)} == {}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows command lines in /proc")
def test_no_credential_is_on_a_command_line(left: Left) -> None:
    """Ours: everybody on a machine reads the list of its processes."""
    assert len(left.commands) >= 3  # the supervisor, a worker and Envoy
    shown = "\n".join(left.commands.values()).encode()
    assert b"ostiary serve" in shown
    assert [name for name, value in CANARIES.items() if any(piece in shown for piece in pieces(value))] == []


def test_no_credential_of_a_client_reaches_the_upstream(left: Left) -> None:
    """gateway.md, Identity for the upstream: the client's credentials never reach it; its cookies and its query do."""
    ours = {name: value for name, value in CANARIES.items() if name not in ("cookie", "query")}
    assert [name for name, value in ours.items() if any(piece in left.upstream for piece in pieces(value))] == []
    assert ELSEWHERE["cookie"].encode() in left.upstream


@pytest.mark.parametrize("shape", [str, quote, lambda text: base64.b64encode(b"x:" + text.encode()).decode()])
def test_each_form_of_a_credential_is_found_in_a_line(shape: Callable[[str], str]) -> None:
    """Ours: the searcher is itself tested."""
    line = f"before {shape(TOKENS['good'])} after".encode()
    assert any(piece in line for piece in pieces(TOKENS["good"]))
    assert not any(piece in line for piece in pieces(TOKENS["unknown"]))
