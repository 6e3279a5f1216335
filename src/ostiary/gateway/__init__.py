"""The data plane: renders Envoy's files from the routes, starts Envoy and the decision workers, keeps and reloads them.

`Gateway` is all of it as a context manager; `role.GatewayRole` is what `ostiary serve` runs, with records, metrics and
the operators' listener. The workers' command line is handed in: the decision service is another door, and doors do not
know each other. Facts about Envoy that this room relies on were found by experiment, on the pinned version.
"""

from __future__ import annotations

from ostiary.gateway.edge import EdgeLine, is_recorded, parse_edge_line, reason_of
from ostiary.gateway.faults import Log, StartFault
from ostiary.gateway.plan import Certificate, Plan
from ostiary.gateway.supervisor import Gateway, NotReloaded, Reloaded

__all__ = [
    "Certificate",
    "EdgeLine",
    "Gateway",
    "Log",
    "NotReloaded",
    "Plan",
    "Reloaded",
    "StartFault",
    "is_recorded",
    "parse_edge_line",
    "reason_of",
]
