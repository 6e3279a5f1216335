"""Every answer that Envoy makes itself has the product's body: the table of errors as `local_reply_config`.

The first mapper that matches wins. A denial of the judge is a local reply too, so its mappers come first and replace
nothing; a `body_format` beside the mappers would.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostiary.decision.dialects import CONTENT_TYPE, BkapiError, bkapi_body, bkapi_error, bkapi_headers
from ostiary.gateway.render.tree import literal, typed

if TYPE_CHECKING:
    from ostiary.gateway.render.tree import Node, Tree

_UNAVAILABLE: Final = 503
# Envoy drops headers and body of a 5xx of the decision service; 480 is how the judge says 503 with its own.
_SAID_UNAVAILABLE: Final = (
    "response.code_details == 'ext_authz_denied' && response.code == 480 && 'x-bkapi-error-code' in response.headers"
)
_DENIED: Final = "response.code_details == 'ext_authz_denied' && 'x-bkapi-error-code' in response.headers"
# A denial without our header is no word of the judge's; what reaches the gate without a verdict was not judged.
_UNJUDGED: Final = (
    "response.code_details == 'ext_authz_denied' || response.code_details.startsWith('rbac_access_denied')"
)
# An allowed request, and no room for the headers that it would carry: as many as are too many from a client.
_TOO_MANY: Final = "response.code == 500 && response.code_details.startsWith('ext_authz_')"
# Envoy calls both 403.
_MISCALLED: Final = "response.code_details in ['http1.https_url_on_plaintext_connection', 'upgrade_failed']"

# What Envoy answers by itself, each with its own row of the table; any other status gets the row of its class.
_STATUSES: Final = (400, 403, 404, 405, 408, 413, 426, 429, 431, 500, 501, 502, 503, 504)
_CLASSES: Final = (500, 400)


def local_reply_config() -> Tree:
    """The mappers, most particular first."""
    return {
        "mappers": [
            {"filter": expression(_SAID_UNAVAILABLE), "status_code": _UNAVAILABLE},
            {"filter": expression(_DENIED)},
            {"filter": expression(_UNJUDGED), "status_code": _UNAVAILABLE, **_answer(_UNAVAILABLE)},
            {"filter": expression(_TOO_MANY), "status_code": 431, **_answer(431)},
            {"filter": expression(_MISCALLED), "status_code": 400, **_answer(400)},
            *({"filter": _status("EQ", status), **_answer(status)} for status in _STATUSES),
            *({"filter": _status("GE", status), **_answer(status)} for status in _CLASSES),
        ]
    }


def expression(condition: str) -> Tree:
    """An access-log filter in CEL."""
    return {
        "extension_filter": {
            "name": "envoy.access_loggers.extension_filters.cel",
            "typed_config": typed(
                "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter", expression=condition
            ),
        }
    }


def header(name: str, value: str, append_action: str = "OVERWRITE_IF_EXISTS_OR_ADD") -> Tree:
    """A `HeaderValueOption`; `value` is a format, fixed texts go through `literal`."""
    return {"append_action": append_action, "header": {"key": name, "value": value}}


def _status(comparison: str, status: int) -> Tree:
    value: Tree = {"default_value": status, "runtime_key": "ostiary.unused"}
    return {"status_code_filter": {"comparison": {"op": comparison, "value": value}}}


def _answer(status: int) -> dict[str, Node]:
    error: BkapiError = bkapi_error(status)
    body = bkapi_body(error, error.message).decode("ascii")
    headers = [header(name, literal(value)) for name, value in bkapi_headers(error, error.message)]
    if status == _UNAVAILABLE:
        headers.append(header("retry-after", "1"))
        # An overload refusal skips the filters, `ostiary.edge` among them.
        headers.append(header("x-request-id", "%UNIQUE_ID%", "ADD_IF_ABSENT"))
    return {
        "body_format_override": {
            "content_type": CONTENT_TYPE,
            "text_format_source": {"inline_string": literal(body)},
        },
        "headers_to_add": headers,
    }
