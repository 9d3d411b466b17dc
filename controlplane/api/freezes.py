"""Freezes: windows in which nothing changes, or nothing goes down."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from controlplane.api.cursors import cursor_of, read_cursor
from controlplane.api.principals import Who, demand
from controlplane.api.problems import MISSING, Conflict, NotFound, bad_value
from controlplane.api.wording import LONGEST_S, NO_LONGER, ObjectName, ObjectNameQuery, Reason
from controlplane.api.writes import Writing, answer, etag
from controlplane.domain.access import AccessRole, Principal
from controlplane.domain.directives import ScopedFreeze
from controlplane.domain.target import Freeze, FreezeDirection
from controlplane.store.freezes import FreezeFilter, Freezes, StoredFreeze
from controlplane.store.queries import Queries

FURTHEST_S = 366 * 86_400.0
"""A freeze may be planned a year ahead: next year's launch is in the calendar already."""

router = APIRouter(prefix="/api/v1", tags=["freezes"])


class FreezeIn(BaseModel):
    """What is frozen, and when. Without a target the whole namespace; without a namespace everything."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"namespace": "default", "target": "chat", "direction": "Down", "ttl_s": 7200, "reason": "launch"},
                {"direction": "Both", "starts_at_s": 1767600000, "ttl_s": 3600, "reason": "database move"},
            ]
        },
    )

    namespace: ObjectName | None = None
    target: ObjectName | None = None
    direction: FreezeDirection = FreezeDirection.BOTH
    starts_at_s: Annotated[float | None, Field(ge=0, description="unix seconds; absent: now")] = None
    ttl_s: Annotated[float, Field(gt=0, le=LONGEST_S, description="seconds from its start to its end")]
    reason: Reason


class FreezeOut(BaseModel):
    """A freeze and its life."""

    id: UUID
    namespace: str | None
    target: str | None
    direction: FreezeDirection
    actor: str
    reason: str
    created_at_s: float
    starts_at_s: float
    ends_at_s: float
    ended_at_s: float | None
    ended_by: str | None
    state: Literal["Planned", "Active", "Over", "Ended"]
    ticks: Annotated[str, Field(description="where the decisions are in which it was heard")]
    etag: str


class FreezePage(BaseModel):
    """Newest first."""

    items: list[FreezeOut]
    next_cursor: str | None


@router.get("/freezes")
def freezes(
    request: Request,
    who: Who,
    namespace: ObjectNameQuery = None,
    target: ObjectNameQuery = None,
    active: Annotated[bool, Query(description="only those that hold now or are still to begin")] = False,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> FreezePage:
    """Freezes of the namespaces that you may see, and those of everything, newest first."""
    now_s: float = request.app.state.clock.now_s()
    seen = who.namespaces(AccessRole.VIEWER)
    if namespace is not None:
        demand(who, AccessRole.VIEWER, namespace)
        seen = frozenset((namespace,))
    wanted = FreezeFilter(seen, target, now_s if active else None)
    found, more = _store(request).page(wanted, read_cursor(cursor), limit)
    following = cursor_of(found[-1].created_at_s, found[-1].id) if more else None
    return FreezePage(items=[freeze_out(one, now_s) for one in found], next_cursor=following)


@router.get("/freezes/{freeze_id}", responses=MISSING, response_model=FreezeOut)
def freeze(freeze_id: UUID, request: Request, who: Who) -> JSONResponse:
    """One freeze, with its ETag."""
    found = found_freeze(request, who, freeze_id)
    view = freeze_out(found, request.app.state.clock.now_s())
    return JSONResponse(view.model_dump(mode="json"), headers={"ETag": etag(found.version)})


@router.post("/freezes", status_code=201, response_model=FreezeOut, responses=MISSING)
def create_freeze(body: FreezeIn, request: Request, write: Writing) -> JSONResponse:
    """Freeze a target or a namespace (operators), or everything (administrators of everything). It ends by itself."""
    role = AccessRole.ADMIN if body.namespace is None else AccessRole.OPERATOR
    demand(write.who, role, body.namespace)
    scoped = _checked(body, request, write.who, write.request.now_s)
    with write.unit(role, body.namespace) as unit:
        made = Freezes.create(unit, scoped)
        view, resource = freeze_out(made, unit.now_s), f"freezes/{made.id}"
        unit.audit("freeze.create", resource, body.namespace, None, view.model_dump(mode="json"))
        return answer(unit, 201, view, made.version, f"/api/v1/{resource}")


@router.delete("/freezes/{freeze_id}", response_model=FreezeOut, responses=MISSING | NO_LONGER)
def end_freeze(freeze_id: UUID, request: Request, write: Writing) -> JSONResponse:
    """End a freeze now, or call off one that is still to begin. It stays in the list, ended."""
    before = found_freeze(request, write.who, freeze_id)
    namespace = before.scoped.namespace
    role = AccessRole.ADMIN if namespace is None else AccessRole.OPERATOR
    demand(write.who, role, namespace)
    version = write.version()
    if version == before.version and before.is_over(write.request.now_s):
        raise Conflict(f"freeze {freeze_id} is over")
    with write.unit(role, namespace) as unit:
        after = Freezes.end(unit, freeze_id, version)
        old, new = freeze_out(before, unit.now_s), freeze_out(after, unit.now_s)
        states = old.model_dump(mode="json"), new.model_dump(mode="json")
        unit.audit("freeze.end", f"freezes/{freeze_id}", namespace, *states)
        return answer(unit, 200, new, after.version)


def _store(request: Request) -> Freezes:
    return Freezes(request.app.state.writer.engine)


def found_freeze(request: Request, who: Principal, freeze_id: UUID) -> StoredFreeze:
    """One that they may see; one of everything is seen by all who see something.

    Raises:
        NotFound: if there is none that they may see.
    """
    found = _store(request).get(freeze_id)
    if found is None:
        raise NotFound(f"there is no freeze {freeze_id}")
    if found.scoped.namespace is not None:
        demand(who, AccessRole.VIEWER, found.scoped.namespace)
    return found


def _checked(body: FreezeIn, request: Request, who: Principal, now_s: float) -> ScopedFreeze:
    if body.target is not None and body.namespace is None:
        raise bad_value("namespace", "None", "the target's namespace, since a target was given")
    queries: Queries = request.app.state.queries
    if body.target is not None and queries.target(f"{body.namespace}/{body.target}") is None:
        raise NotFound(f"there is no target {body.namespace}/{body.target}")
    starts_at_s = now_s if body.starts_at_s is None else body.starts_at_s
    if not now_s - 60.0 <= starts_at_s <= now_s + FURTHEST_S:
        raise bad_value("starts_at_s", f"{starts_at_s:g}", f"{now_s:.0f} (now) to {now_s + FURTHEST_S:.0f}")
    made = Freeze(body.direction, starts_at_s, starts_at_s + body.ttl_s, who.name, body.reason)
    return ScopedFreeze(body.namespace, body.target, made)


def freeze_out(stored: StoredFreeze, now_s: float) -> FreezeOut:
    """As the API shows it."""
    said = stored.scoped.freeze
    state: Literal["Planned", "Active", "Over", "Ended"] = "Planned" if now_s < said.starts_at_s else "Active"
    if stored.is_over(now_s):
        taken_back = stored.ended_at_s is not None and stored.ended_at_s < said.ends_at_s
        state = "Ended" if taken_back else "Over"
    return FreezeOut(
        id=stored.id,
        namespace=stored.scoped.namespace,
        target=stored.scoped.target,
        direction=said.direction,
        actor=said.actor,
        reason=said.reason,
        created_at_s=stored.created_at_s,
        starts_at_s=said.starts_at_s,
        ends_at_s=said.ends_at_s,
        ended_at_s=stored.ended_at_s,
        ended_by=stored.ended_by,
        state=state,
        ticks=f"/api/v1/freezes/{stored.id}/ticks",
        etag=etag(stored.version),
    )
