"""The development server: clients and tokens behind HTTP, and the same from Python for the demo and the tests."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ostiary.devserver.endpoints import AUTH_METHODS, LIFETIME_SECONDS, Endpoints, FormRequest
from ostiary.devserver.listener import Listener
from ostiary.devserver.tokens import MAX_TOKENS, Client, TokenStore, new_token
from ostiary.devserver.wire import MAX_BODY_BYTES, parse_form
from ostiary.oauth.metadata import DEVELOPMENT_MARK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from starlette.requests import Request

    from ostiary.oauth.json import JsonValue

TOKEN_PATH: Final = "/token"  # noqa: S105  # a path
INTROSPECTION_PATH: Final = "/introspect"
REVOCATION_PATH: Final = "/revoke"
METADATA_PATH: Final = "/.well-known/oauth-authorization-server"

_PRODUCT: Final = "ostiary-devserver (development only, never for production)"
_log: Final = logging.getLogger(__name__)


class DevelopmentServer:
    """An authorization server on loopback, for development.

    `stop` and `start` take it down and up again at the same URL, as an outage would; what it issued is kept.

    Args:
        clients: who may authenticate.
        host: a loopback address.
        port: 0 lets the operating system choose.
        clock: seconds since the epoch.
        max_tokens: how many tokens are remembered.

    Raises:
        ValueError: `host` is not a loopback address.
    """

    def __init__(
        self,
        clients: Iterable[Client],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], float] = time.time,
        max_tokens: int = MAX_TOKENS,
    ) -> None:
        self._clients = {client.client_id: client for client in clients}
        self._store = TokenStore(clock=clock, max_tokens=max_tokens)
        self._listener = Listener(self._application, host=host, port=port, product=_PRODUCT)

    @property
    def issuer(self) -> str:
        """The issuer identifier (RFC 8414 §2), which is the base URL; known from the first `start`."""
        return self._listener.base_url

    @property
    def introspections(self) -> int:
        """How many introspection requests there were, refused ones included."""
        return self._store.introspections

    def introspections_of(self, token: str) -> int:
        """How many of them were about one token."""
        return self._store.introspections_of(token)

    def mint(  # the members of an introspection answer
        self,
        *,
        client_id: str,
        subject: str | None = None,
        audience: Iterable[str] = (),
        scopes: Iterable[str] = (),
        lifetime_seconds: int | None = LIFETIME_SECONDS,
        claims_override: Mapping[str, JsonValue] | None = None,
    ) -> str:
        """Issue a token without a request: a user's, an expired one, one for many audiences, a broken one.

        Neither the client nor its scopes are checked.

        Args:
            client_id: whom the token was issued to.
            subject: the user it is for; None for a client of its own accord.
            audience: entries of `aud` in their order; empty leaves `aud` out.
            scopes: empty leaves `scope` out.
            lifetime_seconds: from now; negative for an expired token, None for one that never expires.
            claims_override: members of the introspection answer while the token is active, whatever they would be.

        Returns:
            The access token.
        """
        token = new_token()
        self._store.issue(
            token,
            client_id=client_id,
            subject=subject,
            audience=tuple(audience),
            scope=" ".join(scopes),
            lifetime_seconds=lifetime_seconds,
            claims_override=claims_override or {},
        )
        return token

    def revoke(self, token: str) -> None:
        """Make a token inactive."""
        self._store.revoke(token)

    def start(self) -> str:
        """Listen; the issuer. Says what it is in one line of the log."""
        issuer = self._listener.start()
        _log.warning("development authorization server at %s: never for production", issuer)
        return issuer

    def stop(self) -> None:
        """Refuse every connection, keep the port."""
        self._listener.stop()

    def close(self) -> None:
        """Stop for good."""
        self._listener.close()

    def _application(self) -> Starlette:
        routes = [
            Route(METADATA_PATH, self._metadata, methods=["GET"]),
            Route(TOKEN_PATH, self._token, methods=["POST"]),
            Route(INTROSPECTION_PATH, self._introspect, methods=["POST"]),
            Route(REVOCATION_PATH, self._revoke, methods=["POST"]),
        ]
        return Starlette(routes=routes, max_body_size=MAX_BODY_BYTES)

    async def _metadata(self, _: Request) -> Response:
        """RFC 8414 §3.2. There is no authorization endpoint, so the required list of response types is empty."""
        issuer = self.issuer
        scopes = sorted({scope for client in self._clients.values() for scope in client.scopes})
        return JSONResponse(
            {
                "issuer": issuer,
                "token_endpoint": issuer + TOKEN_PATH,
                "token_endpoint_auth_methods_supported": AUTH_METHODS,
                "introspection_endpoint": issuer + INTROSPECTION_PATH,
                "introspection_endpoint_auth_methods_supported": AUTH_METHODS,
                "revocation_endpoint": issuer + REVOCATION_PATH,
                "revocation_endpoint_auth_methods_supported": AUTH_METHODS,
                "grant_types_supported": ["client_credentials"],
                "response_types_supported": [],
                "scopes_supported": scopes,
                DEVELOPMENT_MARK: True,
            }
        )

    async def _token(self, request: Request) -> Response:
        return await self._answer(request, Endpoints.token)

    async def _introspect(self, request: Request) -> Response:
        return await self._answer(request, Endpoints.introspect)

    async def _revoke(self, request: Request) -> Response:
        return await self._answer(request, Endpoints.revoke)

    async def _answer(self, request: Request, endpoint: Callable[[Endpoints, FormRequest], Response]) -> Response:
        issuer = self.issuer  # known only once it listens, so `Endpoints` is made here
        endpoints = Endpoints(issuer=issuer, clients=self._clients, store=self._store)
        form = parse_form(request.headers.get("content-type", ""), await request.body())
        if form is None:
            return endpoints.refuse("the body is not a form, or repeats a parameter")
        # Two such headers make one that is no `Basic`.
        authorization = ", ".join(request.headers.getlist("authorization")) or None
        return endpoint(endpoints, FormRequest(issuer + request.url.path, authorization=authorization, form=form))
