"""The decision table over the chain alone: facts from the description, answers read as an authority's are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.decision_row import AWAY, BUSY, MCP_PATHS, METADATA_URL, PUBLIC_URL, RAISES, ROUTES, Row, Token, TokenState
from tests.decision_table import ROWS
from tests.rfc9110 import parse_challenge
from tests.samples import ISSUER, NOW, facts

from ostiary.decision.reasons import CONSEQUENCES
from ostiary.decision.refusal import refuse
from ostiary.decision.routes import (
    AudienceKind,
    BothPresent,
    Disclosure,
    Match,
    McpPaths,
    MetadataLocation,
    Policy,
    Publication,
    Route,
    RouteProtocol,
)
from ostiary.decision.verdict import Deny
from ostiary.oauth.credentials import parse_credentials
from ostiary.oauth.introspection import Active, Cause, Expected, Grant, Unavailable, read_claims
from ostiary.oauth.resource import parse_origin
from ostiary.plugins.chain import DEFAULT_CHAIN, accepts_legacy, link_chain
from ostiary.plugins.drivers import drive_sync, walk
from ostiary.plugins.exchange import begin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ostiary.oauth.json import JsonValue
    from ostiary.plugins.drivers import Walked
    from ostiary.plugins.exchange import Exchange
    from ostiary.plugins.plugin import Outcome
    from ostiary.plugins.questions import Fact, Question

SENT = "mF_9.B5f-4.1JqM"


class Raises:
    """The third-party plugin of the table."""

    name = RAISES
    priority = 18_736

    def run(self, exchange: Exchange) -> Outcome:
        raise RuntimeError(exchange.reference)


def texts(value: JsonValue) -> tuple[str, ...]:
    return tuple(entry for entry in value if isinstance(entry, str)) if isinstance(value, list) else ()


def build_route(name: str, both_present: str) -> Route:
    """A route of the table as a value: what settings make of it, in miniature."""
    settings = ROUTES[name]
    gateway, resource, match = settings["gateway"], settings["resource"], settings["match"]
    auth = settings.get("auth", {"app_required": True, "user_required": True})
    authority = settings["authorization_server"]
    origin = parse_origin(PUBLIC_URL)
    assert isinstance(gateway, str)
    assert isinstance(resource, str)
    assert isinstance(match, dict)
    assert isinstance(auth, dict)
    assert isinstance(authority, str | None)
    assert origin is not None
    protocol = RouteProtocol(str(settings.get("protocol", "http")))
    chain = texts(settings.get("plugins")) or DEFAULT_CHAIN
    app, user = auth["app_required"] is True, auth["user_required"] is True
    paths = MCP_PATHS.get(gateway)
    return Route(
        name=name,
        match=Match(path=str(match["path"])),
        policy=Policy(
            gateway=gateway,
            resource=resource,
            authority=authority,
            issuer=ISSUER,
            app_required=app,
            user_required=user,
            scopes=texts(settings.get("scopes")),
            audiences=frozenset(map(AudienceKind, texts(settings.get("audiences")))) or None,
            resource_audience=settings.get("resource_audience", protocol is RouteProtocol.MCP) is True,
            accept_bare_gateway=settings.get("accept_bare_gateway") is True,
            mcp_paths=None if paths is None else McpPaths(**paths),
            both_present=BothPresent(both_present),
            legacy_accepted=accepts_legacy(chain, app_required=app, user_required=user, protocol=protocol),
            disclosure=Disclosure(str(settings.get("disclosure", "reason"))),
            protocol=protocol,
            chain=chain,
        ),
        publication=Publication(origin=PUBLIC_URL, challenge_origin=PUBLIC_URL, parsed=origin),
        metadata_location=MetadataLocation(str(settings.get("metadata_url", "query"))),
    )


def answer_of(token: Token) -> Mapping[str, JsonValue]:
    """What an authority says of the token: the members of its introspection answer."""
    if token.state is not TokenState.GOOD:
        return {"active": False}
    members: dict[str, JsonValue] = {
        "active": True,
        "iss": ISSUER,
        "token_type": "Bearer",
        "iat": NOW,
        "client_id": token.client,
        "sub": token.subject,
        "aud": list(token.audience) or None,
        "scope": " ".join(token.scopes) or None,
        "exp": None if token.lifetime_seconds is None else NOW + token.lifetime_seconds,
    }
    from_now: dict[str, JsonValue] = {name: NOW + seconds for name, seconds in token.claims_from_now.items()}
    return {name: member for name, member in members.items() if member is not None} | dict(token.claims) | from_now


def run(row: Row) -> tuple[Walked, Route]:
    """A row over the chain."""
    route = build_route(row.route, row.both_present)
    sent = row.token.malformed if row.token.state is TokenState.MALFORMED else SENT
    headers = tuple(
        (name.lower().encode("ascii"), value.replace("{token}", sent).encode("latin-1")) for name, value in row.headers
    )
    request = facts(row.path, headers)._replace(method=row.method)
    credentials = parse_credentials(headers)

    def ask(question: Question) -> Fact:
        assert question.token.reveal() == sent
        assert row.token.state is not TokenState.MALFORMED, "nobody is asked about what cannot be a token"
        if question.authority in {AWAY, BUSY}:
            return Unavailable(cause=Cause.REFUSED if question.authority == AWAY else Cause.OVERLOADED)
        read = read_claims(answer_of(row.token), Expected(issuer=ISSUER))
        return Active(grant=read, as_of=NOW) if isinstance(read, Grant) else read

    chain = link_chain(route.policy.chain, {RAISES: Raises()})
    return drive_sync(walk(chain, begin(request, credentials, route, NOW), credentials, lambda: 0.0), ask), route


EACH_ROW = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=row.name, marks=pytest.mark.requirement(*row.requirements)) for row in ROWS]
)
def test_each_row_comes_to_its_verdict(row: Row) -> None:
    """002, whole: every story, edge case and requirement that a request can show."""
    walked, route = run(row)
    assert walked.verdict.label == row.verdict
    if not isinstance(walked.verdict, Deny):
        assert (row.reason, row.status) == (None, 200)
        return
    refusal = refuse(walked.verdict, route=route, path=row.path)
    assert (walked.verdict.reason, refusal.status) == (row.reason, row.status)
    disclosed = CONSEQUENCES[walked.verdict.reason].text if route.policy.disclosure is Disclosure.REASON else None
    assert refusal.text == disclosed


@pytest.mark.requirement("SC-004")
@EACH_ROW
def test_each_row_is_challenged_as_its_status_demands(row: Row) -> None:
    """RFC 6750 §3.1, 002 FR-004, SC-004: every 401 has the location; a code only where credentials were sent."""
    walked, route = run(row)
    if not isinstance(walked.verdict, Deny):
        return
    headers = dict(refuse(walked.verdict, route=route, path=row.path).headers)
    assert ("retry-after" in headers) == (row.status == 503)
    if row.status == 503 or row.reason in {"legacy-not-accepted", "policy-empty"}:
        assert "www-authenticate" not in headers
        return
    scheme, parameters = parse_challenge(headers["www-authenticate"])
    location = parameters["resource_metadata"]
    codes = {400: "invalid_request", 401: "invalid_token", 403: "insufficient_scope"}
    code = None if row.reason == "credentials-missing" else codes[row.status]
    assert scheme == "Bearer"
    assert location.startswith(METADATA_URL + ("?resource=%2F" if row.route != "inserted" else "/"))
    assert parameters.get("error") == code
    assert ("error_description" in parameters) == (code is not None and row.route != "generic")
    names_scopes = row.reason == "scope-missing" or (row.route == "step-up" and row.status != 400)
    assert parameters.get("scope") == (" ".join(route.policy.scopes) if names_scopes else None)


@EACH_ROW
def test_no_row_shows_its_token_or_a_secret(row: Row) -> None:
    """attacks.md, credentials in logs: neither in what was walked nor in what leaves."""
    walked, route = run(row)
    shown = repr(walked)
    if isinstance(walked.verdict, Deny):
        shown += repr(refuse(walked.verdict, route=route, path=row.path))
    assert SENT not in shown
    assert "bk_app_secret" not in shown
    if row.token.state is TokenState.MALFORMED:
        assert row.token.malformed not in shown


@EACH_ROW
def test_each_row_is_one_that_every_runner_can_read(row: Row) -> None:
    """Ours: the table is data, and its own laws hold."""
    assert row.verdict == {200: "allow", 503: "unavailable"}.get(row.status, "deny")
    assert (row.reason is None) == (row.status == 200)
    assert row.path.startswith(build_route(row.route, row.both_present).match.path)
    assert (row.token.state is TokenState.MALFORMED) == bool(row.token.malformed)
    assert row.both_present in set(BothPresent)


def test_rows_have_names_of_their_own_and_every_route_is_asked_for() -> None:
    """Ours: a route that no row speaks of is none of the table's."""
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert {row.route for row in ROWS} == set(ROUTES)
