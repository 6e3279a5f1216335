"""`cds.json`: one cluster for each route's upstream; and, for the bootstrap, the workers' two."""

from __future__ import annotations

from hashlib import sha256
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from ostiary.gateway.render.tree import typed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ostiary.decision.routes import Upstream
    from ostiary.gateway.render.tree import Node, Tree

CLUSTER_KIND: Final = "envoy.config.cluster.v3.Cluster"
_OPTIONS_KIND: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

_PLACE_DIGITS: Final = 16

# A stream holds a connection while it lives; the default of 1,024 would cut off the next one.
_OPEN: Final[Tree] = {
    "thresholds": [
        {"max_connections": 100000, "max_pending_requests": 100000, "max_requests": 100000, "max_retries": 100}
    ]
}

# One failed connection takes a worker out for a second. A 5xx is an answer, no reason to move tokens to a cold cache.
_OUTLIERS: Final[Tree] = {
    "split_external_local_origin_errors": True,
    "consecutive_local_origin_failure": 1,
    "enforcing_consecutive_local_origin_failure": 100,
    "enforcing_local_origin_success_rate": 0,
    "enforcing_success_rate": 0,
    "enforcing_consecutive_5xx": 0,
    "enforcing_consecutive_gateway_failure": 0,
    "max_ejection_percent": 100,
    "always_eject_one_host": True,
    "interval": "0.5s",
    "base_ejection_time": "1s",
    "max_ejection_time": "5s",
    "max_ejection_time_jitter": "0s",
}


def decision_cluster(sockets: Iterable[Path]) -> Tree:
    """The workers that judge. In the bootstrap: rebuilding it would fail the questions in flight."""
    by_token: list[Tree] = [
        {"header": {"header_name": "x-bkapi-authorization"}, "terminal": True},
        {"header": {"header_name": "authorization"}},
    ]
    return {
        **_workers("decision", sockets),
        "circuit_breakers": {
            "thresholds": [
                {"max_connections": 4096, "max_pending_requests": 4096, "max_requests": 4096, "max_retries": 4096}
            ]
        },
        # Finds the hung one.
        "health_checks": [
            {
                "timeout": "1s",
                "interval": "1s",
                "no_traffic_interval": "1s",
                "unhealthy_interval": "0.25s",
                "unhealthy_threshold": 3,
                "healthy_threshold": 1,
                "http_health_check": {"path": "/healthz", "host": "decision"},
            }
        ],
        # One token, one worker: one cache entry, one introspection.
        "load_balancing_policy": {
            "policies": [
                {
                    "typed_extension_config": {
                        "name": "envoy.load_balancing_policies.ring_hash",
                        "typed_config": typed(
                            "envoy.extensions.load_balancing_policies.ring_hash.v3.RingHash",
                            consistent_hashing_lb_config={"hash_policy": by_token},
                        ),
                    }
                }
            ]
        },
    }


def metadata_cluster(sockets: Iterable[Path]) -> Tree:
    """The workers' public documents: other sockets, another application."""
    return _workers("metadata", sockets)


def upstream_name(route: str, upstream: Upstream) -> str:
    """The name of a route's cluster.

    What it leads to is part of it: where a reload changes that, both clusters are there, and what the old policy has
    admitted does not go to the new place.
    """
    place = f"{upstream.scheme}://{upstream.host}:{upstream.port}"
    return f"upstream.{route}.{sha256(place.encode()).hexdigest()[:_PLACE_DIGITS]}"


def upstream_cluster(name: str, upstream: Upstream, trusted_ca: Path | None) -> Tree:
    """Where a route's requests go.

    Raises:
        ValueError: an `https` upstream, and no `trusted_ca` to verify it against.
    """
    versions: dict[str, Node] = {"http2_protocol_options" if upstream.scheme == "h2c" else "http_protocol_options": {}}
    cluster: dict[str, Node] = {
        "name": name,
        **_location(upstream.host),
        "connect_timeout": "2s",
        "per_connection_buffer_limit_bytes": 262144,
        "circuit_breakers": _OPEN,
        # Below the 5 s after which uvicorn, Node and others close: no race for a dying connection.
        **_speaks(versions, None if upstream.scheme == "h2c" else "4s"),
        **_endpoints(name, [{"socket_address": {"address": upstream.host, "port_value": upstream.port}}]),
    }
    if upstream.scheme == "https":
        if trusted_ca is None:
            raise ValueError("an https upstream, and nothing to verify it against")
        cluster["transport_socket"] = _tls(upstream.host, trusted_ca)
    return cluster


def _workers(name: str, sockets: Iterable[Path]) -> dict[str, Node]:
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "0.25s",
        # All marked unhealthy: they are asked all the same, so one that is back answers at once.
        "common_lb_config": {"healthy_panic_threshold": {"value": 1}},
        "outlier_detection": _OUTLIERS,
        **_speaks({"http_protocol_options": {}}, "60s"),
        **_endpoints(name, [{"pipe": {"path": str(path)}} for path in sockets]),
    }


def _location(host: str) -> Tree:
    """The default family would prefer IPv6: `localhost` is then `::1`, where the upstream may not listen."""
    return {"type": "STATIC"} if _is_address(host) else {"type": "LOGICAL_DNS", "dns_lookup_family": "ALL"}


def _speaks(versions: Tree, idle_timeout: str | None) -> Tree:
    options: dict[str, Node] = {"explicit_http_config": versions}
    if idle_timeout is not None:
        options["common_http_protocol_options"] = {"idle_timeout": idle_timeout}
    return {"typed_extension_protocol_options": {_OPTIONS_KIND: typed(_OPTIONS_KIND, **options)}}


def _endpoints(cluster: str, addresses: Iterable[Tree]) -> Tree:
    endpoints = [{"endpoint": {"address": address}} for address in addresses]
    return {"load_assignment": {"cluster_name": cluster, "endpoints": [{"lb_endpoints": endpoints}]}}


def _tls(host: str, trusted_ca: Path) -> Tree:
    """Chain and name are both verified: without `trusted_ca` any certificate is good, without the name any name."""
    address = _is_address(host)
    # RFC 6066 §3: an address is no server name.
    server_name: Tree = {} if address else {"sni": host}
    name = {"san_type": "IP_ADDRESS" if address else "DNS", "matcher": {"exact": host}}
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": typed(
            "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            **server_name,
            common_tls_context={
                "alpn_protocols": ["http/1.1"],
                "validation_context": {
                    "trusted_ca": {"filename": str(trusted_ca)},
                    "match_typed_subject_alt_names": [name],
                },
            },
        ),
    }


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
