"""The audience grammar (spec 002 FR-013..017): for what a token is, and whether that is what is asked for.

    mcp_server:{name}                an MCP server, by name; also `mcp:{name}`, which deployed issuers mint
    gateway:{gateway}/api:{api}      one API of a gateway; `*` as the whole api name: all of them
    gateway:{gateway}:api:{api}      the same in another spelling
    gateway:{gateway}                all APIs, only where a route accepts the bare form
    https://host/path                a resource (RFC 8707), only where a route reads those

Names are exact and case-sensitive; `*` means something only as a whole api name. Any one match grants. Forms that a
route does not read are ignored and counted. Not checked here: that the token is active, and who issued it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote_to_bytes

from ostiary.decision.reasons import Reason
from ostiary.decision.routes import AudienceKind
from ostiary.oauth.resource import ResourceIdentifier, is_at_or_below, parse_resource, path_segments

if TYPE_CHECKING:
    from ostiary.decision.routes import Policy, Route

MCP_GATEWAY: Final = "bk-apigateway"
WARN_ENTRIES: Final = 100
MAX_ENTRIES: Final = 10_000

_MCP: Final = re.compile(r"mcp(?:_server)?:(.+)", re.DOTALL)
_GATEWAY: Final = re.compile(r"gateway:([^/:]+)(?:[/:]api:(.+))?", re.DOTALL)


class McpServer(NamedTuple):
    """`mcp_server:{name}`."""

    name: str


class GatewayApi(NamedTuple):
    """`gateway:{gateway}/api:{api}`; `api` is None for the bare form."""

    gateway: str
    api: str | None


AudienceEntry = McpServer | GatewayApi | ResourceIdentifier


class AudienceJudgement(NamedTuple):
    """What the entries came to.

    Attributes:
        refusal: None: one of them matched.
        entries: how many there were.
        unrecognised: how many of those that were read have no form that this route reads.
    """

    refusal: Reason | None
    entries: int
    unrecognised: int = 0


def parse_entry(text: str) -> AudienceEntry | None:
    """One entry by its form alone; None for a form that nobody here knows."""
    found = _MCP.fullmatch(text)
    if found is not None:
        return McpServer(found[1])
    found = _GATEWAY.fullmatch(text)
    if found is not None:
        return GatewayApi(found[1], found[2])
    return parse_resource(text) if "://" in text else None


def judge_audience(entries: tuple[str, ...] | None, route: Route, path: str) -> AudienceJudgement:
    """Whether one of the entries is for this request.

    Args:
        entries: of an active token; None where it has none.
        route: the matched route.
        path: the normalised request path, without query.
    """
    if not entries:
        return AudienceJudgement(refusal=Reason.AUDIENCE_EMPTY, entries=0)
    if len(entries) > MAX_ENTRIES:
        return AudienceJudgement(refusal=Reason.AUDIENCE_TOO_MANY, entries=len(entries))
    target = _Target.of(route, path)
    unrecognised = 0
    kinds: set[type[AudienceEntry]] = set()
    for text in entries:
        entry = parse_entry(text)
        if entry is None or not _is_read(entry, route.policy):
            unrecognised += 1
        elif _matches(entry, target):
            return AudienceJudgement(None, len(entries), unrecognised)
        else:
            kinds.add(type(entry))
    return AudienceJudgement(refusal=_refusal(kinds, target), entries=len(entries), unrecognised=unrecognised)


def mcp_server_name(path: str, prefix: str) -> str | None:
    """The server that an MCP path names: the one segment behind `prefix`, decoded once; None: it is no MCP path.

    Anchored at the first byte: a second occurrence further right decides nothing.
    """
    if not path.startswith(prefix):
        return None
    try:
        name = unquote_to_bytes(path[len(prefix) :].partition("/")[0]).decode("utf-8")
    except UnicodeError:  # no UTF-8 behind the escapes, or half of a surrogate pair in the path
        return None
    is_name = name and not any(character in "/%" or not character.isprintable() for character in name)
    return name if is_name else None


class _Target(NamedTuple):
    """What is asked for.

    Attributes:
        server: of an MCP path.
        segments: of the path, where the route reads resource identifiers.
        base: such an identifier must lie here or below: at the server's path on an MCP path, else at the route's.
    """

    policy: Policy
    route: Route
    server: str | None
    segments: tuple[str, ...] = ()
    base: tuple[str, ...] = ()

    @classmethod
    def of(cls, route: Route, path: str) -> _Target:
        policy = route.policy
        prefix = None if policy.mcp_paths is None else policy.mcp_paths.prefix
        server = None if prefix is None else mcp_server_name(path, prefix)
        if not policy.resource_audience:
            return cls(policy, route, server)
        segments = path_segments(path)
        base = path_segments(route.match.path)
        if prefix is not None and server is not None:
            base = segments[: len(path_segments(prefix)) + 1]
        return cls(policy, route, server, segments, base)


def _is_read(entry: AudienceEntry, policy: Policy) -> bool:
    """Whether the route reads this form at all. `audiences` has no word for a resource: that is a switch of its own."""
    if isinstance(entry, ResourceIdentifier):
        return policy.resource_audience
    kind = AudienceKind.MCP_SERVER if isinstance(entry, McpServer) else AudienceKind.GATEWAY
    if policy.audiences is not None and kind not in policy.audiences:
        return False
    return not (isinstance(entry, GatewayApi) and entry.api is None) or policy.accept_bare_gateway


def _matches(entry: AudienceEntry, target: _Target) -> bool:
    policy = target.policy
    if isinstance(entry, McpServer):
        return policy.gateway == MCP_GATEWAY and target.server == entry.name
    if isinstance(entry, GatewayApi):
        return entry.gateway == policy.gateway and entry.api in {None, "*", policy.resource}
    return (
        entry.origin == target.route.publication.parsed
        and is_at_or_below(entry.segments, target.base)
        and is_at_or_below(target.segments, entry.segments)
    )


def _refusal(kinds: set[type[AudienceEntry]], target: _Target) -> Reason:
    """The first reason that applies, in the contract's order."""
    on_mcp_gateway = target.policy.gateway == MCP_GATEWAY
    rows = (
        (not kinds, Reason.AUDIENCE_UNRECOGNISED),
        (McpServer in kinds and on_mcp_gateway and target.server is not None, Reason.AUDIENCE_MCP_MISMATCH),
        (GatewayApi in kinds, Reason.AUDIENCE_GATEWAY_MISMATCH),
        (McpServer not in kinds, Reason.AUDIENCE_RESOURCE_MISMATCH),
        (not on_mcp_gateway, Reason.AUDIENCE_MCP_WRONG_GATEWAY),
        (True, Reason.AUDIENCE_MCP_NO_PATH),
    )
    return next(reason for applies, reason in rows if applies)
