"""Envoy's files, rendered: pure functions from a plan to JSON.

`bootstrap`, `lds`, `rds` and `cds` are what Envoy runs on; `self_contained` is all of it in one file, which
`envoy --mode validate` can judge before anything is renamed into place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ostiary.gateway.render.bootstrap import frame, workers
from ostiary.gateway.render.clusters import CLUSTER_KIND, upstream_cluster, upstream_name
from ostiary.gateway.render.listener import LISTENER_KIND, listener, routes_watched
from ostiary.gateway.render.routes import ROUTES_KIND, route_configuration
from ostiary.gateway.render.tls import SECRET_KIND, certificate_named, certificate_watched, secret
from ostiary.gateway.render.tree import Tree, to_text, typed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ostiary.decision.routes import Route
    from ostiary.gateway.plan import Certificate, Plan

__all__ = ["Tree", "bootstrap", "cds", "lds", "rds", "sds", "self_contained", "to_text"]


def bootstrap(plan: Plan) -> Tree:
    """What Envoy is started with; the rest is read from `lds.json` and `cds.json` in the plan's folder, and watched."""

    def watched(name: str) -> Tree:
        return {"resource_api_version": "V3", "path_config_source": {"path": str(plan.envoy_dir / name)}}

    return {
        **frame(plan),
        "dynamic_resources": {"cds_config": watched("cds.json"), "lds_config": watched("lds.json")},
        "static_resources": {"clusters": workers(plan)},
    }


def lds(generation: int, plan: Plan) -> Tree:
    """The listener. Write it only when its resources differ: a change drains connections."""
    certificate = certificate_watched(str(plan.envoy_dir / "sds.json"))
    rendered = listener(plan, routes_watched(str(plan.envoy_dir / "rds.json")), certificate)
    return _discovered(generation, [typed(LISTENER_KIND, **rendered)])


def rds(generation: int, routes: Iterable[Route]) -> Tree:
    """The routes; the generation is in the name of each one that is judged."""
    return _discovered(generation, [typed(ROUTES_KIND, **route_configuration(generation, routes))])


def cds(generation: int, routes: Iterable[Route], trusted_ca: Path | None = None) -> Tree:
    """The upstreams, each once.

    Raises:
        ValueError: an `https` upstream, and no `trusted_ca`.
    """
    return _discovered(generation, [typed(CLUSTER_KIND, **cluster) for cluster in _upstreams(routes, trusted_ca)])


def sds(generation: int, certificate: Certificate) -> Tree:
    """The listener's certificate: where it lies, and nothing of it."""
    return _discovered(generation, [typed(SECRET_KIND, **secret(generation, certificate))])


def self_contained(generation: int, plan: Plan) -> Tree:
    """The same listener, routes and clusters in one file.

    Raises:
        ValueError: an `https` upstream, and no `trusted_ca`.
    """
    routing = {"route_config": route_configuration(generation, plan.routes)}
    certificate = {} if plan.certificate is None else certificate_named(plan.certificate)
    return {
        **frame(plan),
        "static_resources": {
            "listeners": [listener(plan, routing, certificate)],
            "clusters": [*workers(plan), *_upstreams(plan.routes, plan.trusted_ca)],
        },
    }


def _upstreams(routes: Iterable[Route], trusted_ca: Path | None) -> list[Tree]:
    named = {
        upstream_name(route.name, route.edge.upstream): route.edge.upstream
        for route in routes
        if route.edge is not None
    }
    return [upstream_cluster(name, named[name], trusted_ca) for name in sorted(named)]


def _discovered(generation: int, resources: list[Tree]) -> Tree:
    """A file of file-based xDS; its version comes back in Envoy's statistics."""
    return {"version_info": str(generation), "resources": resources}
