"""The sections `authorization_servers` and `token_cache`."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field, JsonValue

from ostiary.config import (
    Complaint,
    Duration,
    HttpUrl,
    IssuerUrl,
    OriginUrl,
    RootSettings,
    SecretReference,
    Section,
    Settings,
    Size,
    Table,
    later,
    refuse_insecure_http,
    within,
)
from ostiary.oauth.introspection import Expected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ostiary.config import Configuration, KeyPath

# RFC 9110 §5.5: a field value has no control characters and begins and ends with neither space nor tab.
_FIELD_VALUE: Final = re.compile(r"[^\x00-\x20\x7f](?:[^\x00-\x08\x0a-\x1f\x7f]*[^\x00-\x20\x7f])?")


class ClientAuth(StrEnum):
    """How we say who we are (RFC 6749 §2.3.1)."""

    BASIC = "client_secret_basic"
    POST = "client_secret_post"


class BkauthShape(StrEnum):
    """What a bkauth answers with."""

    INTROSPECT = "introspect"
    VERIFY = "verify_oauth2_access_token"


class ServerSettings(Settings):
    """What every authorization server has."""

    issuer: IssuerUrl
    """RFC 8414 §2, compared with the `iss` of an answer."""
    timeout: Annotated[Duration, within("1ms", "60s")] = 2.0
    """For one question, from the first byte sent to the last one read."""
    leeway: Annotated[Duration, within("0s", "60s")] = 0.0
    """How far its clock may be from ours."""
    require_exp: bool = True
    """An answer without `exp` is not usable."""
    allow_insecure_http: bool = False
    """Plain http to an address that is not loopback: tokens and our secret are readable on the way."""


class Rfc7662Settings(ServerSettings):
    """A server that speaks RFC 7662."""

    kind: Literal["rfc7662"]
    """RFC 7662."""
    introspection_endpoint: HttpUrl | None = None
    """Null: discovered from the issuer (RFC 8414, then OpenID Connect)."""
    endpoint_origins: tuple[OriginUrl, ...] = ()
    """Origins other than the issuer's that a discovered endpoint may have."""
    client_id: str = Field(min_length=1)
    """Who we are to the server."""
    client_secret: SecretReference
    """Ours at the server."""
    client_auth: ClientAuth = ClientAuth.BASIC
    """RFC 6749 §2.3.1: in a header or in the body."""
    username_claim: str = Field(default="sub", min_length=1)
    """The claim that names the user."""

    @property
    def expected(self) -> Expected:
        """What its answers must be like."""
        return Expected(issuer=self.issuer, require_exp=self.require_exp, username=(self.username_claim,))


class BkauthSettings(ServerSettings):
    """BlueKing's server."""

    kind: Literal["bkauth"]
    """BlueKing's."""
    url: IssuerUrl
    """Where it listens."""
    realm: str = Field(default="blueking", pattern=r"^[A-Za-z0-9_-]+$")
    """Part of the path of its API."""
    app_code: str = Field(pattern=r"^[!-~]+$")
    """Who we are to the server."""
    app_secret: SecretReference
    """Ours at the server."""
    shape: BkauthShape = BkauthShape.INTROSPECT
    """What it answers with."""

    @property
    def expected(self) -> Expected:
        """What its answers must be like. The spec's shape has no `exp` on the wire, so none is demanded there."""
        return Expected(
            issuer=self.issuer,
            require_exp=self.require_exp and self.shape is BkauthShape.INTROSPECT,
            app_code=("bk_app_code", "client_id"),
            username=("bk_username", "sub"),
        )


AnyServerSettings = Rfc7662Settings | BkauthSettings


class AuthorizationServersSettings(RootSettings[Table[Annotated[AnyServerSettings, Field(discriminator="kind")]]]):
    """Authorization servers by the names that routes use."""


class TokenCacheSettings(Settings):
    """What is remembered of answers, and how long."""

    ttl: Annotated[Duration, within("0s", "300s")] = 300.0
    """For good answers, never beyond `exp`: how long a revoked token may pass (002 FR-009). `0s`: nothing is kept."""
    inactive_ttl: Annotated[Duration, within("0s", "60s")] = 5.0
    """For answers that the token is not active."""
    max_bytes: Annotated[Size, within("64KiB")] = 64 * 1024 * 1024
    """For good answers; the others have a sixteenth of it beside that."""
    shared: Annotated[JsonValue, later(None)] = None
    """One cache for a fleet."""


def _check(servers: AuthorizationServersSettings, configuration: Configuration) -> Iterator[Complaint]:
    for name, server in servers.root.items():
        path: KeyPath = (AUTHORIZATION_SERVERS.name, name)
        for where, url in _urls(server):
            yield from refuse_insecure_http(url, (*path, *where), allow_insecure_http=server.allow_insecure_http)
        if isinstance(server, BkauthSettings):
            secret = configuration.secrets.get((*path, "app_secret"))
            if secret is not None and _FIELD_VALUE.fullmatch(secret.reveal()) is None:
                yield Complaint(
                    path=(*path, "app_secret"),
                    what="leads to a secret that no header field can carry",
                    hint="It has a control character, or a blank at one end; perhaps one line end too many.",
                )


def _urls(server: AnyServerSettings) -> Iterator[tuple[KeyPath, str]]:
    yield ("issuer",), server.issuer
    if isinstance(server, BkauthSettings):
        yield ("url",), server.url
        return
    if server.introspection_endpoint is not None:
        yield ("introspection_endpoint",), server.introspection_endpoint
    for index, origin in enumerate(server.endpoint_origins):
        yield ("endpoint_origins", index), origin


AUTHORIZATION_SERVERS = Section(name="authorization_servers", model=AuthorizationServersSettings, check=_check)
TOKEN_CACHE = Section(name="token_cache", model=TokenCacheSettings, default=TokenCacheSettings())
