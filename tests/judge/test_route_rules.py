"""The section `routes`: what is refused, and what becomes of what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from ostiary.config import ConfigurationError, load_bytes
from ostiary.decision.routes import BothPresent, Cors, Edge, McpPaths, Route, Upstream
from ostiary.judge.loading import LATER_SECTIONS, judge_sections
from ostiary.judge.route_rules import build_routes
from ostiary.plugins.chain import DEFAULT_CHAIN

_HEAD = """\
version: 1
gateway: {{public_url: "https://bkapi.example.com"{gateway}}}
operator: {{token: {{env: OPERATOR}}}}
authorization_servers:
  corp: {{kind: rfc7662, issuer: "https://op.example.com", client_id: gw, client_secret: {{env: SECRET}}, leeway: 5s}}
routes:
"""
_ENVIRON = {"OPERATOR": "o" * 32, "SECRET": "s"}


def _routes(*lines: str, gateway: str = "") -> tuple[Route, ...]:
    text = _HEAD.format(gateway=gateway) + "".join(f"- {{{line}}}\n" for line in lines)
    file = load_bytes(
        text.encode(), judge_sections({}), _ENVIRON, origin=Path("/etc/ostiary.yaml"), later=LATER_SECTIONS
    )
    return build_routes(file, {})


def _route(**changes: str) -> str:
    keys = {
        "name": "billing",
        "gateway": "my-gateway",
        "resource": "my-api",
        "match": "{path: /my-gateway/prod/billing}",
        "upstream": '"http://127.0.0.1:9001"',
        "authorization_server": "corp",
    } | changes
    return ", ".join(f"{key}: {value}" for key, value in keys.items() if value)


def _problems(*lines: str, gateway: str = "") -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        _routes(*lines, gateway=gateway)
    return [f"{problem.key}: {problem.what}" for problem in caught.value.problems]


def test_a_route_by_default_asks_its_authority_runs_the_default_chain_and_demands_app_and_user() -> None:
    """Ours: `configuration.md`'s defaults."""
    (route,) = _routes(_route())
    policy = route.policy
    assert (policy.authority, policy.issuer, policy.leeway_seconds) == ("corp", "https://op.example.com", 5.0)
    assert policy.chain == DEFAULT_CHAIN
    assert (policy.app_required, policy.user_required, policy.legacy_accepted) == (True, True, False)
    assert policy.both_present is BothPresent.LEGACY
    assert policy.mcp_paths is None
    assert route.edge == Edge(upstream=Upstream(scheme="http", host="127.0.0.1", port=9001))


def test_a_gateway_with_mcp_paths_gives_them_to_its_routes() -> None:
    """002 FR-015: the path pattern is the gateway's."""
    (route,) = _routes(_route(gateway="bk-apigateway"))
    assert route.policy.mcp_paths == McpPaths(base="", stage="prod")


def test_an_mcp_route_reads_resource_audiences_without_being_told() -> None:
    """RFC 8707, MCP: a token for a server names its URL."""
    (route,) = _routes(_route(protocol="mcp"))
    assert route.policy.resource_audience


def test_the_challenge_has_the_spec_s_host_and_everything_else_public_url() -> None:
    """002 FR-004: `hosts.bk-apigateway-host` replaces the authority in the challenge alone."""
    (route,) = _routes(_route(), gateway=', hosts: {bk-apigateway-host: "gw.example.com"}')
    assert route.publication.challenge_origin == "https://gw.example.com"
    assert route.publication.origin == "https://bkapi.example.com"


@pytest.mark.parametrize(
    ("inherited", "own", "expected"),
    [
        ("", {}, (60.0, None, None)),
        ("upstream_timeout: 5s, body_bytes: 1MiB, max_stream: 1h", {}, (5.0, 1 << 20, 3600.0)),
        ("upstream_timeout: none, body_bytes: none, max_stream: none", {}, (None, None, None)),
        (
            "upstream_timeout: 5s, body_bytes: 1MiB, max_stream: 1h",
            {"upstream_timeout": "1s", "body_bytes": "1B", "max_stream": "1d"},
            (1.0, 1, 86400.0),
        ),
        (
            "upstream_timeout: 5s, body_bytes: 1MiB, max_stream: 1h",
            {"upstream_timeout": "none", "body_bytes": "none", "max_stream": "none"},
            (None, None, None),
        ),
    ],
)
def test_a_route_inherits_limits_has_its_own_or_lifts_them(
    inherited: str, own: dict[str, str], expected: tuple[float | None, int | None, float | None]
) -> None:
    """`configuration.md`: null inherits `gateway.limits`, `none` lifts it; likewise the next two."""
    (route,) = _routes(_route(**own), gateway=f", limits: {{{inherited}}}" if inherited else "")
    assert route.edge is not None
    assert (route.edge.upstream_timeout_seconds, route.edge.body_bytes, route.edge.max_stream_seconds) == expected


def test_pages_that_may_call_are_named_exactly_and_by_default_send_a_token_and_a_type() -> None:
    """`gateway.md`, Routes: `cors: {origins, headers}`."""
    (route,) = _routes(_route(cors="{origins: ['https://app.example.com', 'http://localhost:3000']}"))
    assert route.edge is not None
    assert route.edge.cors == Cors(
        origins=("https://app.example.com", "http://localhost:3000"), headers=("authorization", "content-type")
    )
    (route,) = _routes(_route(cors="{origins: ['https://[::1]:8443'], headers: [X-Trace]}"))
    assert route.edge is not None
    assert route.edge.cors == Cors(origins=("https://[::1]:8443",), headers=("X-Trace",))


def test_a_route_s_own_public_url_stands_for_everything_published_about_it() -> None:
    """Ours: a route with a host of its own is not announced under another one."""
    (route,) = _routes(
        _route(match='{path: /, host: "api.example.org"}', public_url='"https://api.example.org"'),
        gateway=', hosts: {bk-apigateway-host: "gw.example.com"}',
    )
    assert route.publication.origin == route.publication.challenge_origin == "https://api.example.org"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"authorization_server": ""}, "routes[0].authorization_server: "),
        ({"authorization_server": "nobody"}, "names no authorization server"),
        ({"upstream": ""}, "routes[0].upstream: "),
        ({"upstream": '"ftp://127.0.0.1"'}, "upstream such as"),
        ({"upstream": '"http://127.0.0.1:9001/path"'}, "upstream such as"),
        ({"upstream": '"role:drive"'}, "not in this version"),
        ({"match": "{path: /a/}"}, "a path such as"),
        ({"match": "{path: /a//b}"}, "a path such as"),
        ({"match": "{path: /a/../b}"}, "a path such as"),
        ({"match": '{path: "/a%2fb"}'}, "a path such as"),
        ({"match": '{path: "/a;b"}'}, "a path such as"),
        ({"match": "{path: /a, methods: [get]}"}, "one of GET"),
        ({"match": "{path: /a, methods: [TRACE]}"}, "one of GET"),
        ({"match": "{path: /a, methods: []}"}, "methods"),
        ({"match": "{path: /a, host: API.example.com}"}, "lower case"),
        ({"match": "{path: /.well-known/oauth-protected-resource/x}"}, "can never be reached"),
        ({"match": '{path: /a, host: "other.example.com"}'}, "routes[0].public_url: "),
        ({"public_url": '"http://bkapi.example.com"'}, "routes[0].public_url: "),
        ({"scopes": "['a b']"}, "a scope"),
        ({"audiences": "[]"}, "audiences"),
        ({"gateway": '"*"'}, "a name without"),
        ({"plugins": "[bk-oauth2-protected-resource, bk-jwt]"}, "names no plugin"),
        ({"plugins": "[bk-auth-validate]"}, "lets every stranger through"),
        ({"plugins": "[]"}, "lets every stranger through"),
        ({"plugins": "[bk-oauth2-protected-resource, bk-oauth2-verify, bk-auth-validate]"}, "audience-validate"),
        ({"plugins": "[bk-oauth2-verify, bk-auth-validate]"}, "without bk-oauth2-protected-resource"),
        ({"identity_headers": "[app]"}, "not in this version"),
        ({"cors": "{}"}, "routes[0].cors.origins"),
        ({"cors": "{origins: []}"}, "routes[0].cors.origins"),
        ({"cors": "{origins: ['*']}"}, "no page is meant by it"),
        ({"cors": "{origins: ['null']}"}, "an origin such as"),
        ({"cors": "{origins: ['https://a.example/']}"}, "an origin such as"),
        ({"cors": "{origins: ['https://A.example']}"}, "an origin such as"),
        ({"cors": "{origins: ['https://a.example:443']}"}, "an origin such as"),
        ({"cors": "{origins: ['https://*.a.example']}"}, "an origin such as"),
        ({"cors": "{origins: [a.example]}"}, "an origin such as"),
        ({"cors": "{origins: ['https://a.example'], headers: ['*']}"}, "name of a header"),
        ({"cors": "{origins: ['https://a.example'], headers: [x_trace]}"}, "name of a header"),
        ({"cors": "{origins: ['https://a.example'], methods: [GET]}"}, "routes[0].cors.methods"),
        ({"body_bytes": "0B"}, "from `1B`"),
        ({"body_bytes": "1000"}, "a size such as"),
        ({"max_stream": "0s"}, "from `1ms`"),
        ({"publish_internal": "true"}, "not in this version"),
        ({"mcp": '{origins: ["https://a.example"]}'}, "not in this version"),
        ({"mcp": "{max_body: 2MiB}"}, "not in this version"),
        ({"mcp": "{tools: {delete_all: {scopes: [x]}}}"}, "not in this version"),
        ({"colour": "red"}, "routes[0].colour: "),
    ],
)
def test_what_could_let_a_stranger_through_or_never_works_is_refused(changes: dict[str, str], expected: str) -> None:
    """Ours: `configuration.md`, `gateway.md` (The chain, Routes)."""
    problems = _problems(_route(**changes))
    assert any(expected in problem for problem in problems), problems


def test_the_same_host_and_path_need_disjoint_methods() -> None:
    """Ours: of two equal routes one would never be reached."""
    problems = _problems(_route(), _route(name="other"))
    assert problems == ["routes[1].match: `routes[1].match` is shadowed: route 'billing' has the same host and path"]
    reads = _route(match="{path: /a, methods: [GET]}")
    writes = _route(name="other", match="{path: /a, methods: [POST]}")
    assert len(_routes(reads, writes)) == 2


def test_two_routes_of_one_name_are_refused() -> None:
    """Ours: a route's name is what Envoy asks by."""
    assert "stands twice" in _problems(_route(), _route(match="{path: /other}"))[0]


def test_problems_of_many_routes_come_in_one_run() -> None:
    """Ours: all bad fields at once."""
    problems = _problems(_route(authorization_server="nobody"), _route(name="b", match="{path: /b}", plugins="[]"))
    assert len(problems) == 2


def test_an_anonymous_route_needs_no_authority_and_no_chain() -> None:
    """Ours: `unsafe_anonymous` is the only way round the chain."""
    (route,) = _routes(_route(authorization_server="", unsafe_anonymous="true"))
    assert route.unsafe_anonymous
    assert route.policy.authority is None


def test_the_root_document_s_route_must_exist() -> None:
    """RFC 9728 §3.1: the document of the origin speaks of one route."""
    assert "names no route" in _problems(_route(), gateway=", metadata: {root: nobody}")[0]


def test_where_the_gateway_runs_operators_need_a_token() -> None:
    """Ours: what nobody can look into nobody should run."""
    text = 'version: 1\ngateway: {public_url: "https://bkapi.example.com"}\n'
    with pytest.raises(ConfigurationError) as caught:
        load_bytes(text.encode(), judge_sections({}), {}, origin=Path("/etc/ostiary.yaml"), later=LATER_SECTIONS)
    assert "`operator` is missing" in str(caught.value)


def test_a_plain_http_public_url_is_for_loopback_alone() -> None:
    """Ours: a challenge must not send clients to plain http."""
    text = _HEAD.format(gateway="").replace("https://bkapi", "http://bkapi")
    with pytest.raises(ConfigurationError, match="http"):
        load_bytes(
            text.replace("routes:\n", "routes: []\n").encode(),
            judge_sections({}),
            _ENVIRON,
            origin=Path("/etc/ostiary.yaml"),
            later=LATER_SECTIONS,
        )


@pytest.mark.parametrize("section", LATER_SECTIONS)
def test_a_section_of_a_later_version_is_refused_by_name(section: str) -> None:
    """Ours: a key whose part is not built is never ignored."""
    text = _HEAD.format(gateway="").replace("routes:\n", f"routes: []\n{section}: {{}}\n")
    with pytest.raises(ConfigurationError, match="not in this version"):
        load_bytes(text.encode(), judge_sections({}), _ENVIRON, origin=Path("/etc/ostiary.yaml"), later=LATER_SECTIONS)
