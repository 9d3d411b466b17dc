"""What every route of policies begins and ends with: who may, which policy, one row for the auditor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from controlplane.api.policies.views import patch_out, policy_out
from controlplane.api.principals import demand
from controlplane.api.problems import BadValue, Forbidden, GitOpsConflict, NotFound
from controlplane.api.views import Problem
from controlplane.api.writes import Write, answer
from controlplane.domain.access import AccessRole, Principal
from controlplane.domain.manifest import ManifestError
from controlplane.domain.policy_spec import targets
from controlplane.domain.target import Target
from controlplane.store.policies import Policies, StoredPolicy
from controlplane.store.resources import Resources
from controlplane.store.unit import Unit


def policies_of(request: Request) -> Policies:
    """The store of policies."""
    return Policies(request.app.state.writer.engine)


def resources_of(request: Request) -> Resources:
    """The store of custom resources' policies."""
    return Resources(request.app.state.writer.engine)


def seen_by(who: Principal) -> frozenset[str] | None:
    """The namespaces whose policies they may read; None: every one."""
    return who.namespaces(AccessRole.VIEWER)


def found(request: Request, who: Principal, policy_id: UUID) -> StoredPolicy:
    """A policy that they may read.

    Raises:
        NotFound: if there is none, or it is in none of their namespaces: which of the two is not told.
    """
    policy = policies_of(request).get(policy_id)
    if policy is None or not any(who.may(AccessRole.VIEWER, namespace) for namespace in policy.namespaces):
        raise NotFound(f"there is no policy {policy_id}")
    return policy


def of_api(request: Request, who: Principal, policy_id: UUID) -> StoredPolicy:
    """As `found`, for a write.

    Raises:
        NotFound: as `found`.
        Forbidden: if they are not operators in all of its namespaces, or it is a custom resource's.
    """
    mirrored = resources_of(request).get(policy_id)
    if mirrored is not None and who.may(AccessRole.VIEWER, mirrored.target.namespace):
        raise Forbidden(f"{mirrored.target.key} is a custom resource: change it where it is kept, here it is read-only")
    policy = found(request, who, policy_id)
    demand_all(who, AccessRole.OPERATOR, policy.namespaces)
    return policy


def demand_all(who: Principal, role: AccessRole, namespaces: Sequence[str]) -> None:
    """Go on only where they have that role in every one of the namespaces.

    Raises:
        NotFound, Forbidden: see `demand`.
    """
    for namespace in namespaces:
        demand(who, role, namespace)


@contextmanager
def locked(write: Write, policy: StoredPolicy) -> Iterator[tuple[Unit, StoredPolicy]]:
    """The unit of a write to a policy on the version that `If-Match` names, and the policy as it is within.

    Raises:
        PreconditionMissing, BadValue: see `Write.version`.
        VersionMismatch: if somebody changed it since.
    """
    version = write.version()
    with write.unit(AccessRole.OPERATOR, policy.namespaces[0]) as unit:
        yield unit, Policies.lock(unit, policy.id, version)


def audit(unit: Unit, action: str, policy: StoredPolicy, resource: str, before: Any, after: Any) -> None:
    """One row for each of the policy's namespaces: whoever audits one of them must find it there."""
    for namespace in policy.namespaces:
        unit.audit(action, resource, namespace, before, after)


def changed(unit: Unit, action: str, before: StoredPolicy, after: StoredPolicy, number: int) -> JSONResponse:
    """Audit a change of a version's stage, and answer with the policy."""
    resource = f"policies/{after.id}/versions/{number}"
    audit(unit, action, after, resource, _short(before, number), _short(after, number))
    return answer(unit, 200, policy_out(after, None), after.version)


def _short(policy: StoredPolicy, number: int) -> Mapping[str, Any]:
    since = policy.since(number)
    return {"stage": since.stage.value, "reason": since.reason, "live": policy.life.live}


def checked(name: str, namespaces: Sequence[str], spec: Mapping[str, Any]) -> tuple[Target, ...]:
    """The targets that a spec makes.

    Raises:
        BadValue: naming the field.
    """
    try:
        return targets(name, namespaces, spec)
    except ManifestError as error:
        problem = Problem("about:blank", "A value is not allowed", 422, str(error), error.field, None, error.message)
        raise BadValue(problem) from error


def refuse_named(request: Request, policy: StoredPolicy, number: int, what: str) -> None:
    """A custom resource's word stands: what is wanted is committed where it is kept.

    Raises:
        GitOpsConflict: with what to commit.
    """
    named = resources_of(request).naming(policy.keys)
    if not named:
        return
    keys = ", ".join(target.key for target in named)
    spec = policy.versions[number].spec
    commit = [patch_out(policy, target.namespace, spec).model_dump(mode="json") for target in named]
    raise GitOpsConflict(
        f"{keys} is a custom resource (GitOps), which decides there: {what} is refused. "
        "Commit what `commit` holds instead.",
        commit,
    )


def page_of(view: BaseModel, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A view as an answer with headers."""
    return JSONResponse(view.model_dump(mode="json"), headers=dict(headers or {}))
