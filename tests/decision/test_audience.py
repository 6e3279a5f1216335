"""The audience grammar, by its table and by properties."""

from __future__ import annotations

import string
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples import MCP_ROUTE, ORIGIN, ROUTE

from ostiary.decision.audience import (
    MAX_ENTRIES,
    AudienceJudgement,
    GatewayApi,
    McpServer,
    judge_audience,
    mcp_server_name,
    parse_entry,
)
from ostiary.decision.reasons import Reason
from ostiary.decision.routes import AudienceKind, Match, McpPaths, Policy, Route
from ostiary.oauth.resource import Origin, ResourceIdentifier

PREFIX = McpPaths().prefix
MCP_PATH = PREFIX + "my-server/sse"
NAME = st.text(string.ascii_letters + string.digits + "-_.~", min_size=1, max_size=8)
ENTRY = st.one_of(
    st.text(max_size=12),
    st.builds("{}{}".format, st.sampled_from(["mcp:", "mcp_server:", "gateway:", "https://"]), st.text(max_size=12)),
    st.builds("gateway:{}{}{}".format, NAME, st.sampled_from(["/api:", ":api:", ""]), NAME | st.just("*")),
)


def narrowed(route: Route, **policy: object) -> Route:
    """A route whose policy differs."""
    return replace(route, policy=replace(route.policy, **policy))  # type: ignore[arg-type]  # the tests' own names


def reason_of(*entries: str, route: Route = ROUTE, path: str = "/billing") -> Reason | None:
    return judge_audience(entries, route, path).refusal


@pytest.mark.requirement("FR-014")
@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("mcp_server:a", McpServer("a")),
        ("mcp:a", McpServer("a")),
        ("mcp_server:a b/c:*", McpServer("a b/c:*")),
        ("mcp_server:https://a/b", McpServer("https://a/b")),
        ("mcp_server:", None),
        ("mcp:", None),
        ("MCP_SERVER:a", None),
        ("mcp_servers:a", None),
        (" mcp_server:a", None),
        ("mcp_server a", None),
        ("gateway:g/api:a", GatewayApi("g", "a")),
        ("gateway:g:api:a", GatewayApi("g", "a")),
        ("gateway:g/api:*", GatewayApi("g", "*")),
        ("gateway:g:api:*", GatewayApi("g", "*")),
        ("gateway:g/api:a/b:c", GatewayApi("g", "a/b:c")),
        ("gateway:g", GatewayApi("g", None)),
        ("gateway:*", GatewayApi("*", None)),
        ("gateway:", None),
        ("gateway:g/", None),
        ("gateway:g/api", None),
        ("gateway:g/api:", None),
        ("gateway:/api:a", None),
        ("gateway:g//api:a", None),
        ("gateway:g/stage:s/api:a", None),
        ("Gateway:g/api:a", None),
        ("xgateway:g/api:a", None),
        (
            "https://a.example/b",
            ResourceIdentifier(origin=Origin(scheme="https", host="a.example", port=443), segments=("b",)),
        ),
        ("ftp://a.example/b", None),
        ("https:/a.example", None),
        ("my-api", None),
        ("*", None),
        ("", None),
    ],
)
def test_an_entry_has_one_of_four_forms_or_none(text: str, entry: object) -> None:
    """002 FR-014, gateway.md, audience grammar."""
    assert parse_entry(text) == entry


@pytest.mark.requirement("FR-013", "US4-4")
@pytest.mark.parametrize("entries", [None, ()])
def test_no_audience_is_a_refusal_of_its_own(entries: tuple[str, ...] | None) -> None:
    """002 FR-013: absent, null or an empty list."""
    assert judge_audience(entries, ROUTE, "/billing") == AudienceJudgement(refusal=Reason.AUDIENCE_EMPTY, entries=0)


@pytest.mark.requirement("FR-016", "SC-006")
@given(NAME, NAME)
def test_of_gateway_entries_exactly_the_routes_own_and_the_wildcard_match(gateway: str, api: str) -> None:
    """002 FR-016: names exact and case-sensitive, `*` only as a whole api name."""
    expected = None if (gateway, api) == ("my-gateway", "my-api") else Reason.AUDIENCE_GATEWAY_MISMATCH
    assert reason_of(f"gateway:{gateway}/api:{api}") is expected
    route = narrowed(ROUTE, gateway=gateway, resource=api)
    for spelling in ("gateway:{}/api:{}", "gateway:{}:api:{}"):
        assert reason_of(spelling.format(gateway, api), route=route) is None
        assert reason_of(spelling.format(gateway, "*"), route=route) is None
        for other in (
            spelling.format(gateway + "x", api),
            spelling.format("x" + gateway, "*"),
            spelling.format(gateway.swapcase() + "y", api),
            spelling.format(gateway, api + "*"),
            spelling.format(gateway, "**"),
            spelling.format(gateway, "* "),
            spelling.format("*", "*"),
            spelling.format("*", api),
        ):
            assert reason_of(other, route=route) is Reason.AUDIENCE_GATEWAY_MISMATCH


def test_the_bare_form_counts_only_where_a_route_accepts_it() -> None:
    """gateway.md: `accept_bare_gateway`."""
    lenient = narrowed(ROUTE, accept_bare_gateway=True)
    assert reason_of("gateway:my-gateway", route=lenient) is None
    assert reason_of("gateway:other", route=lenient) is Reason.AUDIENCE_GATEWAY_MISMATCH
    assert reason_of("gateway:my-gateway") is Reason.AUDIENCE_UNRECOGNISED


@pytest.mark.requirement("FR-015", "SC-005")
@given(NAME, NAME)
def test_of_mcp_entries_exactly_the_one_in_the_path_matches(name: str, asked: str) -> None:
    """002 FR-015."""
    expected = None if name == asked else Reason.AUDIENCE_MCP_MISMATCH
    for form in ("mcp_server:", "mcp:"):
        for behind in ("", "/", "/sse", "//", f"/prod/api/v2/mcp-servers/{name}"):
            assert reason_of(form + name, route=MCP_ROUTE, path=PREFIX + asked + behind) is expected


@pytest.mark.requirement("FR-015", "SC-005")
@given(st.text(min_size=1))
def test_a_name_is_decoded_once(name: str) -> None:
    """gateway.md, MCP path: one segment; empty, or with `/`, `%` or a control character after decoding, is none."""
    try:
        path = PREFIX + quote(name, safe="") + "/sse"
    except UnicodeEncodeError:
        path = PREFIX + name
    found = mcp_server_name(path, PREFIX)
    assert found in {name, None}
    if found is None:
        assert any(character in "/%" or not character.isprintable() for character in name)


@pytest.mark.requirement("FR-015", "edge-5", "SC-005")
@pytest.mark.parametrize(
    ("path", "name"),
    [
        (PREFIX + "a", "a"),
        (PREFIX + "a/", "a"),
        (PREFIX + "a/b", "a"),
        (PREFIX + "a%20b/c", "a b"),
        (PREFIX + "%C3%A9", "é"),
        (PREFIX + "a;x=1/b", "a;x=1"),
        (PREFIX + "*", "*"),
        (PREFIX + "a/prod/api/v2/mcp-servers/b", "a"),
        (PREFIX, None),
        (PREFIX + "/a", None),
        (PREFIX.rstrip("/"), None),
        (PREFIX.rstrip("/") + "x/a", None),
        ("/x" + PREFIX + "a", None),
        (PREFIX.upper() + "a", None),
        ("/stage/api/v2/mcp-servers/a", None),
        (PREFIX + "a%2Fb", None),
        (PREFIX + "a%252Fb", None),  # decoded once: a `%` is left
        (PREFIX + "%25", None),
        (PREFIX + "a%00", None),
        (PREFIX + "a%0A", None),
        (PREFIX + "a%7F", None),
        (PREFIX + "a%C2%85", None),  # a control character of Latin-1
        (PREFIX + "a%E2%80%AE", None),  # it would turn the writing round
        (PREFIX + "%FF", None),
        (PREFIX + "%ED%A0%80", None),
        (PREFIX + "\ud800", None),
        ("", None),
    ],
)
def test_an_mcp_path_is_anchored_and_names_one_segment(path: str, name: str | None) -> None:
    """002 FR-015, edge case 5; attacks.md, path confusion: BlueKing's unanchored match let a second name decide."""
    assert mcp_server_name(path, PREFIX) == name


def test_base_and_stage_are_the_gateways_own() -> None:
    """gateway.md: `mcp_paths: {base, stage}` stands for the spec's leading `*`."""
    assert McpPaths(base="/api/bk-apigateway", stage="stag").prefix == "/api/bk-apigateway/stag/api/v2/mcp-servers/"
    route = narrowed(MCP_ROUTE, mcp_paths=McpPaths(base="/api/bk-apigateway"))
    assert reason_of("mcp_server:a", route=route, path="/api/bk-apigateway/prod/api/v2/mcp-servers/a") is None
    assert reason_of("mcp_server:a", route=route, path=PREFIX + "a") is Reason.AUDIENCE_MCP_NO_PATH
    without = narrowed(MCP_ROUTE, mcp_paths=None)
    assert reason_of("mcp_server:a", route=without, path=PREFIX + "a") is Reason.AUDIENCE_MCP_NO_PATH


@pytest.mark.requirement("FR-015", "US3-2")
def test_an_mcp_entry_counts_on_one_gateway_alone() -> None:
    """002 FR-015: even where another gateway has such a path."""
    elsewhere = narrowed(MCP_ROUTE, gateway="bk-apigateway2")
    assert reason_of("mcp_server:my-server", route=elsewhere, path=MCP_PATH) is Reason.AUDIENCE_MCP_WRONG_GATEWAY


_MCP, _OTHER_MCP = "mcp_server:my-server", "mcp_server:other"
_GATEWAY, _OTHER_GATEWAY = "gateway:bk-apigateway/api:mcp-proxy", "gateway:other/api:*"
_URL, _OTHER_URL = ORIGIN + PREFIX + "my-server", ORIGIN + PREFIX + "other"


@pytest.mark.requirement("edge-4", "edge-5", "FR-017")
@pytest.mark.parametrize(
    ("gateway", "path", "entries", "reason"),
    [
        ("bk-apigateway", MCP_PATH, (_OTHER_MCP, _GATEWAY), None),
        ("bk-apigateway", MCP_PATH, (_OTHER_GATEWAY, _MCP), None),
        ("bk-apigateway", MCP_PATH, ("?", _OTHER_URL, _MCP), None),
        ("bk-apigateway", MCP_PATH, (_OTHER_MCP, _OTHER_GATEWAY), Reason.AUDIENCE_MCP_MISMATCH),
        ("bk-apigateway", MCP_PATH, (_OTHER_GATEWAY, _OTHER_MCP, _OTHER_URL), Reason.AUDIENCE_MCP_MISMATCH),
        ("bk-apigateway", MCP_PATH, (_OTHER_GATEWAY, _OTHER_URL), Reason.AUDIENCE_GATEWAY_MISMATCH),
        ("bk-apigateway", MCP_PATH, (_OTHER_URL,), Reason.AUDIENCE_RESOURCE_MISMATCH),
        ("bk-apigateway", MCP_PATH, ("?", "gateway:bk-apigateway"), Reason.AUDIENCE_UNRECOGNISED),
        ("bk-apigateway", "/other", (_MCP,), Reason.AUDIENCE_MCP_NO_PATH),
        ("bk-apigateway", "/other", (_MCP, _OTHER_URL), Reason.AUDIENCE_MCP_NO_PATH),
        ("bk-apigateway", "/other", (_MCP, _OTHER_GATEWAY), Reason.AUDIENCE_GATEWAY_MISMATCH),
        ("bk-apigateway", "/other", (_MCP, _GATEWAY), None),
        ("my-gateway", MCP_PATH, (_MCP,), Reason.AUDIENCE_MCP_WRONG_GATEWAY),
        ("my-gateway", MCP_PATH, (_MCP, _OTHER_URL), Reason.AUDIENCE_MCP_WRONG_GATEWAY),
        ("my-gateway", MCP_PATH, (_MCP, _OTHER_GATEWAY), Reason.AUDIENCE_GATEWAY_MISMATCH),
        ("my-gateway", MCP_PATH, (_MCP, "gateway:my-gateway/api:*"), None),
    ],
)
def test_any_one_match_grants_else_the_first_reason_that_applies(
    gateway: str, path: str, entries: tuple[str, ...], reason: Reason | None
) -> None:
    """002 edge cases 4 and 5, FR-017; gateway.md's table of reasons, row by row."""
    route = narrowed(replace(MCP_ROUTE, match=Match(path="/")), gateway=gateway, resource_audience=True)
    assert reason_of(*entries, route=route, path=path) is reason
    assert reason_of(*reversed(entries), route=route, path=path) is reason


@pytest.mark.parametrize(
    ("kind", "entry", "reason"),
    [
        (AudienceKind.MCP_SERVER, _MCP, None),
        (AudienceKind.MCP_SERVER, _OTHER_MCP, Reason.AUDIENCE_MCP_MISMATCH),
        (AudienceKind.MCP_SERVER, _GATEWAY, Reason.AUDIENCE_UNRECOGNISED),
        (AudienceKind.GATEWAY, _GATEWAY, None),
        (AudienceKind.GATEWAY, _OTHER_GATEWAY, Reason.AUDIENCE_GATEWAY_MISMATCH),
        (AudienceKind.GATEWAY, _MCP, Reason.AUDIENCE_UNRECOGNISED),
    ],
)
def test_a_route_can_be_narrowed_to_one_kind(kind: AudienceKind, entry: str, reason: Reason | None) -> None:
    """gateway.md: `audiences`. The other kind is not read, so the reason does not speak of its name."""
    route = narrowed(MCP_ROUTE, audiences=frozenset({kind}))
    assert reason_of(entry, route=route, path=MCP_PATH) is reason
    together = judge_audience((entry, "?"), route, MCP_PATH)
    assert together.unrecognised == (0 if reason is None else 1 + (reason is Reason.AUDIENCE_UNRECOGNISED))


@pytest.mark.parametrize("kind", [None, *AudienceKind])
@pytest.mark.parametrize("is_read", [True, False])
def test_whether_a_resource_opens_a_route_is_a_switch_of_its_own(
    kind: AudienceKind | None,
    is_read: bool,  # noqa: FBT001 - a column
) -> None:
    """gateway.md: `resource_audience`; a URL is neither of the two kinds that `audiences` names."""
    audiences = None if kind is None else frozenset({kind})
    route = narrowed(MCP_ROUTE, audiences=audiences, resource_audience=is_read)
    assert reason_of(_URL, route=route, path=MCP_PATH) is (None if is_read else Reason.AUDIENCE_UNRECOGNISED)


def resource_route(path: str, policy: Policy = ROUTE.policy) -> Route:
    return replace(ROUTE, match=Match(path=path), policy=replace(policy, resource_audience=True))


@pytest.mark.parametrize(
    ("route_path", "entry", "path", "matches"),
    [
        ("/a", "/a", "/a", True),
        ("/a", "/a", "/a/b/c", True),
        ("/a", "/a/", "/a/b", True),
        ("/a", "/a/b", "/a/b", True),
        ("/a", "/a/b", "/a/b/", True),
        ("/a", "/a/b", "/a/b/c", True),
        ("/a", "/a/b", "/a", False),
        ("/a", "/a/b", "/a/bc", False),
        ("/a", "/a/b/c", "/a/b", False),
        ("/a", "/", "/a", False),
        ("/a", "", "/a", False),
        ("/a", "/b", "/a", False),
        ("/a", "/ab", "/ab", False),
        ("/a", "/A", "/a", False),
        ("/a", "/%61", "/a", False),
        ("/a", "/a//", "/a", False),
        ("/a", "/a/b/../c", "/a/c", False),
        ("/a/b", "/a", "/a/b", False),
        ("/", "", "/x/y", True),
        ("/", "/", "/", True),
        ("/", "/x", "/x/y", True),
        ("/", "/x", "/y", False),
        # On an MCP path it must be at or below the server's, whatever the route's own path is.
        ("/prod/api/v2/mcp-servers", PREFIX + "a", PREFIX + "a/sse", True),
        ("/prod/api/v2/mcp-servers", PREFIX + "a/sse", PREFIX + "a/sse", True),
        ("/prod/api/v2/mcp-servers", PREFIX + "a/", PREFIX + "a", True),
        ("/prod/api/v2/mcp-servers", PREFIX + "b", PREFIX + "a", False),
        ("/prod/api/v2/mcp-servers", PREFIX, PREFIX + "a", False),
        ("/", "", PREFIX + "a", False),
        ("/", "", "/prod/api/v2", True),
        (PREFIX + "a/sse", PREFIX + "a", PREFIX + "a/sse", True),
        (PREFIX + "a/sse", PREFIX + "a", PREFIX + "a/sse/x", True),
        (PREFIX + "a/sse", PREFIX + "a/sse", PREFIX + "a/sse/x", True),
        (PREFIX + "a/sse", PREFIX + "a/other", PREFIX + "a/sse", False),
        (PREFIX + "a/sse", PREFIX + "b", PREFIX + "a/sse", False),
        (PREFIX + "a/sse", PREFIX, PREFIX + "a/sse", False),
    ],
)
def test_a_resource_lies_at_or_below_the_route_and_the_request_at_or_below_it(
    route_path: str,
    entry: str,
    path: str,
    matches: bool,  # noqa: FBT001 - a column
) -> None:
    """RFC 8707 §2, gateway.md: by whole segments."""
    route = resource_route(route_path, MCP_ROUTE.policy)
    assert reason_of(ORIGIN + entry, route=route, path=path) is (None if matches else Reason.AUDIENCE_RESOURCE_MISMATCH)


@pytest.mark.parametrize(
    ("entry", "matches"),
    [
        ("https://bkapi.example.com/a", True),
        ("HTTPS://BkApi.Example.COM/a", True),
        ("https://bkapi.example.com:443/a", True),
        ("http://bkapi.example.com/a", False),
        ("https://bkapi.example.com:8443/a", False),
        ("https://bkapi.example.com./a", False),
        ("https://evil.example/a", False),
        ("https://bkapi.example.com.evil.example/a", False),
    ],
)
def test_a_resource_has_the_published_origin(entry: str, matches: bool) -> None:  # noqa: FBT001 - a column
    """gateway.md: `public_url`'s, never the request's."""
    expected = None if matches else Reason.AUDIENCE_RESOURCE_MISMATCH
    assert reason_of(entry, route=resource_route("/a"), path="/a") is expected


@pytest.mark.parametrize("behind", ["?x", "?", "#x", "#"])
def test_a_resource_with_a_query_or_a_fragment_is_no_known_form(behind: str) -> None:
    """gateway.md, audience grammar."""
    assert reason_of(ORIGIN + "/a" + behind, route=resource_route("/a"), path="/a") is Reason.AUDIENCE_UNRECOGNISED


def test_a_route_that_reads_no_resources_counts_them_as_unknown() -> None:
    """gateway.md: `resource_audience` is false where the protocol is not MCP."""
    judgement = judge_audience((ORIGIN + "/billing", "?"), ROUTE, "/billing")
    assert judgement == AudienceJudgement(refusal=Reason.AUDIENCE_UNRECOGNISED, entries=2, unrecognised=2)


@pytest.mark.requirement("edge-6")
def test_ten_thousand_entries_are_judged_and_one_more_is_not() -> None:
    """002 edge case 6; gateway.md: over 10,000 is unbounded work."""
    many = ("gateway:other/api:*",) * (MAX_ENTRIES - 1)
    good = "gateway:my-gateway/api:*"
    assert judge_audience((*many, good), ROUTE, "/billing") == AudienceJudgement(refusal=None, entries=MAX_ENTRIES)
    refused = judge_audience((good, *many, good), ROUTE, "/billing")
    assert refused == AudienceJudgement(refusal=Reason.AUDIENCE_TOO_MANY, entries=MAX_ENTRIES + 1)


@given(st.lists(ENTRY, max_size=8), st.sampled_from(["/billing", MCP_PATH, PREFIX, "/"]), st.booleans(), st.booleans())
def test_entries_that_do_not_match_alone_never_match_together(
    entries: list[str],
    path: str,
    resources: bool,  # noqa: FBT001 - drawn
    bare: bool,  # noqa: FBT001 - drawn
) -> None:
    """002 edge case 4: any one match grants, and nothing else does; order means nothing."""
    for route in (ROUTE, MCP_ROUTE):
        judged = narrowed(route, resource_audience=resources, accept_bare_gateway=bare)
        alone = [judge_audience((entry,), judged, path) for entry in entries]
        together = judge_audience(tuple(entries), judged, path)
        assert together.entries == len(entries)
        assert (together.refusal is None) == any(judgement.refusal is None for judgement in alone)
        assert judge_audience(tuple(reversed(entries)), judged, path).refusal is together.refusal
        if together.refusal is not None:
            assert together.unrecognised == sum(judgement.unrecognised for judgement in alone)


@given(ENTRY, st.text(max_size=20))
def test_no_entry_and_no_path_make_the_judge_fail(entry: str, path: str) -> None:
    """Ours: both are an attacker's; what comes out is a match or one of the seven reasons."""
    reason = reason_of(entry, route=resource_route("/", MCP_ROUTE.policy), path=path)
    assert reason is None or reason.startswith("audience-")
