"""Where a version goes next: shadow, canary, promote, roll back, archive."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from controlplane.api.policies.bodies import CanaryIn, GuardIn, PromoteIn, StageIn
from controlplane.api.policies.common import changed, checked, locked, of_api, refuse_named
from controlplane.api.policies.views import PolicyOut
from controlplane.api.problems import CHANGING, Conflict, NotFound, bad_value
from controlplane.api.writes import Write, Writing
from controlplane.domain.policy_life import Canary, Guard, Stage, TransitionRefused
from controlplane.domain.target import Target
from controlplane.store.approvals import is_approved
from controlplane.store.policies import Policies, StoredPolicy, approval_required
from controlplane.store.unit import Unit

router = APIRouter(prefix="/api/v1/policies/{policy_id}/versions/{number}", tags=["policies"])


@router.post("/shadow", response_model=PolicyOut, responses=CHANGING)
def shadow(policy_id: UUID, number: int, body: StageIn, request: Request, write: Writing) -> JSONResponse:
    """Let it decide beside the one that decides, on the same observations, and touch nothing. Also ends a canary."""
    policy = _numbered(request, write, policy_id, number)
    return _go(write, policy, number, Stage.SHADOW, body.reason)


@router.post("/canary", response_model=PolicyOut, responses=CHANGING)
def canary(policy_id: UUID, number: int, body: CanaryIn, request: Request, write: Writing) -> JSONResponse:
    """Let it decide for some variants or some namespaces, for a time. It ends by itself, or when it does worse."""
    policy = _numbered(request, write, policy_id, number)
    refuse_named(request, policy, number, "a canary")
    until_s = write.request.now_s + body.ttl_s
    wanted = Canary(until_s, tuple(body.variants), tuple(body.namespaces))
    _check_scope(policy, number, wanted)
    return _go(write, policy, number, Stage.CANARY, body.reason, wanted, body.guard)


@router.post("/promote", response_model=PolicyOut, responses=CHANGING)
def promote(policy_id: UUID, number: int, body: PromoteIn, request: Request, write: Writing) -> JSONResponse:
    """Let it decide. The version that did is superseded, and is what a roll-back returns to."""
    policy = _numbered(request, write, policy_id, number)
    refuse_named(request, policy, number, "a promotion")
    return _go(write, policy, number, Stage.LIVE, body.reason, None, body.guard)


@router.post("/rollback", response_model=PolicyOut, responses=CHANGING)
def roll_back(policy_id: UUID, number: int, body: StageIn, request: Request, write: Writing) -> JSONResponse:
    """Take a Canary or the Live version back; the version before it is Live again. Needs no approval."""
    policy = _numbered(request, write, policy_id, number)
    return _go(write, policy, number, Stage.ROLLED_BACK, body.reason)


@router.post("/archive", response_model=PolicyOut, responses=CHANGING)
def archive(policy_id: UUID, number: int, body: StageIn, request: Request, write: Writing) -> JSONResponse:
    """Put a version away. Of the Live one: nothing of the policy decides any more, replicas stay as they are."""
    policy = _numbered(request, write, policy_id, number)
    return _go(write, policy, number, Stage.SUPERSEDED, body.reason)


_ACTIONS = {
    Stage.SHADOW: "policy.shadow",
    Stage.CANARY: "policy.canary",
    Stage.LIVE: "policy.promote",
    Stage.ROLLED_BACK: "policy.rollback",
    Stage.SUPERSEDED: "policy.archive_version",
}


def _go(
    write: Write,
    policy: StoredPolicy,
    number: int,
    to: Stage,
    reason: str,
    canary: Canary | None = None,
    guard: GuardIn | None = None,
) -> JSONResponse:
    with locked(write, policy) as (unit, before):
        if before.archived_at_s is not None:
            raise Conflict("the policy was put away")
        limits = None if guard is None else Guard(guard.attainment, guard.cost, guard.over_s)
        try:
            made = before.life.transition(number, to, unit.now_s, write.who.id, reason, canary, limits)
        except TransitionRefused as error:
            raise Conflict(str(error)) from error
        _demand_approval(unit, before, number, to)
        return changed(unit, _ACTIONS[to], before, Policies.change(unit, before, made), number)


def _demand_approval(unit: Unit, policy: StoredPolicy, number: int, to: Stage) -> None:
    if to not in (Stage.CANARY, Stage.LIVE) or not approval_required(unit.connection):
        return
    if not is_approved(unit.connection, policy.versions[number].id, to):
        where = f"/api/v1/policies/{policy.id}/versions/{number}/approvals"
        raise Conflict(f"a second person must approve before version {number} decides: ask with POST {where}")


def _numbered(request: Request, write: Write, policy_id: UUID, number: int) -> StoredPolicy:
    policy = of_api(request, write.who, policy_id)
    if number not in policy.versions:
        raise NotFound(f"there is no version {number}")
    return policy


def _check_scope(policy: StoredPolicy, number: int, wanted: Canary) -> None:
    """A canary of variants shares the target with the Live version, so both must mean the same variants.

    Raises:
        BadValue: naming what is not known.
    """
    if bool(wanted.variants) == bool(wanted.namespaces):
        raise bad_value("variants", str(list(wanted.variants)), "variants or namespaces: exactly one of the two")
    strange = sorted(set(wanted.namespaces) - set(policy.namespaces))
    if strange:
        raise bad_value("namespaces", strange[0], ", ".join(policy.namespaces))
    live = policy.life.live
    mine = _target(policy, number)
    names = [variant.name for variant in mine.variants]
    strange = sorted(set(wanted.variants) - set(names))
    if strange:
        raise bad_value("variants", strange[0], ", ".join(names))
    if wanted.variants and live is not None and _shape(mine) != _shape(_target(policy, live)):
        allowed = f"a version with the variants of version {live}, which is Live; or a canary of namespaces"
        raise bad_value("variants", ", ".join(names), allowed)


def _target(policy: StoredPolicy, number: int) -> Target:
    return checked(policy.name, policy.namespaces[:1], policy.versions[number].spec)[0]


def _shape(target: Target) -> set[tuple[str, str, str]]:
    return {(variant.name, variant.ref.kind, variant.ref.name) for variant in target.variants}
