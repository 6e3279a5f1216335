"""The files that Envoy watches: written before it starts, replaced in the one order that loses no request."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from ostiary.gateway import files, render
from ostiary.gateway.admin import CDS_VERSION, RDS_REFUSED, RDS_VERSION

if TYPE_CHECKING:
    from ostiary.gateway.admin import Admin
    from ostiary.gateway.plan import Plan

_POLL_SECONDS: Final = 0.01
_TAKE_SECONDS: Final = 3.0


def write_all(generation: int, plan: Plan) -> None:
    """What Envoy finds when it starts."""
    _write(plan, "cds.yaml", render.cds(generation, plan.routes, plan.trusted_ca))
    _write(plan, "rds.yaml", render.rds(generation, plan.routes))
    _write(plan, "lds.yaml", render.lds(generation, plan))
    _write(plan, "bootstrap.yaml", render.bootstrap(plan))


def changes_listener(old: Plan, new: Plan) -> bool:
    """Whether going from one plan to the other drains connections."""
    return render.lds(0, old) != render.lds(0, new)


async def replace(before: tuple[int, Plan], after: tuple[int, Plan], admin: Admin) -> str | None:
    """Put a new plan in force in a running Envoy; None if it is, otherwise why not, and the old files are back.

    Both plans' upstreams come first, so that no route ever names one that is missing; then the routes; then only what
    the new plan needs.
    """
    (old_generation, old), (generation, new) = before, after
    refused = await admin.stats(*RDS_REFUSED)
    kept = tuple(route for route in old.routes if route.name not in {route.name for route in new.routes})
    _write(new, "cds.yaml", render.cds(generation, (*new.routes, *kept), new.trusted_ca))
    taken = await _shows(admin, CDS_VERSION, generation)
    if taken:
        _write(new, "rds.yaml", render.rds(generation, new.routes))
        taken = await _shows(admin, RDS_VERSION, generation) and await admin.stats(*RDS_REFUSED) == refused
    if not taken:
        _write(old, "rds.yaml", render.rds(old_generation, old.routes))
        _write(old, "cds.yaml", render.cds(old_generation, old.routes, old.trusted_ca))
        return "Envoy did not take the new routes; its log says why"
    _write(new, "cds.yaml", render.cds(generation, new.routes, new.trusted_ca))
    if changes_listener(old, new):
        _write(new, "lds.yaml", render.lds(generation, new))
    return None


async def _shows(admin: Admin, name: str, generation: int) -> bool:
    """Whether a version comes into force in time."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + _TAKE_SECONDS
    while (await admin.stats(name)).get(name) != str(generation):
        if clock() > deadline:
            return False
        await asyncio.sleep(_POLL_SECONDS)
    return True


def _write(plan: Plan, name: str, tree: render.Tree) -> None:
    files.replace(plan.envoy_dir / name, render.to_text(tree).encode("ascii"))
