"""BlueKing's authorization server, in both shapes that its answers have."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ostiary.authorities.settings import BkauthShape
from ostiary.authorities.wire import Ask
from ostiary.oauth.introspection import read_claims, read_object, read_verification

if TYPE_CHECKING:
    from ostiary.authorities.settings import BkauthSettings
    from ostiary.authorities.wire import Answer
    from ostiary.config import Secret
    from ostiary.oauth.credentials import RawToken
    from ostiary.oauth.introspection import Grant, Inactive, Unavailable


class BkauthServer:
    """bkauth: JSON in, JSON out, and an application's code and secret in headers."""

    def __init__(self, settings: BkauthSettings, secret: Secret) -> None:
        self.endpoint = settings.url.rstrip("/") + "/realms/" + settings.realm + "/oauth2/introspect"
        self._expected = settings.expected
        self._read = read_claims if settings.shape is BkauthShape.INTROSPECT else read_verification
        self._headers = {
            b"Content-Type": b"application/json",
            b"X-Bk-App-Code": settings.app_code.encode("ascii"),
            b"X-Bk-App-Secret": secret.reveal().encode(),
        }

    def to_ask(self, token: RawToken, *, endpoint: str, reference: str) -> Ask:
        """One token, and the reference under which bkauth's own log has the question."""
        content = json.dumps({"token": token.reveal()}).encode("ascii")
        return Ask(url=endpoint, headers=self._headers | {b"X-Request-Id": reference.encode("ascii")}, content=content)

    def parse(self, answer: Answer) -> Grant | Inactive | Unavailable:
        """By the shape."""
        read = read_object(status=answer.status, media_type=answer.media_type, body=answer.body)
        return self._read(read, self._expected) if isinstance(read, dict) else read
