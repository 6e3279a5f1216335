"""The endpoints, on Authlib's framework-free core: grants, answers and errors are its, the rest is a few corrections.

Corrected, each because an RFC says so:

- RFC 6749 §2.3.1: client id and secret are *form*-decoded, `+` included; Authlib 1.9 leaves `+` as it is.
- RFC 6749 §5.2: credentials that do not fit are 401 with a challenge, whichever way they came.
- RFC 6749 §5.2: a missing `grant_type` is `invalid_request`, not an unsupported one.
- RFC 7009 §2.2, RFC 7662 §2.1: a token type hint that nobody knows is ignored, not an error.
- Authlib writes issued tokens to its debug log; a token is never logged.

Not checked: which client may ask for which audience, or introspect which token. It is a development server.
"""

from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING, Any, Final

from authlib.oauth2.rfc6749 import (  # type: ignore[import-untyped]  # Authlib ships no types
    AuthorizationServer,
    ClientCredentialsGrant,
    InvalidClientError,
    InvalidRequestError,
    OAuth2Error,
    OAuth2Payload,
    OAuth2Request,
)
from authlib.oauth2.rfc6750 import BearerTokenGenerator  # type: ignore[import-untyped]  # the same
from authlib.oauth2.rfc7009 import RevocationEndpoint  # type: ignore[import-untyped]  # the same
from authlib.oauth2.rfc7662 import IntrospectionEndpoint  # type: ignore[import-untyped]  # the same
from starlette.responses import JSONResponse, Response

from ostiary.devserver.tokens import new_token
from ostiary.devserver.wire import is_resource, parse_basic

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ostiary.devserver.tokens import Client, Token, TokenStore
    from ostiary.devserver.wire import Form

LIFETIME_SECONDS: Final = 3600
AUTH_METHODS: Final = ["client_secret_basic", "client_secret_post"]


class FormRequest(OAuth2Request):  # type: ignore[misc]  # Authlib ships no types
    """A POST to an endpoint, as Authlib reads it.

    Args:
        uri: of the endpoint, by its own name: what the client wrote in `Host` decides nothing.
        authorization: the `Authorization` header as sent, or None.
        form: the body.
    """

    def __init__(self, uri: str, *, authorization: str | None, form: Form) -> None:
        super().__init__("POST", uri)
        self.authorization = authorization
        self.payload = _Payload(form)

    @property
    def form(self) -> dict[str, str]:
        """Each parameter's first value, which is the only one but for `audience` and `resource`."""
        data: dict[str, str] = self.payload.data
        return data


class _Payload(OAuth2Payload):  # type: ignore[misc]  # Authlib ships no types
    def __init__(self, form: Form) -> None:
        self._form = form

    @property
    def data(self) -> dict[str, str]:
        return {name: values[0] for name, values in self._form.items()}

    @property
    def datalist(self) -> Form:
        return self._form


class Endpoints(AuthorizationServer):  # type: ignore[misc]  # Authlib ships no types
    """Token, introspection and revocation endpoint. Each takes a `FormRequest` and gives a Starlette response."""

    def __init__(self, *, issuer: str, clients: Mapping[str, Client], store: TokenStore) -> None:
        super().__init__()
        self.issuer = issuer
        self.clients = clients
        self.store = store
        self.register_grant(_ClientCredentials)
        self.register_endpoint(_Introspection)
        self.register_endpoint(_Revocation)
        self.register_token_generator("default", BearerTokenGenerator(_new_token, expires_generator=LIFETIME_SECONDS))

    def token(self, request: FormRequest) -> Response:
        """RFC 6749 §3.2."""
        if request.payload.grant_type is None:
            return self.refuse("grant_type is missing")
        response: Response = self.create_token_response(request)
        return response

    def introspect(self, request: FormRequest) -> Response:
        """RFC 7662 §2."""
        self.store.count_introspection(request.form.get("token"))
        response: Response = self.create_endpoint_response("introspection", request)
        return response

    def revoke(self, request: FormRequest) -> Response:
        """RFC 7009 §2."""
        response: Response = self.create_endpoint_response("revocation", request)
        return response

    def refuse(self, description: str) -> Response:
        """400 `invalid_request` (RFC 6749 §5.2)."""
        response: Response = self.handle_error_response(None, InvalidRequestError(description))
        return response

    def authenticate_client(self, request: FormRequest, methods: Iterable[str], endpoint: str = "token") -> Client:  # noqa: ARG002  # Authlib's signature
        """RFC 6749 §2.3.1, one way at a time."""
        data = request.form
        if request.authorization is None:
            credentials = (data["client_id"], data["client_secret"]) if data.keys() >= _POST_FIELDS else None
        elif "client_secret" in data:
            raise InvalidRequestError("the client authenticates in two ways")
        else:
            credentials = parse_basic(request.authorization)
        client = self.clients.get(credentials[0]) if credentials else None
        if credentials is None or client is None or not compare_digest(client.secret.encode(), credentials[1].encode()):
            raise _UnknownClientError
        return client

    def save_token(self, token: Mapping[str, Any], request: FormRequest) -> None:
        """What was issued at the token endpoint; RFC 8707 `resource` and `audience` become `aud`."""
        self.store.issue(
            token["access_token"],
            client_id=request.client.client_id,
            subject=None,
            audience=_audience(request),
            scope=token.get("scope", ""),
            lifetime_seconds=token["expires_in"],
            claims_override={},
        )

    def create_oauth2_request(self, request: FormRequest) -> FormRequest:
        """A `FormRequest` is one already."""
        return request

    def handle_response(self, status: int, body: object, headers: Iterable[tuple[str, str]]) -> Response:
        """Authlib's answer as Starlette's."""
        return JSONResponse(body, status, headers=dict(headers))

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """Nobody listens to Authlib's signals."""


_POST_FIELDS: Final = frozenset({"client_id", "client_secret"})


class _UnknownClientError(InvalidClientError):  # type: ignore[misc]  # Authlib ships no types
    """RFC 6749 §5.2 with the challenge of RFC 7617 §2, which demands a realm."""

    status_code = 401
    description = "client authentication failed"

    def get_headers(self) -> list[tuple[str, str]]:
        return [*OAuth2Error.get_headers(self), ("WWW-Authenticate", 'Basic realm="ostiary-devserver"')]


class _InvalidTargetError(OAuth2Error):  # type: ignore[misc]  # Authlib ships no types
    """RFC 8707 §2."""

    error = "invalid_target"
    description = "resource is not an absolute URI without a fragment"


class _ClientCredentials(ClientCredentialsGrant):  # type: ignore[misc]  # Authlib ships no types
    """RFC 6749 §4.4."""

    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS

    def validate_token_request(self) -> None:
        super().validate_token_request()
        if not all(map(is_resource, self.request.payload.datalist.get("resource", ()))):
            raise _InvalidTargetError

    def create_token_response(self) -> tuple[int, Mapping[str, Any], list[tuple[str, str]]]:
        token = self.generate_token(scope=self.request.payload.scope, include_refresh_token=False)
        self.save_token(token)
        return 200, token, self.TOKEN_RESPONSE_HEADER


class _Introspection(IntrospectionEndpoint):  # type: ignore[misc]  # Authlib ships no types
    """RFC 7662; a token that is not active is told apart from none by nothing."""

    CLIENT_AUTH_METHODS = AUTH_METHODS

    def check_params(self, request: FormRequest, client: Client) -> None:  # noqa: ARG002  # Authlib's signature
        _require_token(request)

    def query_token(self, token_string: str, token_type_hint: str | None) -> Token | None:  # noqa: ARG002  # the same
        found: Token | None = self.server.store.find(token_string)
        return found

    def check_permission(self, token: Token, client: Client, request: FormRequest) -> bool:  # noqa: ARG002  # the same
        return True

    def create_introspection_payload(self, token: Token | None) -> dict[str, Any]:
        if token is None:
            return {"active": False}
        return {"active": True, "iss": self.server.issuer} | dict(token.answer)


class _Revocation(RevocationEndpoint):  # type: ignore[misc]  # Authlib ships no types
    """RFC 7009; a token that is not known is revoked already (§2.2), another client's is `invalid_grant` (§2.1)."""

    CLIENT_AUTH_METHODS = AUTH_METHODS

    def check_params(self, request: FormRequest, client: Client) -> None:  # noqa: ARG002  # Authlib's signature
        _require_token(request)

    def query_token(self, token_string: str, token_type_hint: str | None) -> Token | None:  # noqa: ARG002  # the same
        found: Token | None = self.server.store.find(token_string)
        return found

    def revoke_token(self, token: Token, request: FormRequest) -> None:  # noqa: ARG002  # the same
        self.server.store.revoke(request.form["token"])


def _require_token(request: FormRequest) -> None:
    if "token" not in request.form:
        raise InvalidRequestError("token is missing")


def _audience(request: FormRequest) -> tuple[str, ...]:
    asked: Form = request.payload.datalist
    return tuple(dict.fromkeys(asked.get("audience", []) + asked.get("resource", [])))


def _new_token(**_: object) -> str:
    return new_token()
