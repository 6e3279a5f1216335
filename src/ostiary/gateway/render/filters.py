"""The chain in Envoy, as a table: requests go down it, answers come up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostiary.gateway.render.headers import REFERENCE_STATE, edge, strip
from ostiary.gateway.render.tree import duration, typed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ostiary.gateway.plan import Plan
    from ostiary.gateway.render.tree import Tree

REFERENCE: Final = "ostiary.reference"
EDGE: Final = "ostiary.edge"
CORS: Final = "ostiary.cors"
DECISION: Final = "ostiary.decision"
GATE: Final = "ostiary.gate"
STRIP: Final = "ostiary.strip"
STRIP_BUT_TOKEN: Final = "ostiary.strip_but_token"  # noqa: S105 - a filter's name
ROUTER: Final = "envoy.filters.http.router"

_BODY_LIMIT_KIND: Final = "envoy.extensions.filters.http.body_size_limit.v3.BodySizeLimit"
_FILTER_SWITCH_KIND: Final = "envoy.config.route.v3.FilterConfig"
_VERDICT: Final = "x-ostiary-verdict"
# Besides method, path, Host, Content-Length and Authorization, which are always handed on.
_ASKED: Final = (
    {"prefix": "x-ostiary-"},
    {"exact": "x-bkapi-authorization"},
    {"exact": "x-request-id"},
    {"exact": "origin"},
    {"exact": "content-type"},
    {"exact": "upgrade"},
    {"prefix": "mcp-"},
)
_ANSWERED: Final = ({"exact": "x-bkapi-jwt"}, {"exact": "x-bkapi-app"}, {"exact": "x-bkapi-user"}, {"exact": _VERDICT})
# One try ends this long after the judge's own deadline, the whole question this long after two tries.
_PATIENCE_SECONDS: Final = 0.5


def http_filters(plan: Plan, body_limits: Iterable[int]) -> list[Tree]:
    """The filters in order; the decision is asked before a byte of body is read."""
    limits = {body_limit(limit): typed(_BODY_LIMIT_KIND, max_request_bytes=limit) for limit in body_limits}
    chain = (
        (REFERENCE, _reference()),
        (EDGE, edge()),
        # Before the decision: a preflight has no credentials, and without its headers a page cannot read a refusal.
        (CORS, typed("envoy.extensions.filters.http.cors.v3.Cors")),
        (DECISION, _decision(plan.decision_timeout_seconds)),
        # Behind it: strangers get 401, not 413.
        *limits.items(),
        (GATE, _gate()),
        (STRIP, strip(plan.scheme, ("x-bkapi-authorization", "authorization"))),
        (STRIP_BUT_TOKEN, strip(plan.scheme, ("x-bkapi-authorization",))),
        (ROUTER, typed("envoy.extensions.filters.http.router.v3.Router", suppress_envoy_headers=True)),
    )
    off = {STRIP_BUT_TOKEN, *limits}  # until a route switches them on
    return [
        {"name": name, "typed_config": config, **({"disabled": True} if name in off else {})} for name, config in chain
    ]


def body_limit(limit: int) -> str:
    """The filter for one value: it has none per route, so each value has a filter, which a route switches on."""
    return f"ostiary.body_limit.{limit}"


def switched_on() -> Tree:
    """What a route says to use a filter that is off."""
    return typed(_FILTER_SWITCH_KIND, disabled=False, config={})  # without `config` the whole file is refused


def switched_off(name: str) -> Tree:
    """What a route says to leave one filter out."""
    if name == DECISION:
        return typed("envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute", disabled=True)
    return typed(_FILTER_SWITCH_KIND, disabled=True)


def _reference() -> Tree:
    """Copies the id to where a client cannot have put one."""
    return typed(
        "envoy.extensions.filters.http.set_filter_state.v3.Config",
        on_request_headers=[
            {
                "object_key": REFERENCE_STATE,
                "factory_key": "envoy.string",
                "format_string": {"text_format_source": {"inline_string": "%REQUEST_HEADER(X-REQUEST-ID)%"}},
            }
        ],
    )


def _decision(decision_timeout_seconds: float) -> Tree:
    """The question: closed whatever goes wrong; the route that was judged is the route that is taken."""
    one_try = decision_timeout_seconds + _PATIENCE_SECONDS
    return typed(
        "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
        failure_mode_allow=False,
        status_on_error={"code": "ServiceUnavailable"},
        validate_mutations=True,
        encode_raw_headers=True,  # two headers stay two, odd bytes stay odd
        max_denied_response_body_bytes=65536,
        clear_route_cache=False,
        allowed_headers={"patterns": _ASKED},
        http_service={
            "server_uri": {
                "uri": "http://decision",
                "cluster": "decision",
                "timeout": duration(2 * one_try + _PATIENCE_SECONDS),
            },
            "path_prefix": "/check",
            "authorization_response": {"allowed_upstream_headers": {"patterns": _ANSWERED}},
            "retry_policy": {
                "retry_on": "connect-failure,refused-stream,reset,reset-before-request",
                "num_retries": 2,
                # max_interval is also the time for one try.
                "retry_back_off": {"base_interval": "0.005s", "max_interval": duration(one_try)},
                "retry_host_predicate": [
                    {
                        "name": "envoy.retry_host_predicates.previous_hosts",
                        "typed_config": typed(
                            "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
                        ),
                    }
                ],
                "host_selection_retry_max_attempts": 32,
            },
        },
    )


def _gate() -> Tree:
    """The second lock: no final verdict, no way through, whatever was switched off above by mistake."""
    return typed(
        "envoy.extensions.filters.http.rbac.v3.RBAC",
        rules={
            "action": "ALLOW",
            "policies": {
                "judged": {
                    "permissions": [{"header": {"name": _VERDICT, "string_match": {"exact": "allow"}}}],
                    "principals": [{"any": True}],
                }
            },
        },
    )
