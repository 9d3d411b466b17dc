"""Policies and their versions: drafted, read, compared, put away."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response

from controlplane.api.cursors import cursor_of, read_cursor
from controlplane.api.policies.bodies import YAML, DryRunIn, Label, PolicyIn, VersionIn, body_of, documented
from controlplane.api.policies.common import (
    audit,
    checked,
    demand_all,
    found,
    locked,
    named_by_resources,
    of_api,
    page_of,
    policies_of,
    resources_of,
    seen_by,
)
from controlplane.api.policies.views import (
    DiffOut,
    DryRunOut,
    PatchOut,
    PolicyOut,
    PolicyPage,
    StageOut,
    VersionOut,
    as_yaml,
    diff_out,
    mirrored_out,
    mirrored_version_out,
    patch_out,
    policy_out,
    stage_out,
    version_out,
)
from controlplane.api.principals import Who, demand
from controlplane.api.problems import CHANGING, MISSING, BadValue, Conflict, GitOpsConflict, NotFound, bad_value
from controlplane.api.writes import Writing, answer, etag
from controlplane.domain.access import AccessRole, Principal
from controlplane.domain.policy_life import Stage, StageChange
from controlplane.domain.policy_spec import manifest
from controlplane.store.policies import NameTaken, Policies, PolicyFilter, StoredPolicy
from controlplane.store.resources import MirroredPolicy

router = APIRouter(prefix="/api/v1", tags=["policies"])
Number = Annotated[int, Query(ge=1, le=1_000_000)]
IN_YAML: dict[int | str, dict[str, Any]] = {**MISSING, 200: {"content": {YAML: {}}}}


@router.get("/policies")
def policies(
    request: Request,
    who: Who,
    namespace: Annotated[Label | None, Query()] = None,
    name: Annotated[Label | None, Query()] = None,
    archived: Annotated[bool, Query(description="those that were put away too")] = False,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> PolicyPage:
    """Policies of the namespaces that you may see, newest first; those of custom resources too, which are read-only."""
    seen = seen_by(who)
    if namespace is not None:
        demand(who, AccessRole.VIEWER, namespace)
        seen = frozenset((namespace,))
    after = read_cursor(cursor)
    made, more = policies_of(request).page(PolicyFilter(seen, name, archived), after, limit)
    mirrored = [one for one in resources_of(request).all() if _is_wanted(one, seen, name, after)]
    named = [target.key for target in resources_of(request).naming([key for p in made for key in p.keys])]
    rows = [(p.created_at_s, p.id, policy_out(p, seen, tuple(k for k in named if k in p.keys))) for p in made]
    rows += [(_first_s(m), m.id, mirrored_out(m)) for m in mirrored]
    rows.sort(key=lambda row: row[:2], reverse=True)
    shown = rows[:limit]
    following = cursor_of(*shown[-1][:2]) if more or len(rows) > limit else None
    return PolicyPage(items=[view for _, _, view in shown], next_cursor=following)


@router.post("/policies/validate", openapi_extra=documented(DryRunIn))
def validate(who: Who, request: Request, body: Annotated[DryRunIn, Depends(body_of(DryRunIn))]) -> DryRunOut:
    """Look at a policy, or a custom resource as YAML, without keeping it."""
    demand_all(who, AccessRole.OPERATOR, body.namespaces)
    try:
        made = checked(body.name, body.namespaces, body.spec)
    except BadValue as error:
        return DryRunOut(valid=False, field=error.problem.field, message=error.problem.allowed)
    keys = [target.key for target in made]
    named = [target.key for target in resources_of(request).naming(keys)]
    return DryRunOut(valid=True, targets=keys, named_by_resources=named)


@router.post(
    "/policies", status_code=201, response_model=PolicyOut, responses=CHANGING, openapi_extra=documented(PolicyIn)
)
def create(write: Writing, body: Annotated[PolicyIn, Depends(body_of(PolicyIn))]) -> JSONResponse:
    """A new policy; its first version is a Draft. A custom resource is taken too, as YAML, with `?reason=`."""
    demand_all(write.who, AccessRole.OPERATOR, body.namespaces)
    checked(body.name, body.namespaces, body.spec)
    try:
        with write.unit(AccessRole.OPERATOR, body.namespaces[0]) as unit:
            made = Policies.create(unit, body.name, body.namespaces, body.spec, body.reason)
            view = policy_out(made, None, named_by_resources(unit, made))
            audit(unit, "policy.create", made, f"policies/{made.id}", None, body.model_dump(mode="json"))
            return answer(unit, 201, view, made.version, f"/api/v1/policies/{made.id}")
    except NameTaken as error:
        raise Conflict(str(error)) from error


@router.get("/policies/{policy_id}", response_model=PolicyOut, responses=IN_YAML)
def policy(policy_id: UUID, request: Request, who: Who) -> Response:
    """One policy with its ETag; with `Accept: application/yaml` the custom resources that its Live version makes."""
    mirrored = _mirrored(request, who, policy_id)
    if mirrored is not None:
        return page_of(mirrored_out(mirrored), {"ETag": etag(mirrored.live or 1)})
    one = found(request, who, policy_id)
    if YAML in request.headers.get("accept", ""):
        return _yaml(one, one.life.live or one.newest.number, who)
    named = tuple(target.key for target in resources_of(request).naming(one.keys))
    return page_of(policy_out(one, seen_by(who), named), {"ETag": etag(one.version)})


@router.delete("/policies/{policy_id}", response_model=PolicyOut, responses=CHANGING)
def archive(policy_id: UUID, request: Request, write: Writing) -> JSONResponse:
    """Put a policy away: its name is free again, and nothing of it decides. What it was stays readable."""
    one = of_api(request, write.who, policy_id)
    with locked(write, one) as (unit, before):
        if before.archived_at_s is not None:
            raise Conflict("it was put away already")
        life, reason = before.life, "the policy was put away"
        open_ = (Stage.CANARY, Stage.LIVE, Stage.SHADOW, Stage.DRAFT)
        numbers = [number for stage in open_ for number in life.of_stage(stage)]
        actor = write.who.id
        gone = [StageChange(n, Stage.SUPERSEDED, unit.now_s, actor, reason) for n in numbers]
        after = Policies.archive(unit, Policies.change(unit, before, gone))
        audit(unit, "policy.archive", after, f"policies/{after.id}", {"live": life.live}, {"archived": True})
        return answer(unit, 200, policy_out(after, None, named_by_resources(unit, after)), after.version)


@router.get("/policies/{policy_id}/versions", responses=MISSING)
def versions(policy_id: UUID, request: Request, who: Who) -> list[VersionOut]:
    """Every version, oldest first, each with what it changed."""
    mirrored = _mirrored(request, who, policy_id)
    if mirrored is not None:
        return [mirrored_version_out(mirrored, v.number) for v in mirrored.versions]
    one = found(request, who, policy_id)
    return [version_out(one, number) for number in one.versions]


@router.post(
    "/policies/{policy_id}/versions",
    status_code=201,
    response_model=VersionOut,
    responses=CHANGING,
    openapi_extra=documented(VersionIn),
)
def new_version(
    policy_id: UUID, request: Request, write: Writing, body: Annotated[VersionIn, Depends(body_of(VersionIn))]
) -> JSONResponse:
    """A change: one more version, in Draft. `If-Match` is the policy's ETag. Of a custom resource's policy: 409, with
    what to commit instead."""
    mirrored = _mirrored(request, write.who, policy_id)
    if mirrored is not None:
        demand(write.who, AccessRole.OPERATOR, mirrored.target.namespace)
        raise _to_commit(mirrored, body.spec)
    one = of_api(request, write.who, policy_id)
    checked(one.name, one.namespaces, body.spec)
    with locked(write, one) as (unit, before):
        if before.archived_at_s is not None:
            raise Conflict("it was put away; make a new policy")
        parent = before.newest.number if body.parent is None else body.parent
        if parent not in before.versions:
            raise bad_value("parent", str(parent), ", ".join(map(str, before.versions)))
        after = Policies.add_version(unit, before, body.spec, body.reason, parent)
        number = after.newest.number
        view, resource = version_out(after, number), f"policies/{after.id}/versions/{number}"
        old = dict(before.versions[parent].spec)
        audit(unit, "policy.version", after, resource, old, body.model_dump(mode="json"))
        return answer(unit, 201, view, after.version, f"/api/v1/{resource}")


@router.get("/policies/{policy_id}/versions/{number}", response_model=VersionOut, responses=IN_YAML)
def version(policy_id: UUID, number: int, request: Request, who: Who) -> Response:
    """One version with the policy's ETag; with `Accept: application/yaml` as the custom resource that it stands for."""
    mirrored = _mirrored(request, who, policy_id)
    if mirrored is not None:
        _numbered(number, [v.number for v in mirrored.versions])
        return page_of(mirrored_version_out(mirrored, number))
    one = found(request, who, policy_id)
    _numbered(number, one.versions)
    if YAML in request.headers.get("accept", ""):
        return _yaml(one, number, who)
    return page_of(version_out(one, number), {"ETag": etag(one.version)})


@router.get("/policies/{policy_id}/diff", responses=MISSING)
def diff(policy_id: UUID, before: Number, after: Number, request: Request, who: Who) -> DiffOut:
    """Two versions against one another."""
    mirrored = _mirrored(request, who, policy_id)
    if mirrored is not None:
        specs = {v.number: v.policy for v in mirrored.versions}
    else:
        specs = {number: one.spec for number, one in found(request, who, policy_id).versions.items()}
    for number in (before, after):
        _numbered(number, specs)
    return diff_out((before, specs[before]), (after, specs[after]))


@router.get("/policies/{policy_id}/stages", responses=MISSING)
def stages(policy_id: UUID, request: Request, who: Who) -> list[StageOut]:
    """Which version was in which stage, by whom and why, oldest first."""
    return [stage_out(change) for change in found(request, who, policy_id).history]


@router.get("/policies/{policy_id}/patch", responses=MISSING)
def patch(policy_id: UUID, request: Request, who: Who, version: Number | None = None) -> list[PatchOut]:
    """What to commit to a repository to have a version as custom resources: by default the newest."""
    one = found(request, who, policy_id)
    number = version or one.newest.number
    _numbered(number, one.versions)
    seen = [n for n in one.namespaces if who.may(AccessRole.VIEWER, n)]
    return [patch_out(one.name, namespace, one.versions[number].spec) for namespace in seen]


def _mirrored(request: Request, who: Principal, policy_id: UUID) -> MirroredPolicy | None:
    one = resources_of(request).get(policy_id)
    return one if one is not None and who.may(AccessRole.VIEWER, one.target.namespace) else None


def _to_commit(mirrored: MirroredPolicy, spec: dict[str, Any]) -> GitOpsConflict:
    """What to do to have that spec where a custom resource keeps the policy."""
    namespace, name = mirrored.target.namespace, mirrored.target.name
    checked(name, [namespace], spec)
    commit = patch_out(name, namespace, spec).model_dump(mode="json")
    words = (
        f"{namespace}/{name} is a custom resource (GitOps): here it is read-only. Commit what `commit` holds instead."
    )
    return GitOpsConflict(words, [commit])


def _first_s(one: MirroredPolicy) -> float:
    return one.versions[0].first_seen_at_s if one.versions else 0.0


def _is_wanted(
    one: MirroredPolicy, seen: frozenset[str] | None, name: str | None, after: tuple[float, UUID] | None
) -> bool:
    if (seen is not None and one.target.namespace not in seen) or name not in (None, one.target.name):
        return False
    return after is None or (_first_s(one), one.id) < after


def _numbered(number: int, numbers: Any) -> None:
    if number not in numbers:
        raise NotFound(f"there is no version {number}")


def _yaml(one: StoredPolicy, number: int, who: Principal) -> Response:
    seen = [n for n in one.namespaces if who.may(AccessRole.VIEWER, n)]
    pages = [as_yaml(manifest(one.name, namespace, one.versions[number].spec)) for namespace in seen]
    return Response("---\n".join(pages), media_type=YAML, headers={"ETag": etag(one.version)})
