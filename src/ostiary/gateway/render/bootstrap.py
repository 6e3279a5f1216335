"""`bootstrap.json`: what Envoy is started with. A change here needs a restart; the other files are watched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ostiary.gateway.counted import COUNTED
from ostiary.gateway.render.clusters import decision_cluster, metadata_cluster
from ostiary.gateway.render.tree import typed

if TYPE_CHECKING:
    from ostiary.gateway.plan import Plan
    from ostiary.gateway.render.tree import Node, Tree

_OWNER_ONLY: Final = 0o600
_MAX_CONNECTIONS: Final = 10_000
_MAX_HEAP_BYTES: Final = 1 << 30
# 100 unless told: a bound on what strangers configure, and ours are our own.
_MAX_PROGRAM_SIZE: Final = 1_000


def frame(plan: Plan) -> dict[str, Node]:
    """What the bootstrap has besides its resources: admin, statistics, runtime, overload."""
    return {
        "node": {"id": "ostiary", "cluster": "ostiary"},  # file-based xDS refuses to start without them
        "admin": {
            "address": {"pipe": {"path": str(plan.admin_socket), "mode": _OWNER_ONLY}},
            # The supervisor still gets in when the limit below is reached.
            "ignore_global_conn_limit": True,
            "allow_paths": [
                {"exact": "/ready"},
                {"exact": "/server_info"},
                {"exact": "/clusters"},
                {"prefix": "/stats"},
                {"prefix": "/config_dump"},
                {"prefix": "/drain_listeners"},
            ],
        },
        "stats_config": {"stats_matcher": {"inclusion_list": {"patterns": [{"exact": name} for name in COUNTED]}}},
        # No admin layer: nobody changes a switch at run time.
        "layered_runtime": {
            "layers": [{"name": "static", "static_layer": {"re2.max_program_size.error_level": _MAX_PROGRAM_SIZE}}]
        },
        "overload_manager": _OVERLOAD,
    }


def workers(plan: Plan) -> list[Tree]:
    """The static clusters: no reload can lose them."""
    return [decision_cluster(plan.decision_sockets), metadata_cluster(plan.metadata_sockets)]


_CONNECTIONS: Final = "envoy.resource_monitors.global_downstream_max_connections"
_HEAP: Final = "envoy.resource_monitors.fixed_heap"
_OVERLOAD: Final[Tree] = {
    "refresh_interval": "0.25s",
    "resource_monitors": [
        {
            "name": _CONNECTIONS,
            "typed_config": typed(
                "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                max_active_downstream_connections=_MAX_CONNECTIONS,
            ),
        },
        {
            "name": _HEAP,
            "typed_config": typed(
                "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
                max_heap_size_bytes=_MAX_HEAP_BYTES,
            ),
        },
    ],
    "actions": [
        {"name": "envoy.overload_actions.shrink_heap", "triggers": [{"name": _HEAP, "threshold": {"value": 0.9}}]},
        {
            "name": "envoy.overload_actions.reduce_timeouts",
            "triggers": [{"name": _HEAP, "scaled": {"scaling_threshold": 0.85, "saturation_threshold": 0.95}}],
            "typed_config": typed(
                "envoy.config.overload.v3.ScaleTimersOverloadActionConfig",
                timer_scale_factors=[{"timer": "HTTP_DOWNSTREAM_CONNECTION_IDLE", "min_timeout": "2s"}],
            ),
        },
        {
            "name": "envoy.overload_actions.stop_accepting_requests",
            "triggers": [{"name": _HEAP, "threshold": {"value": 0.95}}],
        },
    ],
}
