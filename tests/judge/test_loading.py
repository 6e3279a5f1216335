"""A valid file becomes a judge; an invalid one says where, what and what to do about it."""

from __future__ import annotations

import asyncio
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.integrations.judging import API, GATE, configured, file_of, route
from tests.samples import facts

from ostiary.authorities import CacheOutcome, Clocks
from ostiary.config import ConfigurationError, load_bytes, schema
from ostiary.config.problems import tell_unknown
from ostiary.decision.reasons import Reason
from ostiary.decision.verdict import ALLOW, VerdictLabel
from ostiary.devserver import DevelopmentServer, serve
from ostiary.judge.loading import LATER_SECTIONS, SYSTEM_CLOCKS, judge_sections, load_judge, new_cache
from ostiary.oauth.credentials import RawToken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ostiary.authorities import BreakerState
    from ostiary.judge.judge import Decision, Judge

_FILE = """\
version: 1
gateway:
  public_url: https://bkapi.example.com
operator: {token: {env: OPERATOR}}
authorization_servers:
  corp: {kind: rfc7662, issuer: "https://op.example.com", client_id: gw, client_secret: {env: SECRET}}
routes:
  - name: billing
    gateway: my-gateway
    resource: my-api
    match: {path: /billing}
    upstream: "http://127.0.0.1:9001"
    authorization_server: corp
"""
_ENVIRON = {"OPERATOR": "o" * 32, "SECRET": "s"}
_LATER = "Remove it; a later version may have it."
_NAME = "It stands in audience entries."
_PATH = "Whole segments of letters, digits, `-`, `.`, `_`, `~`; no slash at the end, no dot segments."
_BASE = "No slash at the end, no dot segments."
_EVERYBODY = "Everybody could say who they are: list the networks of your proxies."
_ITSELF = "Envoy reads the key itself: write `{file: PATH}`."
_LIFTED = "Other values make no sense here. Other values are not known here."
_ORIGIN = "As a browser sends it: lower case, no path, no slash at the end, no port where it is the usual one."
_UPSTREAM = "`http`, `https` or `h2c`, host and port, no path."
_ITS_HOST = "Everything published about the route is built from it: its host must be `match.host`."
_SHIPPED = (
    "Those that ship: bk-oauth2-protected-resource, bk-oauth2-verify, bk-auth-validate, bk-oauth2-audience-validate, "
    "bk-oauth2-scope-validate."
)
_STRANGERS = "leave `plugins` out for the default chain, or say `unsafe_anonymous: true` if that is meant"
_DETECT, _VERIFY, _VALIDATE, _AUDIENCE = (
    "bk-oauth2-protected-resource",
    "bk-oauth2-verify",
    "bk-auth-validate",
    "bk-oauth2-audience-validate",
)
_TWICE = f"{_DETECT}, {_VERIFY}, {_VERIFY}, {_VALIDATE}, {_AUDIENCE}"
_OTHER = "gateway: g, resource: a, upstream: 'http://h:1', authorization_server: corp"

# The line that is written instead, `+` for one behind it → line:column, key, hint.
_BAD: list[tuple[int, str, tuple[str, str, str]]] = [
    (3, "  workers: 1", ("2:1", "gateway.public_url", "Add the key; it has no default.")),
    (
        3,
        "+  hosts: {bk-apigateway-host: 'https://x'}",
        ("4:31", "gateway.hosts.bk-apigateway-host", "No scheme, no path."),
    ),
    (
        3,
        "+  mcp_paths: {g: {base: /a/}}",
        ("4:25", "gateway.mcp_paths.g.base", "No slash at the end, no dot segments."),
    ),
    (
        3,
        "+  mcp_paths: {g: {stage: a/b}}",
        ("4:26", "gateway.mcp_paths.g.stage", "No slash, no escape, no dot segment."),
    ),
    (3, "+  mcp_paths: {g: {base: /..}}", ("4:25", "gateway.mcp_paths.g.base", _BASE)),
    (3, "+  mcp_paths: {g: {base: /a/./b}}", ("4:25", "gateway.mcp_paths.g.base", _BASE)),
    (
        3,
        "+  mcp_paths: {g: {stage: ..}}",
        ("4:26", "gateway.mcp_paths.g.stage", "No slash, no escape, no dot segment."),
    ),
    (
        3,
        "+  hosts: {bk-apigateway-host: 'x:99999'}",
        ("4:31", "gateway.hosts.bk-apigateway-host", "No scheme, no path."),
    ),
    (3, "+  limits: {upstream_timeout: 0s}", ("4:30", "gateway.limits.upstream_timeout", _LIFTED)),
    (3, "+  limits: {upstream_timeout: 999999d}", ("4:30", "gateway.limits.upstream_timeout", _LIFTED)),
    (3, "+  metadata: {root: nobody}", ("4:20", "gateway.metadata.root", "Write a route's `name`, or null.")),
    *(
        (3, f"+  trusted_proxies: ['::1', '{network}']", ("4:28", "gateway.trusted_proxies[1]", hint))
        for network, hint in (
            ("10.0.0.1/8", "No bit may be set behind the prefix."),
            ("10.0.0.0/255.0.0.0", "No bit may be set behind the prefix."),
            ("fe80::1%eth0", "No bit may be set behind the prefix."),
            ("proxy.example.com", "No bit may be set behind the prefix."),
            ("0.0.0.0/0", _EVERYBODY),
            ("::/0", _EVERYBODY),
            ("::ffff:10.0.0.0/104", "Write it as IPv4: both forms are meant."),
            ("::ffff:0:0/96", "Write it as IPv4: both forms are meant."),
        )
    ),
    (3, "+  tls: {key: {file: a}}", ("4:3", "gateway.tls.certificate", "Add the key; it has no default.")),
    (3, "+  tls: {certificate: a, key: {env: A}}", ("4:30", "gateway.tls.key", _ITSELF)),
    (3, "+  limits: {body_bytes: 0B}", ("4:24", "gateway.limits.body_bytes", _LIFTED)),
    (3, "+  limits: {max_stream: 0s}", ("4:24", "gateway.limits.max_stream", _LIFTED)),
    (3, "+  both_present: bearer", ("4:17", "gateway.both_present", "Other values are not known here.")),
    (3, "+  decision_timeout: 10ms", ("4:21", "gateway.decision_timeout", "Other values make no sense here.")),
    (3, "+  limits: {header_bytes: 9MiB}", ("4:26", "gateway.limits.header_bytes", "Other values make no sense here.")),
    (3, "+  envoy: {concurrency: 0}", ("4:24", "gateway.envoy.concurrency", "Choose a greater number.")),
    (
        4,
        "",
        (
            "1:1",
            "operator",
            "Where the gateway runs, operators need `listen` and `token`: `ostiary secret new PATH` makes one.",
        ),
    ),
    *(
        (
            4,
            f"operator: {{listen: '{listen}', token: {{env: OPERATOR}}}}",
            ("4:20", "operator.listen", "Operators are answered at a port of their own: see `gateway.listen`."),
        )
        for listen in ("127.0.0.1:8080", "0.0.0.0:8080")
    ),
    (8, "  - name: -billing", ("8:11", "routes[0].name", "Letters, digits, `.`, `_`, `-`; up to 64.")),
    (9, "    gateway: 'my:gateway'", ("9:14", "routes[0].gateway", _NAME)),
    (10, "    resource: '*'", ("10:15", "routes[0].resource", _NAME)),
    (10, '    resource: "a\\u202eb"', ("10:15", "routes[0].resource", _NAME)),
    (10, '    resource: "a\\u200bb"', ("10:15", "routes[0].resource", _NAME)),
    (10, '    resource: "a\\u3164b"', ("10:15", "routes[0].resource", _NAME)),
    (10, '    resource: "a\\eb"', ("10:15", "routes[0].resource", _NAME)),
    *(
        (12, f"    upstream: '{url}'", ("12:15", "routes[0].upstream", _UPSTREAM))
        for url in (
            "http://exa mple:80",
            "http://%zz:1",
            'http://"a":1',
            "http://*:1",
            "http://[v1.x]:80",
            "http://u@h:1",
            "http://h:0",
            "http://h:99999",
            "http://h:1?",
            "http://",
            "//h:1",
        )
    ),
    (11, "    match: {path: billing}", ("11:19", "routes[0].match.path", _PATH)),
    (11, "    match: {path: /billing/..}", ("11:19", "routes[0].match.path", _PATH)),
    (
        11,
        "    match: {path: /b, methods: [GET, TRACE]}",
        ("11:38", "routes[0].match.methods[1]", "In upper case. TRACE and CONNECT are never forwarded."),
    ),
    (11, "    match: {path: /b, host: Api.example.com}", ("11:29", "routes[0].match.host", "`api.example.com`")),
    (11, "    match: {path: /b, host: api.example.com}", ("8:5", "routes[0].public_url", _ITS_HOST)),
    (
        11,
        "    match: {path: /b, host: h}\n    public_url: https://other.example.com",
        ("12:17", "routes[0].public_url", _ITS_HOST),
    ),
    (
        11,
        "    match: {path: /.well-known/jwks.json}",
        ("11:19", "routes[0].match.path", "/.well-known/jwks.json is answered before any route."),
    ),
    (12, "", ("8:5", "routes[0].upstream", "Where allowed requests go: `http://host:port`.")),
    (
        12,
        "    upstream: http://127.0.0.1:9001/api",
        ("12:15", "routes[0].upstream", "`http`, `https` or `h2c`, host and port, no path."),
    ),
    (12, "    upstream: role:jobs", ("12:15", "routes[0].upstream", _LATER)),
    (13, "", ("8:5", "routes[0].authorization_server", "Name one of `authorization_servers`: it is asked.")),
    (
        13,
        "    authorization_server: crop",
        ("13:27", "routes[0].authorization_server", "It must be a key of `authorization_servers`."),
    ),
    (13, f"+    plugins: [{_DETECT}, acme]", ("14:45", "routes[0].plugins[1]", _SHIPPED)),
    (13, f"+    plugins: [{_TWICE}]", ("14:14", "routes[0].plugins", "Each plugin runs once.")),
    (
        13,
        f"+    plugins: [{_DETECT}, {_VERIFY}, {_VALIDATE}]",
        (
            "14:14",
            "routes[0].plugins",
            "a token that nobody verifies and no audience judges lets every stranger through; add them",
        ),
    ),
    (
        13,
        f"+    plugins: [{_DETECT}, {_VERIFY}, {_AUDIENCE}]",
        ("14:14", "routes[0].plugins", "without it `auth` demands nothing; add it"),
    ),
    (
        13,
        f"+    plugins: [{_DETECT}, {_VERIFY}, {_VALIDATE}, {_AUDIENCE}]\n    scopes: [read]",
        ("14:14", "routes[0].plugins", "nobody would judge them; add it or remove `scopes`"),
    ),
    (13, "+    plugins: []", ("14:14", "routes[0].plugins", _STRANGERS)),
    (
        13,
        "+    scopes: [a b]",
        ("14:14", "routes[0].scopes[0]", 'RFC 6749 §3.3: visible ASCII without `"` and `\\`, no blanks.'),
    ),
    (13, "+    cors: {}", ("14:5", "routes[0].cors.origins", "Add the key; it has no default.")),
    (13, "+    cors: {origins: ['*']}", ("14:22", "routes[0].cors.origins[0]", "Name each origin that may call.")),
    (13, "+    cors: {origins: ['https://x/']}", ("14:22", "routes[0].cors.origins[0]", _ORIGIN)),
    (13, "+    identity_headers: [app]", ("14:23", "routes[0].identity_headers", _LATER)),
    (13, "+    publish_internal: true", ("14:23", "routes[0].publish_internal", _LATER)),
    (13, "+    mcp: {tools: {x: 1}}", ("14:18", "routes[0].mcp.tools", _LATER)),
    (13, "+    mcp: {max_body: 2MiB}", ("14:21", "routes[0].mcp.max_body", _LATER)),
    (
        13,
        f"+  - {{name: billing, match: {{path: /b}}, {_OTHER}}}",
        ("14:12", "routes[1].name", "A route's name is its identity."),
    ),
    (
        13,
        f"+  - {{name: other, match: {{path: /billing}}, {_OTHER}}}",
        ("14:26", "routes[1].match", "Give both disjoint `methods`, or change one of the paths."),
    ),
]


@pytest.mark.parametrize(
    ("line", "text", "expected"), _BAD, ids=[row[1].strip() or f"no line {row[0]}" for row in _BAD]
)
def test_each_error_says_its_place_its_key_and_what_to_do(line: int, text: str, expected: tuple[str, str, str]) -> None:
    """configuration.md: file:line:column and hint; `what` is `test_route_rules`'."""
    lines = _FILE.splitlines()
    lines[line - 1] = lines[line - 1] + "\n" + text[1:] if text.startswith("+") else text
    with pytest.raises(ConfigurationError) as refused:
        load_bytes(
            "\n".join(lines).encode(),
            judge_sections({}),
            _ENVIRON,
            origin=Path("/etc/ostiary.yaml"),
            later=LATER_SECTIONS,
        )
    (problem,) = refused.value.problems
    assert (str(problem.where), problem.key, problem.hint) == ("/etc/ostiary.yaml:" + expected[0], *expected[1:])


def test_a_file_without_a_gateway_is_told_so_at_its_top() -> None:
    """configuration.md: every other door reads `gateway`, so no file does without it."""
    with pytest.raises(ConfigurationError) as refused:
        load_bytes(b"# a comment\nversion: 1\n", judge_sections({}), {}, origin=Path("/etc/ostiary.yaml"))
    (problem,) = refused.value.problems
    assert (str(problem.where), problem.what) == ("/etc/ostiary.yaml:2:1", "`gateway` is missing")
    assert "public_url" in problem.hint


def test_every_key_of_the_file_looks_like_one() -> None:
    """Ours: otherwise a problem would not name it where it stands in a place that does not know it."""
    whole = schema(judge_sections({}))
    keys = {key for node in (whole, *whole["$defs"].values()) for key in node.get("properties", {})}
    assert len(keys) > 50
    assert [key for key in (*keys, *LATER_SECTIONS) if tell_unknown((key,))[0] != (key,)] == []


def test_the_file_of_these_errors_is_valid_without_them() -> None:
    """Ours: otherwise each row above might fail for another reason."""
    load_bytes(_FILE.encode(), judge_sections({}), _ENVIRON, origin=Path("/etc/ostiary.yaml"), later=LATER_SECTIONS)


@pytest.fixture(scope="module")
def authority() -> Iterator[DevelopmentServer]:
    server = DevelopmentServer([GATE])
    with serve(server):
        yield server


def _token(authority: DevelopmentServer) -> str:
    return authority.mint(client_id="reader", audience=[API])


async def _decide(judge: Judge, token: str, path: str = "/a") -> Decision:
    return await judge.decide(facts(path, ((b"authorization", b"Bearer " + token.encode()),)))


@pytest.mark.anyio
async def test_a_judge_asks_the_route_s_authority_and_judges_by_the_route_s_policy(
    authority: DevelopmentServer,
) -> None:
    """Architecture, judge: settings → a chain bound to authorities, cache, log and clock."""
    routes = [route("a", "/a"), route("scoped", "/a/scoped", scopes=["files.read"])]
    data = file_of(authority.issuer, list(routes))
    judge = load_judge(configured(data), third_party={}, allow_development_issuer=True)
    token = _token(authority)
    assert [each.name for each in judge.table.routes] == ["a", "scoped"]
    assert (await _decide(judge, token)).verdict == ALLOW
    refused = await _decide(judge, token, "/a/scoped")
    assert refused.record is not None
    assert (refused.record.reason, refused.record.cache) == (Reason.SCOPE_MISSING, CacheOutcome.HIT)
    await judge.aclose()


@pytest.mark.anyio
async def test_the_embedded_server_is_believed_only_where_code_says_so(authority: DevelopmentServer) -> None:
    """Architecture, devserver: no file can say so."""
    judge = load_judge(configured(file_of(authority.issuer, [route("a", "/a")])), third_party={})
    decision = await _decide(judge, _token(authority))
    assert decision.record is not None
    assert (decision.record.reason, decision.record.status) == (Reason.AUTHORITY_UNAVAILABLE, 503)
    await judge.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.requirement("FR-009")
async def test_a_cache_outlives_the_generation_that_filled_it(
    authority: DevelopmentServer,
    shared: bool,  # noqa: FBT001 - a column
) -> None:
    """Architecture, reload: a new generation asks nobody again; a judge of its own remembers by itself."""
    configuration = configured(file_of(authority.issuer, [route("a", "/a")]))
    cache = new_cache(configuration) if shared else None
    token = _token(authority)
    for _ in range(2):
        judge = load_judge(configuration, third_party={}, cache=cache, allow_development_issuer=True)
        assert (await _decide(judge, token)).verdict == ALLOW
        await judge.aclose()
    assert authority.introspections_of(token) == (1 if shared else 2)


@pytest.mark.anyio
async def test_the_old_generation_answers_while_the_new_one_does(authority: DevelopmentServer) -> None:
    """Architecture, reload: requests that Envoy matched before are judged by what was in force then."""
    cache = new_cache(configured(file_of(authority.issuer, [])))
    files = [
        file_of(authority.issuer, [route("a", "/a")]),
        file_of(authority.issuer, [route("a", "/a", scopes=["files.read"])]),
    ]
    old, new = (
        load_judge(configured(data), third_party={}, cache=cache, allow_development_issuer=True) for data in files
    )
    tokens = [_token(authority) for _ in range(8)]
    judged = await asyncio.gather(*(_decide(judge, token) for token in tokens for judge in (old, new)))
    assert [decision.verdict.label for decision in judged] == [VerdictLabel.ALLOW, VerdictLabel.DENY] * len(tokens)
    await old.aclose()
    assert (await _decide(new, tokens[0])).verdict.label is VerdictLabel.DENY
    late = _token(authority)
    assert (await _decide(old, late)).verdict.label is VerdictLabel.UNAVAILABLE  # closed: it lets nobody through
    await new.aclose()


@pytest.mark.anyio
async def test_a_question_has_what_is_left_of_decision_timeout(authority: DevelopmentServer) -> None:
    """configuration.md, `decision_timeout`: all that one decision does shares it; then the answer is 503."""
    # A second passes each time one looks, so nothing is left when the question is put.
    ticks = count()
    clocks = Clocks(wall=SYSTEM_CLOCKS.wall, monotonic=lambda: float(next(ticks)))
    data = file_of(authority.issuer, [route("a", "/a")], decision_timeout="100ms")
    judge = load_judge(configured(data), third_party={}, clocks=clocks, allow_development_issuer=True)
    token = _token(authority)
    decision = await _decide(judge, token)
    assert decision.record is not None
    assert (decision.record.reason, decision.record.status) == (Reason.AUTHORITY_UNAVAILABLE, 503)
    assert "timeout" in decision.record.steps[-1].note
    await judge.aclose()


class Counter:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def asked(self, authority: str, outcome: str, seconds: float) -> None:
        assert seconds >= 0
        self.told.append((authority, outcome))

    def cache_event(self, authority: str, event: CacheOutcome) -> None:
        self.told.append((authority, event))

    def breaker(self, authority: str, state: BreakerState) -> None:
        self.told.append((authority, state))


@pytest.mark.anyio
async def test_who_counts_is_told(authority: DevelopmentServer) -> None:
    """operator.md, Metrics: cache events, and what authorities took."""
    counter = Counter()
    configuration = configured(file_of(authority.issuer, [route("a", "/a")]))
    judge = load_judge(configuration, third_party={}, observer=counter, allow_development_issuer=True)
    token = _token(authority)
    for _ in range(2):
        await _decide(judge, token)
    assert counter.told == [("corp", "miss"), ("corp", "active"), ("corp", "hit")]
    await judge.aclose()


def test_two_caches_have_two_keys() -> None:
    """gateway.md, Cache: the key is made at start; what is remembered in one process means nothing in another."""
    configuration = configured(file_of("https://op.example.com", []))
    one, other = (new_cache(configuration).keys_of(b"corp") for _ in range(2))
    assert one.of(RawToken("a-token")) != other.of(RawToken("a-token"))
