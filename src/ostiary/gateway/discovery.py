"""The files that Envoy watches: written before it starts, replaced in the one order that loses no request."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from ostiary.gateway import files, render
from ostiary.gateway.admin import CDS_VERSION, RDS_REFUSED, RDS_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from ostiary.gateway.admin import Admin
    from ostiary.gateway.plan import Plan

_POLL_SECONDS: Final = 0.01
_TAKE_SECONDS: Final = 3.0


def write_all(generation: int, plan: Plan) -> None:
    """What Envoy finds when it starts."""
    _write(plan, "cds.yaml", render.cds(generation, plan.routes, plan.trusted_ca))
    _write(plan, "rds.yaml", render.rds(generation, plan.routes))
    if plan.certificate is not None:
        _write(plan, "sds.yaml", render.sds(generation, plan.certificate))
    _write(plan, "lds.yaml", render.lds(generation, plan))
    _write(plan, "bootstrap.yaml", render.bootstrap(plan))


def changes_listener(old: Plan, new: Plan) -> bool:
    """Whether going from one plan to the other drains connections."""
    return render.lds(0, old) != render.lds(0, new)


async def replace(before: tuple[int, Plan], after: tuple[int, Plan], admin: Admin) -> str | None:
    """Put a new plan in force in a running Envoy; None if it is, otherwise why not, and the old files are back.

    Both plans' upstreams come first, so that no route ever names one that is missing; then the routes; then only what
    the new plan needs.

    Raises:
        OSError: the files cannot be written; none has been replaced.
    """
    (old_generation, old), (generation, new) = before, after
    refused = await _refusals(admin)
    kept = tuple(route for route in old.routes if route.name not in {route.name for route in new.routes})
    # All of them before the first takes its place: a disk that fills up must not leave half of a plan in force.
    both = _stage(new, "cds.yaml", "both", render.cds(generation, (*new.routes, *kept), new.trusted_ca))
    routes = _stage(new, "rds.yaml", "new", render.rds(generation, new.routes))
    upstreams = _stage(new, "cds.yaml", "new", render.cds(generation, new.routes, new.trusted_ca))
    listener = _stage(new, "lds.yaml", "new", render.lds(generation, new)) if changes_listener(old, new) else None
    pair = new.certificate
    certificate = None if pair is None else _stage(new, "sds.yaml", "new", render.sds(generation, pair))
    old_routes = _stage(old, "rds.yaml", "old", render.rds(old_generation, old.routes))
    old_upstreams = _stage(old, "cds.yaml", "old", render.cds(old_generation, old.routes, old.trusted_ca))
    both()
    taken = await _shows(admin, CDS_VERSION, generation)
    if taken:
        routes()
        taken = await _shows(admin, RDS_VERSION, generation) and await _refusals(admin) <= refused
    if not taken:
        old_routes()
        old_upstreams()
        return "Envoy did not take the new routes; its log says why"
    upstreams()
    if certificate is not None:
        certificate()
    if listener is not None:
        listener()
    return None


async def _refusals(admin: Admin) -> int:
    """How often Envoy has refused routes since it started; it may have started again since it was last asked."""
    return sum(map(int, (await admin.stats(*RDS_REFUSED)).values()))


async def _shows(admin: Admin, name: str, generation: int) -> bool:
    """Whether a version comes into force in time."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + _TAKE_SECONDS
    while (await admin.stats(name)).get(name) != str(generation):
        if clock() > deadline:
            return False
        await asyncio.sleep(_POLL_SECONDS)
    return True


def _stage(plan: Plan, name: str, suffix: str, tree: render.Tree) -> Callable[[], object]:
    """Write a file beside the one that Envoy reads; the call puts it in its place."""
    beside = plan.envoy_dir / f"{name}.{suffix}"
    files.write_private(beside, render.to_text(tree).encode("ascii"))
    return partial(beside.replace, plan.envoy_dir / name)


def _write(plan: Plan, name: str, tree: render.Tree) -> None:
    files.replace(plan.envoy_dir / name, render.to_text(tree).encode("ascii"))
