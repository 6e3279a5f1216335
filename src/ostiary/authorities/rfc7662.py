"""Servers that speak RFC 7662."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from ostiary.authorities.settings import ClientAuth
from ostiary.authorities.wire import Ask
from ostiary.oauth.client_authentication import basic_credentials, post_fields
from ostiary.oauth.introspection import read_answer

if TYPE_CHECKING:
    from ostiary.authorities.settings import Rfc7662Settings
    from ostiary.authorities.wire import Answer
    from ostiary.config import Secret
    from ostiary.oauth.credentials import RawToken
    from ostiary.oauth.introspection import Grant, Inactive, Unavailable


class Rfc7662Server:
    """RFC 7662, with either way of RFC 6749 §2.3.1 to say who we are."""

    def __init__(self, settings: Rfc7662Settings, secret: Secret) -> None:
        self.endpoint = settings.introspection_endpoint
        self._expected = settings.expected
        self._headers = {b"Content-Type": b"application/x-www-form-urlencoded"}
        self._fields: dict[str, str] = {}
        if settings.client_auth is ClientAuth.BASIC:
            self._headers[b"Authorization"] = basic_credentials(settings.client_id, secret.reveal()).encode("ascii")
        else:
            self._fields = post_fields(settings.client_id, secret.reveal())

    def to_ask(self, token: RawToken, *, endpoint: str, reference: str) -> Ask:  # noqa: ARG002  # RFC 7662 has no place for it
        """RFC 7662 §2.1."""
        form = {"token": token.reveal(), "token_type_hint": "access_token"} | self._fields
        return Ask(url=endpoint, headers=self._headers, content=urlencode(form).encode("ascii"))

    def parse(self, answer: Answer) -> Grant | Inactive | Unavailable:
        """RFC 7662 §2.2."""
        return read_answer(
            status=answer.status, media_type=answer.media_type, body=answer.body, expected=self._expected
        )
