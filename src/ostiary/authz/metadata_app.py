"""Protected resource metadata (RFC 9728 §3): public documents, on a socket of their own. Bare ASGI.

Both locations: `/.well-known/oauth-protected-resource?resource=` a path or an absolute URL (spec 002 FR-004), and the
path behind the well-known name (RFC 9728 §3.1). Everything in a document comes from the configuration: the request's
`Host` only helps to find the route, and nothing that was asked is repeated but the normalised path of a route.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit

from ostiary.decision.dialects import CONTENT_TYPE, Answer, bkapi_body, bkapi_error, bkapi_headers
from ostiary.decision.hosts import parse_host
from ostiary.integrations.wire import send_answer
from ostiary.judge.paths import normalise
from ostiary.oauth.metadata import WELL_KNOWN_RESOURCE, ResourceMetadata
from ostiary.oauth.resource import Origin, parse_origin

if TYPE_CHECKING:
    from ostiary.authz.registry import Generation, Generations
    from ostiary.decision.routes import Route
    from ostiary.integrations.wire import Receive, Scope, Send

_PREFIX: Final = WELL_KNOWN_RESOURCE.encode("ascii")
_ALLOW: Final = ("allow", "GET, HEAD")
_CORS: Final = ("access-control-allow-origin", "*")
# Browsers ask first when a client adds a header of its own, such as `MCP-Protocol-Version`.
_PREFLIGHT: Final = Answer(
    status=200,
    headers=(
        _CORS,
        ("access-control-allow-methods", "GET, HEAD"),
        ("access-control-allow-headers", "*"),
        ("access-control-max-age", "300"),
    ),
    body=b"",
)
# RFC 3986 §2, §3.1: what a path or a URL is written with; a fragment names no resource (RFC 8707 §2).
_URL: Final = re.compile(r"(?:/|[A-Za-z][A-Za-z0-9+.\-]*://)(?:[A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})*")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A resource that was asked for.

    Attributes:
        origin: None where only a path was given.
        host: what routes are found by.
        path: as it was written, without query.
    """

    origin: Origin | None
    host: str
    path: str


class MetadataApp:
    """Answers from the newest generation. Answers 404 where no route is, 400 to what is no URL, 405 to other methods.

    Args:
        generations: of this worker.
    """

    def __init__(self, generations: Generations) -> None:
        self._generations = generations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - the body is never read
        """ASGI 3, `http` alone."""
        raw_path: bytes = scope["raw_path"]
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        inserted = raw_path.removeprefix(_PREFIX)
        if not raw_path.startswith(_PREFIX) or (inserted and not inserted.startswith(b"/")):
            answer = _error(404)
        elif scope["method"] in {"GET", "HEAD"}:
            host = next((value for name, value in headers if name == b"host"), b"").decode("latin-1")
            asked = _read(inserted, scope["query_string"], host)
            answer = asked if isinstance(asked, Answer) else self._answer(asked)
        elif scope["method"] == "OPTIONS" and any(name == b"access-control-request-method" for name, _ in headers):
            answer = _PREFLIGHT
        else:
            answer = _error(405, _ALLOW)
        await send_answer(send, answer)

    def _answer(self, asked: _Asked) -> Answer:
        generation = self._generations.newest
        if generation is None:
            return _error(503, ("retry-after", "1"))
        path = normalise(asked.path or "/")
        if path is None:
            return _error(404)
        route = _find(generation, asked, path)
        if route is None or route.unsafe_anonymous or route.policy.authority is None:
            return _error(404)  # where nothing is judged nothing is protected
        return Answer(
            status=200,
            headers=(("content-type", "application/json"), ("cache-control", "max-age=300"), _CORS),
            body=_document(route, path).to_json(),
        )


def _read(inserted: bytes, query: bytes, host: str) -> _Asked | Answer:
    """What is asked for, or the 400."""
    if inserted or not query:
        return _Asked(origin=None, host=host, path=inserted.decode("latin-1"))
    try:
        fields = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError:
        return _error(400)
    values = [value for name, value in fields if name == "resource"]
    if len(values) != 1 or _URL.fullmatch(values[0]) is None:
        return _error(400)
    if values[0].startswith("/"):
        return _Asked(origin=None, host=host, path=values[0].partition("?")[0])
    origin = parse_origin(values[0])
    if origin is None:
        return _error(404)
    host = "[" + origin.host + "]" if ":" in origin.host else origin.host
    return _Asked(origin=origin, host=host, path=urlsplit(values[0]).path)


def _find(generation: Generation, asked: _Asked, path: str) -> Route | None:
    """The route whose resource this is, whatever may be done with it; for `/` also the one that speaks for it."""
    table = generation.judge.table
    route = table.match_any_method(host=asked.host, path=path)
    if path == "/" and route is None and generation.metadata_root is not None:
        route = table.named(generation.metadata_root)
        host = parse_host(asked.host)
        if route is not None and route.match.host not in {None, None if host is None else host.name}:
            return None
    # A resource of another origin is another resource (RFC 9728 §3.3), even where the path is one of ours.
    if route is None or asked.origin not in {None, route.publication.parsed}:
        return None
    return route


def _document(route: Route, path: str) -> ResourceMetadata:
    return ResourceMetadata(
        resource=route.publication.origin + ("" if path == "/" else path),
        authorization_servers=(route.policy.issuer,),
        scopes_supported=tuple(dict.fromkeys((*route.policy.scopes, *route.metadata.scopes_supported))),
        resource_name=route.metadata.resource_name,
        resource_documentation=route.metadata.resource_documentation,
    )


def _error(status: int, *headers: tuple[str, str]) -> Answer:
    """The product's error body; a browser may read it too. Envoy puts its own reference over ours."""
    error = bkapi_error(status)
    reference = str(uuid.uuid4())
    return Answer(
        status=status,
        headers=(
            ("content-type", CONTENT_TYPE),
            *bkapi_headers(error, error.message),
            _CORS,
            *headers,
            ("x-request-id", reference),
            ("x-bkapi-request-id", reference),
        ),
        body=bkapi_body(error, error.message),
    )
