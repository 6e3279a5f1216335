"""How a client of an authorization server says who it is (RFC 6749 §2.3.1): us, when we introspect."""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import quote_plus


def basic_credentials(client_id: str, client_secret: str) -> str:
    """The `Authorization` value of `client_secret_basic`.

    Both parts are form-encoded *before* they are joined and encoded in Base64; a server that decodes them finds
    `:` and `%` of a secret again, one that does not is out of step with the RFC.
    """
    pair = quote_plus(client_id) + ":" + quote_plus(client_secret)
    return "Basic " + b64encode(pair.encode("ascii")).decode("ascii")


def post_fields(client_id: str, client_secret: str) -> dict[str, str]:
    """The form fields of `client_secret_post`; the form's own encoding does the rest."""
    return {"client_id": client_id, "client_secret": client_secret}
