"""An answer that repeats the token it is about.

What an authority says of client, subject, audience and scopes is written into records and sent upstream, and the names
of members into records: a token in one of them is a token in a log. Such an answer is refused, as one with bad claims
is, and not mended: with the token cut out, all who got one would be the same client or the same subject. A member's
name is judged by nobody; it is left out.

Found is the token as it was sent, anywhere in a text. One that an authority took apart or spelled anew is not.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ostiary.oauth.introspection import ClaimFault, Grant, Inactive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ostiary.oauth.credentials import RawToken


def refuse_echo(said: Grant | Inactive, token: RawToken) -> Grant | Inactive:
    """What was said of a token, if the token is nowhere in it; otherwise what that counts as."""
    text = token.reveal()
    names = tuple([name for name in said.claims if text not in name])
    if isinstance(said, Grant) and any(text in each for each in _texts(said)):
        return Inactive(active=True, fault=ClaimFault.CLAIMS, claims=names)
    return said if names == said.claims else replace(said, claims=names)


def _texts(grant: Grant) -> Iterator[str]:
    """All that the authority chose."""
    for text in (grant.client_id, grant.subject, grant.app_code, grant.username, grant.token_type):
        yield text or ""
    yield from grant.scopes
    yield from grant.audience or ()
