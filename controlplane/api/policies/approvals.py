"""A second person's word."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from controlplane.api.policies.bodies import ApprovalIn, StageIn
from controlplane.api.policies.common import audit, found, of_api, policies_of, seen_by
from controlplane.api.principals import Who
from controlplane.api.problems import CHANGING, MISSING, Conflict, Forbidden, NotFound
from controlplane.api.writes import Write, Writing, answer, etag
from controlplane.domain.access import AccessRole
from controlplane.domain.policy_life import ALLOWED, DECIDING, ApprovalRefused, Stage, check_approver
from controlplane.store.approvals import Approvals, Ruled, StoredApproval
from controlplane.store.policies import PolicyFilter, StoredPolicy

router = APIRouter(prefix="/api/v1", tags=["policies"])
MOST_POLICIES = 1000
"""How many policies a list of approvals is of: those that wait for somebody are of the newest."""


class ApprovalOut(BaseModel):
    """What was asked for, by whom, and what the second person said. `decision` None: nobody said anything yet."""

    id: UUID
    policy_id: UUID
    number: int
    stage: Stage
    requested_by: str
    requested_at_s: float
    reason: str
    decision: Ruled | None
    decided_by: str | None
    decided_at_s: float | None
    decision_reason: str | None
    etag: str


@router.get("/approvals")
def approvals(
    request: Request, who: Who, open: Annotated[bool, Query(description="only those that wait")] = False
) -> list[ApprovalOut]:
    """Approvals of the policies that you may see, newest first."""
    seen, _ = policies_of(request).page(PolicyFilter(seen_by(who), None, True), None, MOST_POLICIES)
    return [_out(one) for one in _store(request).of_policies([policy.id for policy in seen], open)]


@router.get("/approvals/{approval_id}", response_model=ApprovalOut, responses=MISSING)
def approval(approval_id: UUID, request: Request, who: Who) -> JSONResponse:
    """One, with its ETag."""
    one = _one(request, approval_id)
    found(request, who, one.policy_id)
    return JSONResponse(_out(one).model_dump(mode="json"), headers={"ETag": etag(one.version)})


@router.post(
    "/policies/{policy_id}/versions/{number}/approvals",
    status_code=201,
    response_model=ApprovalOut,
    responses=CHANGING,
)
def ask(policy_id: UUID, number: int, body: ApprovalIn, request: Request, write: Writing) -> JSONResponse:
    """Ask a second person to let a version decide, as a Canary or Live; who approves Live approves a Canary too."""
    policy = of_api(request, write.who, policy_id)
    if number not in policy.versions:
        raise NotFound(f"there is no version {number}")
    with write.unit(AccessRole.OPERATOR, policy.namespaces[0]) as unit:
        stage = policy.life.stages[number]
        if policy.archived_at_s is not None or not set(ALLOWED[stage]) & {*DECIDING, Stage.SHADOW}:
            raise Conflict(f"version {number} is {stage} and will not decide again")
        made = Approvals.ask(unit, policy.versions[number].id, Stage(body.stage), body.reason)
        view = _out(made)
        audit(unit, "approval.ask", policy, f"approvals/{made.id}", None, view.model_dump(mode="json"))
        return answer(unit, 201, view, made.version, f"/api/v1/approvals/{made.id}")


@router.post("/approvals/{approval_id}/approve", response_model=ApprovalOut, responses=CHANGING)
def approve(approval_id: UUID, body: StageIn, request: Request, write: Writing) -> JSONResponse:
    """Approve what somebody else asked for. The version may then be promoted; that is asked for as ever."""
    return _rule(request, write, approval_id, Ruled.APPROVED, body.reason)


@router.post("/approvals/{approval_id}/reject", response_model=ApprovalOut, responses=CHANGING)
def reject(approval_id: UUID, body: StageIn, request: Request, write: Writing) -> JSONResponse:
    """Refuse what somebody else asked for, and say why."""
    return _rule(request, write, approval_id, Ruled.REJECTED, body.reason)


def _rule(request: Request, write: Write, approval_id: UUID, ruled: Ruled, reason: str) -> JSONResponse:
    before = _one(request, approval_id)
    policy: StoredPolicy = of_api(request, write.who, before.policy_id)
    version = write.version()
    with write.unit(AccessRole.OPERATOR, policy.namespaces[0]) as unit:
        try:
            check_approver(before.requested_by, write.who.id, before.decision is not None)
        except ApprovalRefused as error:
            raise (Conflict if before.decision else Forbidden)(str(error)) from error
        after = Approvals.rule(unit, approval_id, version, ruled, reason)
        old, new = _out(before).model_dump(mode="json"), _out(after)
        action = f"approval.{'approve' if ruled is Ruled.APPROVED else 'reject'}"
        audit(unit, action, policy, f"approvals/{approval_id}", old, new.model_dump(mode="json"))
        return answer(unit, 200, new, after.version)


def _store(request: Request) -> Approvals:
    return Approvals(request.app.state.writer.engine)


def _one(request: Request, approval_id: UUID) -> StoredApproval:
    one = _store(request).get(approval_id)
    if one is None:
        raise NotFound(f"there is no approval {approval_id}")
    return one


def _out(one: StoredApproval) -> ApprovalOut:
    fields = {name: getattr(one, name) for name in ApprovalOut.model_fields if name != "etag"}
    return ApprovalOut(**fields, etag=etag(one.version))
