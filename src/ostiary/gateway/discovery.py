"""The files that Envoy watches: written before it starts, replaced in the one order that loses no request."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from ostiary.gateway import files, render
from ostiary.gateway.counted import CDS_VERSION, RDS_REFUSED, RDS_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ostiary.gateway.admin import Admin
    from ostiary.gateway.plan import Plan

_POLL_SECONDS: Final = 0.01
_TAKE_SECONDS: Final = 3.0


def write_all(generation: int, plan: Plan) -> None:
    """What Envoy finds when it starts."""
    _replace(plan, "cds.json", render.cds(generation, plan.routes, plan.trusted_ca))
    _replace(plan, "rds.json", render.rds(generation, plan.routes))
    if plan.certificate is not None:
        _replace(plan, "sds.json", render.sds(generation, plan.certificate))
    _replace(plan, "lds.json", render.lds(generation, plan))
    _replace(plan, "bootstrap.json", render.bootstrap(plan))


def changes_listener(old: Plan, new: Plan) -> bool:
    """Whether going from one plan to the other drains connections."""
    return render.lds(0, old) != render.lds(0, new)


async def replace(
    before: tuple[int, Plan], after: tuple[int, Plan], living: Iterable[Plan], admin: Admin
) -> str | None:
    """Put a new plan in force in a running Envoy; None if it is, otherwise why not, and the old files are back.

    Every plan's upstreams come first, so that no route ever names one that is missing; then the routes. What only older
    plans need stays until `keep_upstreams`: by them is judged what had arrived before.

    Args:
        before: the generation in force, and its plan.
        after: the one that is to be.
        living: the plans by which anything is still judged, `before`'s among them.
        admin: Envoy's.

    Raises:
        OSError: the files cannot be written; none has been replaced.
    """
    (old_generation, old), (generation, new) = before, after
    living = tuple(living)
    refused = await _refusals(admin)
    # All of them before the first takes its place: a disk that fills up must not leave half of a plan in force.
    upstreams = _stage(new, "cds.json", "new", _upstreams(generation, (new, *living)))
    routes = _stage(new, "rds.json", "new", render.rds(generation, new.routes))
    listener = _stage(new, "lds.json", "new", render.lds(generation, new)) if changes_listener(old, new) else None
    pair = new.certificate
    certificate = None if pair is None else _stage(new, "sds.json", "new", render.sds(generation, pair))
    old_routes = _stage(old, "rds.json", "old", render.rds(old_generation, old.routes))
    old_upstreams = _stage(old, "cds.json", "old", _upstreams(old_generation, living))
    upstreams()
    taken = await _shows(admin, CDS_VERSION, generation)
    if taken:
        routes()
        taken = await _shows(admin, RDS_VERSION, generation) and await _refusals(admin) <= refused
    if not taken:
        old_routes()
        old_upstreams()
        return "Envoy did not take the new routes; its log says why"
    if certificate is not None:
        certificate()
    if listener is not None:
        listener()
    return None


def keep_upstreams(generation: int, living: Sequence[Plan]) -> None:
    """Have Envoy drop the upstreams that none of these plans needs.

    Raises:
        OSError: the file cannot be written, and is as it was.
    """
    _replace(living[0], "cds.json", _upstreams(generation, living))


def _upstreams(generation: int, plans: Sequence[Plan]) -> render.Tree:
    routes = [route for plan in plans for route in plan.routes]
    trusted_ca = next((plan.trusted_ca for plan in plans if plan.trusted_ca is not None), None)
    return render.cds(generation, routes, trusted_ca)


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


def _replace(plan: Plan, name: str, tree: render.Tree) -> None:
    files.replace(plan.envoy_dir / name, render.to_text(tree).encode("ascii"))
