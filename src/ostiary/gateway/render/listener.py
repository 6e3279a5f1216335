"""`lds.json`: the listener with its header laws, error bodies, filters, access log. A change drains connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostiary.gateway.render.filters import http_filters
from ostiary.gateway.render.headers import PEER, early_header_mutation
from ostiary.gateway.render.replies import expression, local_reply_config
from ostiary.gateway.render.tls import transport_socket
from ostiary.gateway.render.tree import typed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from ipaddress import IPv4Network, IPv6Network

    from ostiary.gateway.plan import Plan
    from ostiary.gateway.render.tree import Tree

LISTENER_KIND: Final = "envoy.config.listener.v3.Listener"
_KIB: Final = 1024
_IPV6: Final = 6

# One JSON line for each answer that no upstream gave; `gateway.edge` reads it.
ACCESS_LINE: Final = {
    "time": "%START_TIME%",
    "reference": "%RESPONSE_HEADER(X-REQUEST-ID)%",
    "status": "%RESPONSE_CODE%",
    "error": "%RESPONSE_HEADER(X-BKAPI-ERROR-CODE)%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "flags": "%RESPONSE_FLAGS%",
    "method": "%REQUEST_HEADER(:METHOD)%",
    "path": "%PATH(NQ:PATH)%",  # without the query
    "route": "%ROUTE_NAME%",
    "peer": PEER,
    "duration_ms": "%DURATION%",
    "upstream_ms": "%RESPONSE_DURATION%",  # null where no upstream has begun to answer
}


def routes_watched(path: str) -> Tree:
    """Routes that come from the watched file."""
    source: Tree = {"resource_api_version": "V3", "path_config_source": {"path": path}}
    return {"rds": {"route_config_name": "public", "config_source": source}}


def listener(plan: Plan, routing: Tree, certificate: Tree) -> Tree:
    """The public listener; `routing` says where its routes come from, `certificate` where that of TLS does."""
    host, port = plan.listen
    return {
        "name": "public",
        "address": {"socket_address": {"address": host, "port_value": port}},
        # One shared socket fills threads unevenly without it.
        "connection_balance_config": {"exact_balance": {}},
        # The default lets a second Envoy share the port without a word: half of the connections would go to it.
        "enable_reuse_port": False,
        "per_connection_buffer_limit_bytes": 262144,
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": typed(
                            "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                            stat_prefix="public",
                            codec_type="AUTO",
                            **_who(plan.trusted_proxies),
                            **_REFERENCE,
                            **_PATH,
                            **_limits(plan.header_bytes),
                            **_PROTOCOLS,
                            early_header_mutation_extensions=[early_header_mutation(plan.trusted_proxies)],
                            local_reply_config=local_reply_config(),
                            access_log=[_access_log()],
                            **routing,
                            http_filters=http_filters(plan, plan.body_limits),
                            upgrade_configs=[_websocket(plan)],
                        ),
                    }
                ],
                **({} if plan.certificate is None else _encrypted(certificate)),
            }
        ],
    }


def _encrypted(certificate: Tree) -> Tree:
    # A handshake that does not end holds a connection no longer than a head that does not.
    return {"transport_socket": transport_socket(certificate), "transport_socket_connect_timeout": "10s"}


def _who(trusted_proxies: Iterable[IPv4Network | IPv6Network]) -> Tree:
    """The peer's address, nobody's header; behind a listed peer the last address in X-Forwarded-For that is not listed.

    What is no bare address there (a name, a port, brackets, nothing) ends the search, and the peer it is. So does a
    21st entry, wherever the address stands: `guard.forwarded` refuses it, or a client could pass for its proxy.
    No address is "internal": nobody may send x-envoy-*.
    """
    internal: Tree = {"internal_address_config": {"unix_sockets": False}}
    cidrs = [cidr for each in trusted_proxies for cidr in _cidrs(each)]
    if not cidrs:
        return {"use_remote_address": True, "skip_xff_append": True, **internal}
    detection = typed(
        "envoy.extensions.http.original_ip_detection.xff.v3.XffConfig",
        xff_trusted_cidrs={"cidrs": cidrs},
        skip_xff_append=True,
    )
    extension: Tree = {"name": "envoy.http.original_ip_detection.xff", "typed_config": detection}
    return {"use_remote_address": False, "original_ip_detection_extensions": [extension], **internal}


def _cidrs(network: IPv4Network | IPv6Network) -> list[Tree]:
    """A proxy that listens on both families may write IPv4 in the form of IPv6 (RFC 4291 §2.5.5.2)."""
    address, length = str(network.network_address), network.prefixlen
    forms = [(address, length)] if network.version == _IPV6 else [(address, length), ("::ffff:" + address, 96 + length)]
    return [{"address_prefix": prefix, "prefix_len": bits} for prefix, bits in forms]


# Always made here. `always_set_request_id_in_response` would echo the client's where a request is refused early.
_REFERENCE: Final[Tree] = {
    "generate_request_id": True,
    "preserve_external_request_id": False,
    "request_id_extension": {
        "typed_config": typed("envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig", pack_trace_reason=False)
    },
}

# One path, one host: what is matched is judged is sent. But for a dot at its end `Host` stays as it came: an upstream
# may take `api.example.com.` for another host than the one that was judged.
_PATH: Final[Tree] = {
    "strip_trailing_host_dot": True,
    "normalize_path": True,
    "merge_slashes": True,
    "path_with_escaped_slashes_action": "REJECT_REQUEST",
}

_PROTOCOLS: Final[Tree] = {
    "http_protocol_options": {
        # curl and Java send these unasked; refusing them would break the clients.
        "ignore_http_11_upgrade": [{"prefix": "h2c"}, {"prefix": "TLS"}],
    },
    "http2_protocol_options": {
        "max_concurrent_streams": 100,
        "initial_stream_window_size": 262144,
        "initial_connection_window_size": 1048576,
        # A bad request ends its stream, not the connection.
        "override_stream_error_on_invalid_http_message": True,
    },
    # No "server: envoy"; `ostiary.edge` removes the upstream's.
    "server_header_transformation": "PASS_THROUGH",
}


def _websocket(plan: Plan) -> Tree:
    """The same filters, but what comes after an upgrade is no body; before the upstream agrees none of it is sent."""
    own: Tree = {"filters": http_filters(plan, ())} if plan.body_limits else {}
    return {"upgrade_type": "websocket", **own}


def _limits(header_bytes: int) -> Tree:
    return {
        "max_request_headers_kb": -(-header_bytes // _KIB),
        "request_headers_timeout": "10s",
        "request_timeout": "0s",  # would bound the whole upload
        "stream_idle_timeout": "300s",  # a route's idle_timeout overrides it
        "common_http_protocol_options": {
            # `X_Bkapi_Jwt` reaches a WSGI application as `HTTP_X_BKAPI_JWT`.
            "headers_with_underscores_action": "REJECT_REQUEST",
            "max_headers_count": 100,
            "idle_timeout": "300s",
        },
    }


def _access_log() -> Tree:
    return {
        "name": "edge",
        "filter": expression("response.code_details != 'via_upstream'"),
        "typed_config": typed(
            "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog", log_format={"json_format": ACCESS_LINE}
        ),
    }
