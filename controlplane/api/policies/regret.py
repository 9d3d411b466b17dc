"""What a version would have done, and what it would have come to."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, TypeAdapter

from controlplane.api.policies.common import found, seen_by
from controlplane.api.principals import Who, demand
from controlplane.api.problems import MISSING, NotFound, bad_value
from controlplane.api.ranges import Range
from controlplane.domain.access import AccessRole, Principal
from controlplane.domain.decision import Verdict
from controlplane.simulation.regret import Regret
from controlplane.store.governed import ShadowTicks
from controlplane.store.policies import StoredPolicy
from controlplane.store.regrets import WHY_NOT, Regrets, StoredRegret

router = APIRouter(prefix="/api/v1/policies/{policy_id}/versions/{number}", tags=["policies"])
_REGRET = TypeAdapter(Regret)
BIGGEST_ID = 2**63 - 1


class RegretOut(BaseModel):
    """One target. `against` is the other version's number; None: a custom resource's policy. `regret` None: see
    `error`."""

    target: str
    since_s: float
    until_s: float
    made_at_s: float
    against: int | None
    regret: Regret | None
    error: str | None


class ShadowTickOut(BaseModel):
    """What the version would have decided beside the tick `tick_id`."""

    target: str
    at_s: float
    tick_id: str
    verdict: Verdict
    reason: str
    desired: dict[str, int]
    usd_per_hour: float
    planned_requests_per_s: float | None
    live_desired: dict[str, int]
    feasible: bool


class ShadowTickPage(BaseModel):
    """Newest first."""

    items: list[ShadowTickOut]
    next_cursor: int | None


@router.get("/regret", responses=MISSING)
def regret(policy_id: UUID, number: int, request: Request, who: Who) -> list[RegretOut]:
    """The newest comparison of each target: both versions simulated on the recorded load, beside what was recorded and
    how far the simulation is from it. Made by workers every half window while a version is in Shadow, a Canary or
    freshly Live; empty before the first."""
    policy = _numbered(request, who, policy_id, number)
    made = Regrets(request.app.state.writer.engine).newest([policy.versions[number].id])
    return [_out(one) for one in made if who.may(AccessRole.VIEWER, one.target.partition("/")[0])]


@router.get("/shadow-ticks", responses=MISSING)
def shadow_ticks(
    policy_id: UUID,
    number: int,
    request: Request,
    who: Who,
    within: Annotated[Range, Depends()],
    target: Annotated[str | None, Query(max_length=512, description="namespace/name")] = None,
    cursor: Annotated[int | None, Query(ge=1, le=BIGGEST_ID)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> ShadowTickPage:
    """What it would have decided on the observations of the version that did, newest first."""
    policy = _numbered(request, who, policy_id, number)
    if target is None and len(policy.keys) == 1:
        target = policy.keys[0]
    if target is not None and target not in policy.keys:
        raise bad_value("target", target, ", ".join(_seen(policy, who)))
    for key in policy.keys if target is None else (target,):
        demand(who, AccessRole.VIEWER, key.partition("/")[0])
    store = ShadowTicks(request.app.state.writer.engine)
    rows = store.page(policy.versions[number].id, target, within.since_s, within.until_s, cursor, limit + 1)
    items = [ShadowTickOut(**_without_version(asdict(row.tick))) for row in rows[:limit]]
    return ShadowTickPage(items=items, next_cursor=rows[limit - 1].id if len(rows) > limit else None)


def _numbered(request: Request, who: Principal, policy_id: UUID, number: int) -> StoredPolicy:
    policy = found(request, who, policy_id)
    if number not in policy.versions:
        raise NotFound(f"there is no version {number}")
    return policy


def _seen(policy: StoredPolicy, who: Principal) -> list[str]:
    seen = seen_by(who)
    return [key for key in policy.keys if seen is None or key.partition("/")[0] in seen]


def _out(one: StoredRegret) -> RegretOut:
    error = one.body.get(WHY_NOT)
    return RegretOut(
        target=one.target,
        since_s=one.since_s,
        until_s=one.until_s,
        made_at_s=one.made_at_s,
        against=one.body.get("against"),
        regret=None if error else _REGRET.validate_python(one.body),
        error=error,
    )


def _without_version(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name != "version_id"}
