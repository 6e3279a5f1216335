"""HTTP to an authority: bounded in time and in bytes, to the URL that was given and nowhere else.

Redirects are not followed, TLS is verified, nothing of the environment (proxies, `.netrc`) is heeded, no cookie is
kept. What goes wrong is a value; no text of an exception is repeated, because it can hold what was sent.

A connection has one question. Their order alone says which answer belongs to which question (RFC 9112 §9.3): on a
connection that is kept, a surplus answer is taken for what is said of the next token, and remembered, and one that
comes when that question is on its way cannot be told from the true one. A handshake is cheaper than a wrong identity.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Final

import httpx2

from ostiary.oauth.introspection import MAX_ANSWER_BYTES, Cause, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_CONNECTIONS: Final = 64

_HEADERS: Final = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",  # what is counted is what was sent: nothing to inflate
    "Connection": "close",
    "User-Agent": "ostiary",
}
_READ: Final = frozenset({HTTPStatus.OK, HTTPStatus.BAD_REQUEST})
# The first that fits.
_CAUSES: Final[tuple[tuple[type[Exception], Cause], ...]] = (
    (httpx2.TimeoutException, Cause.TIMEOUT),
    (httpx2.ConnectError, Cause.REFUSED),  # a name that does not resolve, too
    (httpx2.HTTPError, Cause.BROKEN),
    # A URL or a name in it that cannot even be looked up: configuration and metadata are only read so far.
    (httpx2.InvalidURL, Cause.REFUSED),
    (UnicodeError, Cause.REFUSED),
)

# The HTTP library's log repeats header lines of an answer, and an authority can repeat in them what it was sent.
_is_asking: Final[ContextVar[bool]] = ContextVar("_is_asking", default=False)
for _name in ("httpx2", "httpcore2.connection", "httpcore2.http11"):
    logging.getLogger(_name).addFilter(lambda _: not _is_asking.get())


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request.

    Attributes:
        content: None: a GET; otherwise the body of a POST. Never shown: it holds a token.
    """

    url: str
    headers: Mapping[bytes, bytes]
    content: bytes | None = None

    def __repr__(self) -> str:
        return f"Ask(url={self.url!r}, …)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A response.

    Attributes:
        media_type: `Content-Type` without parameters, lower case, or "".
        body: at most `MAX_ANSWER_BYTES`; read of 200 and 400 alone, otherwise empty.
    """

    status: int
    media_type: str
    body: bytes

    def __repr__(self) -> str:
        return f"Answer(status={self.status}, media_type={self.media_type!r}, {len(self.body)} bytes)"


class Wire:
    """The connections to one authority.

    Args:
        tls: how its certificate is verified.
    """

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._client = httpx2.AsyncClient(
            verify=tls,
            trust_env=False,
            follow_redirects=False,
            timeout=None,  # `ask` has one deadline for all of it
            headers=_HEADERS,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            limits=httpx2.Limits(
                max_connections=MAX_CONNECTIONS + 1,  # one more: metadata are read beside the questions
                max_keepalive_connections=0,
            ),
        )

    async def ask(self, ask: Ask, *, seconds: float) -> Answer | Unavailable:
        """Send a request and read its answer, all of it within `seconds`."""
        silenced = _is_asking.set(True)
        try:
            async with asyncio.timeout(seconds):
                return await self._exchange(ask)
        except TimeoutError:
            return Unavailable(cause=Cause.TIMEOUT)
        except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError) as error:
            return _explain(error)
        finally:
            _is_asking.reset(silenced)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def _exchange(self, ask: Ask) -> Answer | Unavailable:
        method = "GET" if ask.content is None else "POST"
        async with self._client.stream(method, ask.url, headers=ask.headers, content=ask.content) as response:
            body = b""
            if response.status_code in _READ:
                if response.headers.get("content-encoding", "identity").lower() != "identity":
                    return Unavailable(cause=Cause.NOT_JSON, note="a content encoding that was not asked for")
                read = await _read(response)
                if read is None:
                    return Unavailable(cause=Cause.TOO_LARGE)
                body = read
            media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            return Answer(status=response.status_code, media_type=media_type, body=body)


async def _read(response: httpx2.Response) -> bytes | None:
    """The body, or None as soon as it is too large; what is left of it is never read."""
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            return None
    return bytes(body)


def _explain(error: Exception) -> Unavailable:
    """The cause by the table, but TLS by what lies beneath; the note has words of this machine's libraries alone."""
    deepest: BaseException = error
    for each in _beneath(error):
        deepest = each
        if isinstance(each, ssl.SSLCertVerificationError):
            return Unavailable(cause=Cause.TLS, note=each.verify_message)
        if isinstance(each, ssl.SSLError):
            return Unavailable(cause=Cause.TLS, note=each.reason or "")
    cause = next(cause for kind, cause in _CAUSES if isinstance(error, kind))
    return Unavailable(cause=cause, note=type(deepest).__name__)


def _beneath(error: BaseException) -> Iterator[BaseException]:
    """The error and what caused it, the deepest last."""
    found: BaseException | None = error
    while found is not None:
        yield found
        # The HTTP library cuts the cause of what it raises again, never the context.
        beneath = found.__cause__ or found.__context__
        found = found.exceptions[0] if isinstance(found, BaseExceptionGroup) else beneath
