"""The decisions in which a freeze was heard."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request

from controlplane.api import present
from controlplane.api.freezes import found_freeze
from controlplane.api.principals import Who
from controlplane.api.problems import MISSING, bad_value
from controlplane.api.views import TickPage
from controlplane.domain.access import AccessRole, Principal
from controlplane.domain.decision import Tick
from controlplane.store.freezes import StoredFreeze
from controlplane.store.queries import Queries, TickFilter

router = APIRouter(prefix="/api/v1", tags=["freezes"])


@router.get("/freezes/{freeze_id}/ticks", responses=MISSING)
def freeze_ticks(
    freeze_id: UUID,
    request: Request,
    who: Who,
    target: Annotated[
        str | None, Query(max_length=512, description="namespace/name; needed where the freeze is of several")
    ] = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> TickPage:
    """The decisions of one target in which it was heard, newest first. A page may hold fewer than asked for: a
    decision under way while the freeze was made did not hear it."""
    found = found_freeze(request, who, freeze_id)
    queries: Queries = request.app.state.queries
    key = _one_of(_concerned(found, queries, who), target)
    if key is None:
        return TickPage((), None)
    said = found.scoped.freeze
    ends_at_s = said.ends_at_s if found.ended_at_s is None else min(said.ends_at_s, found.ended_at_s)
    ticks, following = queries.tick_page(TickFilter(key, (), said.starts_at_s, ends_at_s), cursor, limit)
    return TickPage(tuple(present.tick_summary(tick) for tick in ticks if _heard(tick, freeze_id)), following)


def _concerned(found: StoredFreeze, queries: Queries, who: Principal) -> list[str]:
    """The targets that it is of, among those that they may see."""
    return [
        target.key
        for target in queries.targets()
        if found.scoped.concerns(target.namespace, target.name) and who.may(AccessRole.VIEWER, target.namespace)
    ]


def _one_of(keys: list[str], asked: str | None) -> str | None:
    """Which of them is asked for; None where there is none.

    Raises:
        BadValue: naming them, if it is not said which, or one of no concern.
    """
    if asked is None and len(keys) < 2:
        return keys[0] if keys else None
    if asked not in keys:
        raise bad_value("target", str(asked), ", ".join(keys) or "none: it concerns no target that you may see")
    return asked


def _heard(tick: Tick, freeze_id: UUID) -> bool:
    return any(freeze.id == str(freeze_id) for freeze in tick.inputs.target.policy.freezes)
