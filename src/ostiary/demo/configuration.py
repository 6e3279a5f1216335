"""The configuration file of the demo: an ordinary one, with the places of this run filled in."""

from __future__ import annotations

from string import Template
from typing import Final

CLIENT_ID: Final = "gateway"
INTROSPECTION_SECRET: Final = "introspection.secret"  # noqa: S105 - a file's name
OPERATOR_TOKEN: Final = "operator.token"  # noqa: S105 - the same

_FILE: Final = Template("""\
# The demo's gateway. It lives as long as `ostiary demo` runs; look around with
#   ostiary check  -c $path
#   ostiary routes -c $path
version: 1
data_dir: var                   # sockets, Envoy's files, the decision log

gateway:
  listen: $listen
  # All that is published is built from this, never from a request's Host.
  public_url: $origin
  workers: $workers

# Metrics and health.
operator:
  listen: $operator
  token: {file: $operator_token}

# For development only, and it says so itself: `ostiary serve` would refuse it.
authorization_servers:
  embedded:
    kind: rfc7662
    issuer: $issuer
    client_id: $client_id
    client_secret: {file: $introspection_secret}

decision_log:
  sample_allows: 1.0            # refusals are always kept; here allows are too

routes:
  # Gateway `shop`: machines may read orders, a profile is a person's, refunds need both scopes.
  - name: orders
    gateway: shop
    resource: orders
    match: {path: /shop/prod/orders}
    upstream: $orders
    authorization_server: embedded
    auth: {user_required: false}
  - name: profile
    gateway: shop
    resource: profile
    match: {path: /shop/prod/profile}
    upstream: $orders
    authorization_server: embedded
  - name: refunds
    gateway: shop
    resource: refunds
    match: {path: /shop/prod/refunds, methods: [GET, POST]}
    upstream: $orders
    authorization_server: embedded
    auth: {user_required: false}
    scopes: [refunds.read, refunds.write]
    metadata: {scopes_supported: [refunds.read, refunds.write], resource_name: Refunds}
  - name: status
    gateway: shop
    resource: status
    match: {path: /shop/prod/status}
    upstream: $stock
    unsafe_anonymous: true      # nothing is judged here, and nobody vouched for

  # Another gateway.
  - name: stock
    gateway: warehouse
    resource: stock
    match: {path: /warehouse/prod/stock}
    upstream: $stock
    authorization_server: embedded
    auth: {user_required: false}

  # An MCP server, and an API beside it.
  - name: calc
    gateway: bk-apigateway
    resource: calc
    match: {path: /prod/api/v2/mcp-servers/calc}
    upstream: $mcp
    strip_prefix: true          # the server has its endpoint at /mcp
    authorization_server: embedded
    protocol: mcp
    auth: {user_required: false}
    scopes: [tools.call]
    metadata: {scopes_supported: [tools.call], resource_name: Calculator}
  - name: stages
    gateway: bk-apigateway
    resource: stages
    match: {path: /prod/api/v2/stages}
    upstream: $stock
    authorization_server: embedded
    auth: {user_required: false}
""")


def configuration_text(
    *,
    path: str,
    listen: str,
    operator: str,
    issuer: str,
    orders: str,
    stock: str,
    mcp: str,
    workers: int,
) -> str:
    """The file as YAML.

    Args:
        path: where it will lie, for its own comment.
        listen, operator: `host:port` of the gateway and of the operator's surface.
        issuer: of the authorization server.
        orders, stock, mcp: base URLs of the upstreams.
        workers: how many judge.
    """
    return _FILE.substitute(
        path=path,
        listen=listen,
        origin=f"http://{listen}",
        operator=operator,
        issuer=issuer,
        orders=orders,
        stock=stock,
        mcp=mcp,
        workers=workers,
        client_id=CLIENT_ID,
        introspection_secret=INTROSPECTION_SECRET,
        operator_token=OPERATOR_TOKEN,
    )
