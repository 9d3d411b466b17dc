"""Overrides: a person's word over the planner's, for a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from controlplane.api import present
from controlplane.api.cursors import cursor_of, read_cursor
from controlplane.api.principals import Who, demand
from controlplane.api.problems import CHANGING, MISSING, Conflict, NotFound, bad_value
from controlplane.api.views import TickPage
from controlplane.api.wording import LONGEST_S, NO_LONGER, ObjectNameQuery, Reason
from controlplane.api.writes import Write, Writing, answer, etag
from controlplane.domain.access import AccessRole
from controlplane.domain.target import Origin, Override, OverrideKind, Target
from controlplane.store.overrides import OverrideFilter, Overrides, StoredOverride
from controlplane.store.queries import Queries, TickFilter
from controlplane.store.unit import Unit

router = APIRouter(prefix="/api/v1", tags=["overrides"])


class OverrideIn(BaseModel):
    """What a person asks for."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"kind": "Pin", "replicas": 4, "variant": "h100", "ttl_s": 1800, "reason": "load test"}]
        },
    )

    kind: OverrideKind
    replicas: Annotated[int | None, Field(ge=0, le=10_000)] = None
    variant: Annotated[str | None, Field(max_length=63)] = None
    ttl_s: Annotated[float, Field(gt=0, le=LONGEST_S, description="seconds from now until it ends by itself")]
    reason: Reason


class OverrideChange(BaseModel):
    """What becomes of an override that holds; what is left out stays as it is."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"ttl_s": 3600, "reason": "the load test needs an hour more"}]}
    )

    replicas: Annotated[int | None, Field(ge=0, le=10_000)] = None
    ttl_s: Annotated[float | None, Field(gt=0, le=LONGEST_S, description="seconds from now until it ends")] = None
    reason: Reason | None = None


class OverrideOut(BaseModel):
    """An override and its life."""

    id: UUID
    namespace: str
    target: str
    variant: str | None
    kind: OverrideKind
    replicas: int | None
    actor: str
    reason: str
    created_at_s: float
    expires_at_s: float
    ended_at_s: float | None
    ended_by: str | None
    state: Literal["Active", "Expired", "Ended"]
    ticks: Annotated[str, Field(description="where the decisions are in which it was heard")]
    etag: str


class OverridePage(BaseModel):
    """Newest first."""

    items: list[OverrideOut]
    next_cursor: str | None


@router.get("/overrides")
def overrides(
    request: Request,
    who: Who,
    namespace: ObjectNameQuery = None,
    target: ObjectNameQuery = None,
    active: Annotated[bool, Query(description="only those that hold now")] = False,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> OverridePage:
    """Overrides of the namespaces that you may see, newest first."""
    now_s: float = request.app.state.clock.now_s()
    seen = who.namespaces(AccessRole.VIEWER)
    if namespace is not None:
        demand(who, AccessRole.VIEWER, namespace)
        seen = frozenset((namespace,))
    wanted = OverrideFilter(seen, target, now_s if active else None)
    found, more = _store(request).page(wanted, read_cursor(cursor), limit)
    following = cursor_of(found[-1].created_at_s, found[-1].id) if more else None
    return OverridePage(items=[_out(one, now_s) for one in found], next_cursor=following)


@router.get("/overrides/{override_id}", responses=MISSING)
def override(override_id: UUID, request: Request, who: Who) -> JSONResponse:
    """One override, with its ETag."""
    found = _found(request, override_id)
    demand(who, AccessRole.VIEWER, found.namespace)
    view = _out(found, request.app.state.clock.now_s())
    return JSONResponse(view.model_dump(mode="json"), headers={"ETag": etag(found.version)})


@router.post("/targets/{namespace}/{name}/overrides", status_code=201, response_model=OverrideOut, responses=MISSING)
def create_override(namespace: str, name: str, body: OverrideIn, request: Request, write: Writing) -> JSONResponse:
    """Pin, floor, cap or pause a target or one of its variants for a time. It ends by itself."""
    demand(write.who, AccessRole.OPERATOR, namespace)
    wanted = _checked(body, _target(request, namespace, name), write)
    with write.unit(AccessRole.OPERATOR, namespace) as unit:
        made = Overrides.create(unit, namespace, name, wanted)
        view = _out(made, unit.now_s)
        resource = f"overrides/{made.id}"
        unit.audit("override.create", resource, namespace, None, view.model_dump(mode="json"))
        return answer(unit, 201, view, made.version, f"/api/v1/{resource}")


@router.delete("/overrides/{override_id}", response_model=OverrideOut, responses=CHANGING | NO_LONGER)
def end_override(override_id: UUID, request: Request, write: Writing) -> JSONResponse:
    """Take an override back now. It stays in the list, ended."""
    before = _found(request, override_id)
    demand(write.who, AccessRole.OPERATOR, before.namespace)
    version = _version_of_active(before, write)
    with write.unit(AccessRole.OPERATOR, before.namespace) as unit:
        after = Overrides.end(unit, override_id, version)
        return _changed(unit, "override.end", before, after)


@router.patch("/overrides/{override_id}", response_model=OverrideOut, responses=MISSING | NO_LONGER)
def change_override(override_id: UUID, body: OverrideChange, request: Request, write: Writing) -> JSONResponse:
    """Let an override that holds end earlier or later, or say another count or reason. You become its actor."""
    before = _found(request, override_id)
    demand(write.who, AccessRole.OPERATOR, before.namespace)
    version = _version_of_active(before, write)
    old = before.override
    if body.replicas is not None and old.kind is OverrideKind.PAUSE:
        raise bad_value("replicas", str(body.replicas), "none for Pause")
    wanted = replace(
        old,
        replicas=old.replicas if body.replicas is None else body.replicas,
        expires_at_s=old.expires_at_s if body.ttl_s is None else write.request.now_s + body.ttl_s,
        actor=write.who.name,
        reason=old.reason if body.reason is None else body.reason,
    )
    with write.unit(AccessRole.OPERATOR, before.namespace) as unit:
        after = Overrides.change(unit, override_id, version, wanted)
        return _changed(unit, "override.change", before, after)


@router.get("/overrides/{override_id}/ticks", responses=MISSING)
def override_ticks(
    override_id: UUID,
    request: Request,
    who: Who,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> TickPage:
    """The decisions in which it was heard, newest first. A page may hold fewer than asked for: a decision under way
    while the override was made did not hear it."""
    found = _found(request, override_id)
    demand(who, AccessRole.VIEWER, found.namespace)
    ends = [s for s in (found.override.expires_at_s, found.ended_at_s) if s is not None]
    wanted = TickFilter(f"{found.namespace}/{found.target}", (), found.created_at_s, min(ends))
    queries: Queries = request.app.state.queries
    heard, following = queries.heard_page(wanted, "overrides", str(override_id), cursor, limit)
    return TickPage(tuple(present.tick_summary(tick) for tick in heard), following)


def _version_of_active(before: StoredOverride, write: Write) -> int:
    """The version that is to be changed, of one that holds."""
    version = write.version()
    if version == before.version and not before.active(write.request.now_s):
        raise Conflict(f"override {before.id} holds no longer")
    return version


def _changed(unit: Unit, action: str, before: StoredOverride, after: StoredOverride) -> JSONResponse:
    old, new = _out(before, unit.now_s), _out(after, unit.now_s)
    states = old.model_dump(mode="json"), new.model_dump(mode="json")
    unit.audit(action, f"overrides/{after.id}", after.namespace, *states)
    return answer(unit, 200, new, after.version)


def _store(request: Request) -> Overrides:
    return Overrides(request.app.state.writer.engine)


def _found(request: Request, override_id: UUID) -> StoredOverride:
    found = _store(request).get(override_id)
    if found is None:
        raise NotFound(f"there is no override {override_id}")
    return found


def _target(request: Request, namespace: str, name: str) -> Target:
    queries: Queries = request.app.state.queries
    found = queries.target(f"{namespace}/{name}")
    if found is None:
        raise NotFound(f"there is no target {namespace}/{name}")
    return found


def _checked(body: OverrideIn, target: Target, write: Writing) -> Override:
    names = [variant.name for variant in target.variants]
    if body.variant is not None and body.variant not in names:
        raise bad_value("variant", body.variant, ", ".join(names))
    if (body.kind is OverrideKind.PAUSE) != (body.replicas is None):
        raise bad_value("replicas", str(body.replicas), "none for Pause, a number for the other kinds")
    expires_at_s = write.request.now_s + body.ttl_s
    return Override(body.kind, body.replicas, body.variant, expires_at_s, write.who.name, body.reason, Origin.API)


def _out(stored: StoredOverride, now_s: float) -> OverrideOut:
    said = stored.override
    assert said.expires_at_s is not None, "the API makes none without an end"
    state: Literal["Active", "Expired", "Ended"] = "Active"
    if not stored.active(now_s):
        state = "Ended" if stored.was_taken_back else "Expired"
    return OverrideOut(
        id=stored.id,
        namespace=stored.namespace,
        target=stored.target,
        variant=said.variant,
        kind=said.kind,
        replicas=said.replicas,
        actor=said.actor,
        reason=said.reason,
        created_at_s=stored.created_at_s,
        expires_at_s=said.expires_at_s,
        ended_at_s=stored.ended_at_s,
        ended_by=stored.ended_by,
        state=state,
        ticks=f"/api/v1/overrides/{stored.id}/ticks",
        etag=etag(stored.version),
    )
