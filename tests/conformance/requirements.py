"""What spec 002 demands, sentence by sentence, and what of it nothing shows yet.

A test says which sentences it shows with `@pytest.mark.requirement("FR-013", …)`. Both directions are checked: each
sentence has a test or a gap, each tag names a sentence, and a gap that got closed is no gap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One sentence, in our words; `source` is where the spec has it."""

    id: str
    source: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """What nothing shows yet.

    Attributes:
        requirement: its id.
        missing: what of the sentence is not there.
        closed_by: the part that will close it.
        whole: no test shows any of it; False: tests show the rest.
        plugin: once this plugin ships, the gap is stale.
    """

    requirement: str
    missing: str
    closed_by: str
    whole: bool = True
    plugin: str | None = None


def _rows(source: str, prefix: str, sentences: Mapping[str, str]) -> list[Requirement]:
    return [
        Requirement(id=prefix + number, source=source.format(number), sentence=sentence)
        for number, sentence in sentences.items()
    ]


_STORIES: Final = {
    "1-1": "A request with `X-Bkapi-Authorization` sets `is_bk_oauth2 = false`, and the legacy flow takes it.",
    "1-2": "A request with `Authorization: Bearer {token}` sets `is_bk_oauth2 = true` and goes on to verification.",
    "1-3": "A request with neither is 401 with a challenge that names the protected resource metadata.",
    "2-1": "On the OAuth 2.0 path the authority is asked about the token.",
    "2-2": "A verified token sets `bk_app`, `bk_user`, `bk_app_code`, `audience` and `auth_params_location`.",
    "2-3": "Off the OAuth 2.0 path `bk-oauth2-verify` does not run.",
    "2-4": "A token that is invalid or expired is 401.",
    "2-5": "On the OAuth 2.0 path `bk-auth-verify` does not run.",
    "3-1": "On an MCP path the server it names must be in the audience.",
    "3-2": "An MCP audience on a gateway other than `bk-apigateway` is 403.",
    "3-3": "An MCP audience for another server than the path's is 403.",
    "4-1": "`gateway:{gateway}/api:{api}` grants where both names are the route's.",
    "4-2": "`gateway:{gateway}/api:*` grants every API of that gateway.",
    "4-3": "Gateway audiences of which none matches are 403.",
    "4-4": "An audience that is empty or absent is 403 with the reason `empty audience`.",
}

_EDGES: Final = {
    "1": "Of both kinds of credentials `X-Bkapi-Authorization` takes precedence.",
    "2": "A malformed token is 401 `invalid token format`, from `bk-oauth2-verify`.",
    "3": "An authority that cannot be reached is 503, and the log has the error.",
    "4": "Of MCP and gateway audiences together at least one must match.",
    "5": "Off an MCP path MCP audiences do not count; gateway audiences still do.",
    "6": "An audience of any size is processed; over 100 entries are a warning.",
}

_FUNCTIONS: Final = {
    "001": "`bk-oauth2-protected-resource` has priority 18740, before `bk-access-token-source` at 18735.",
    "002": "It looks at `X-Bkapi-Authorization` first: if present, `is_bk_oauth2 = false` and nothing further.",
    "003": "It looks at `Authorization: Bearer {token}`: if present, `is_bk_oauth2 = true` and the request goes on.",
    "004": "With neither it answers 401 with the metadata URL: configured host, escaped request path.",
    "005": "`bk-oauth2-verify` has priority 18732, before `bk-auth-verify` at 18730.",
    "006": "It runs only where `is_bk_oauth2` is true.",
    "007": "`bk-auth-verify` looks at `is_bk_oauth2` first and does not run where it is true.",
    "008": "The token is verified by the authority.",
    "009": "A verified token is remembered for 300 seconds.",
    "010": "Success sets the five context variables from the answer; the credentials were in the header.",
    "011": "`bk-oauth2-audience-validate` has priority 17678, behind `bk-auth-validate` at 17680.",
    "012": "It runs only where `is_bk_oauth2` is true.",
    "013": "An audience that is empty or absent is 403.",
    "014": "Audiences are `mcp_server:{name}`, `gateway:{gateway}/api:{api}` and `gateway:{gateway}/api:*`.",
    "015": "An MCP audience needs gateway `bk-apigateway`, an MCP path, and the path's server by name.",
    "016": "A gateway audience needs the route's gateway, and its API or the wildcard.",
    "017": "A failed audience is 403 with its specific reason.",
}

_OUTCOMES: Final = {
    "001": "100 % of requests with `X-Bkapi-Authorization` take the legacy path (`is_bk_oauth2 = false`).",
    "002": "100 % of requests with a bearer token take the OAuth 2.0 path.",
    "003": "Verification of a remembered token adds less than 10 ms at 1,000 requests a second.",
    "004": "100 % of unauthenticated requests get the challenge with the metadata URL.",
    "005": "MCP audiences are enforced in 100 % of cases.",
    "006": "Gateway audiences, wildcards too, are enforced in 100 % of cases.",
    "007": "The message says clearly why a request failed.",
}

REQUIREMENTS: Final[Mapping[str, Requirement]] = {
    requirement.id: requirement
    for requirement in (
        *_rows("002, user story {}", "US", _STORIES),
        *_rows("002, edge case {}", "edge-", _EDGES),
        *_rows("002, FR-{}", "FR-", _FUNCTIONS),
        *_rows("002, SC-{}", "SC-", _OUTCOMES),
    )
}

_LEGACY: Final = "bk-auth-verify"

GAPS: Final = (
    Gap(
        requirement="FR-007",
        missing="`bk-auth-verify` is not built, so nothing runs that could skip",
        closed_by="the legacy path",
        plugin=_LEGACY,
    ),
    Gap(
        requirement="US2-5",
        missing="`bk-auth-verify` is not built, so nothing runs that could skip",
        closed_by="the legacy path",
        plugin=_LEGACY,
    ),
    Gap(
        requirement="US1-1",
        missing="legacy credentials are detected but not accepted: such a request ends in 400 `legacy-not-accepted`",
        closed_by="the legacy path",
        whole=False,
        plugin=_LEGACY,
    ),
    Gap(
        requirement="SC-003",
        missing="figures are no test; the whole way through Envoy at a fixed rate is not measured yet",
        closed_by="`make bench`",
    ),
)
