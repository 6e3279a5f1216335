"""The chain in Envoy, as a table: requests go down it, answers come up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostiary.gateway.render.headers import REFERENCE_STATE, edge, strip, strip_one
from ostiary.gateway.render.tree import duration, typed

if TYPE_CHECKING:
    from ostiary.gateway.plan import Plan
    from ostiary.gateway.render.tree import Tree

REFERENCE: Final = "ostiary.reference"
EDGE: Final = "ostiary.edge"
DECISION: Final = "ostiary.decision"
GATE: Final = "ostiary.gate"
STRIP: Final = "ostiary.strip"
STRIP_LEGACY: Final = "ostiary.strip_legacy"
STRIP_TOKEN: Final = "ostiary.strip_token"  # noqa: S105 - a filter's name
ROUTER: Final = "envoy.filters.http.router"

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


def http_filters(plan: Plan) -> list[Tree]:
    """The filters in order; the decision is asked before a byte of body is read."""
    chain = (
        (REFERENCE, _reference()),
        (EDGE, edge()),
        (DECISION, _decision(plan.decision_timeout_seconds)),
        (GATE, _gate()),
        (STRIP, strip(plan.scheme)),
        # Apart, for routes that keep credentials.
        (STRIP_LEGACY, strip_one("x-bkapi-authorization")),
        (STRIP_TOKEN, strip_one("authorization")),
        (ROUTER, typed("envoy.extensions.filters.http.router.v3.Router", suppress_envoy_headers=True)),
    )
    return [{"name": name, "typed_config": config} for name, config in chain]


def switched_off(name: str) -> Tree:
    """What a route says to leave one filter out."""
    if name == DECISION:
        return typed("envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute", disabled=True)
    return typed("envoy.config.route.v3.FilterConfig", disabled=True)


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
