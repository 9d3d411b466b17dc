"""What is answered. Times are unix seconds on the controller's clock."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal
from uuid import UUID

import yaml
from pydantic import BaseModel

from controlplane.api.writes import etag
from controlplane.domain.policy_life import Canary, Guard, Stage, StageChange
from controlplane.domain.policy_spec import differences, manifest
from controlplane.store.policies import StoredPolicy, StoredVersion
from controlplane.store.resources import MirroredPolicy, MirroredVersion

Origin = Literal["Api", "CustomResource"]


class VersionSummary(BaseModel):
    """One version, without its spec. `allowed` are the stages that may be asked for now."""

    id: UUID | None
    number: int
    stage: Stage
    since_s: float
    author: str
    reason: str
    parent: int | None
    created_at_s: float
    digest: str
    allowed: list[Stage]
    canary: Canary | None = None
    guard: Guard | None = None


class ChangedPath(BaseModel):
    """One field that differs."""

    path: str
    before: Any
    after: Any


class VersionOut(VersionSummary):
    """One version. `changes` are against its parent. Of a custom resource `spec` is the policy as it was understood."""

    policy_id: UUID
    origin: Origin
    spec: dict[str, Any]
    changes: list[ChangedPath]


class PolicyOut(BaseModel):
    """A policy. `named_by_resources`: those of its targets that a custom resource names, which decides there."""

    id: UUID
    origin: Origin
    read_only: bool
    name: str
    namespaces: list[str]
    created_at_s: float
    created_by: str
    archived_at_s: float | None
    live: int | None
    canary: int | None
    shadows: list[int]
    versions: list[VersionSummary]
    named_by_resources: list[str]
    etag: str


class PolicyPage(BaseModel):
    """Newest first."""

    items: list[PolicyOut]
    next_cursor: str | None


class StageOut(BaseModel):
    """One row of the history."""

    number: int
    stage: Stage
    at_s: float
    actor: str
    reason: str
    canary: Canary | None
    guard: Guard | None
    by: int | None


class DiffOut(BaseModel):
    """Two versions side by side: a unified diff of their YAML, and every path that differs."""

    before: int
    after: int
    unified: str
    changes: list[ChangedPath]


class DryRunOut(BaseModel):
    """Whether a policy would be taken. `targets` are those that it would make."""

    valid: bool
    field: str | None = None
    message: str | None = None
    targets: list[str] = []
    named_by_resources: list[str] = []


class PatchOut(BaseModel):
    """What to commit where a custom resource names the target."""

    target: str
    yaml: str
    json_patch: list[dict[str, Any]]
    merge_patch: dict[str, Any]
    command: str


def policy_out(policy: StoredPolicy, seen: frozenset[str] | None, named: tuple[str, ...] = ()) -> PolicyOut:
    """The view of a policy for somebody who may see those namespaces (None: every one)."""
    life = policy.life
    return PolicyOut(
        id=policy.id,
        origin="Api",
        read_only=False,
        name=policy.name,
        namespaces=[n for n in policy.namespaces if seen is None or n in seen],
        created_at_s=policy.created_at_s,
        created_by=policy.created_by,
        archived_at_s=policy.archived_at_s,
        live=life.live,
        canary=next(iter(life.of_stage(Stage.CANARY)), None),
        shadows=list(life.of_stage(Stage.SHADOW)),
        versions=[VersionSummary(**_summary(policy, one)) for one in policy.versions.values()],
        named_by_resources=[key for key in named if seen is None or key.partition("/")[0] in seen],
        etag=etag(policy.version),
    )


def version_out(policy: StoredPolicy, number: int) -> VersionOut:
    """One version.

    Raises:
        KeyError: if there is none of that number.
    """
    one = policy.versions[number]
    before = policy.versions[one.parent].spec if one.parent is not None else {}
    return VersionOut(
        **_summary(policy, one),
        policy_id=policy.id,
        origin="Api",
        spec=dict(one.spec),
        changes=changes(before, one.spec),
    )


def _summary(policy: StoredPolicy, one: StoredVersion) -> dict[str, Any]:
    since, life = policy.since(one.number), policy.life
    return {
        "id": one.id,
        "number": one.number,
        "stage": since.stage,
        "since_s": since.at_s,
        "author": one.author,
        "reason": one.reason,
        "parent": one.parent,
        "created_at_s": one.created_at_s,
        "digest": one.digest,
        "allowed": list(life.allowed(one.number)) if policy.archived_at_s is None else [],
        "canary": since.canary,
        "guard": since.guard,
    }


def mirrored_out(found: MirroredPolicy) -> PolicyOut:
    """The view of a custom resource's policy."""
    live = found.live or None
    return PolicyOut(
        id=found.id,
        origin="CustomResource",
        read_only=True,
        name=found.target.name,
        namespaces=[found.target.namespace],
        created_at_s=found.versions[0].first_seen_at_s if found.versions else 0.0,
        created_by="custom resource",
        archived_at_s=None,
        live=live,
        canary=None,
        shadows=[],
        versions=[VersionSummary(**_mirrored(found, v)) for v in found.versions],
        named_by_resources=[found.target.key],
        etag=etag(live or 1),
    )


def mirrored_version_out(found: MirroredPolicy, number: int) -> VersionOut:
    """One of a custom resource's.

    Raises:
        KeyError: if there is none of that number.
    """
    by_number = {version.number: version for version in found.versions}
    one = by_number[number]
    before = by_number[number - 1].policy if number > 1 else {}
    return VersionOut(
        **_mirrored(found, one),
        policy_id=found.id,
        origin="CustomResource",
        spec=dict(one.policy),
        changes=changes(before, one.policy),
    )


def _mirrored(found: MirroredPolicy, one: MirroredVersion) -> dict[str, Any]:
    return {
        "id": None,
        "number": one.number,
        "stage": Stage.LIVE if one.number == found.live else Stage.SUPERSEDED,
        "since_s": one.first_seen_at_s,
        "author": "custom resource",
        "reason": f"InferenceAutoscaler {found.target.key}",
        "parent": one.number - 1 or None,
        "created_at_s": one.first_seen_at_s,
        "digest": one.digest,
        "allowed": [],
    }


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[ChangedPath]:
    """Every path that differs."""
    return [ChangedPath(**asdict(one)) for one in differences(before, after)]


def diff_out(before: tuple[int, Mapping[str, Any]], after: tuple[int, Mapping[str, Any]]) -> DiffOut:
    """Two specs, each with its number."""
    (one, old), (other, new) = before, after
    lines = difflib.unified_diff(
        as_yaml(old).splitlines(), as_yaml(new).splitlines(), f"version {one}", f"version {other}", lineterm=""
    )
    return DiffOut(before=one, after=other, unified="\n".join(lines), changes=changes(old, new))


def stage_out(change: StageChange) -> StageOut:
    """One row of the history."""
    return StageOut(**{name: getattr(change, name) for name in StageOut.model_fields})


def patch_out(policy: StoredPolicy, namespace: str, spec: Mapping[str, Any]) -> PatchOut:
    """What to commit for one namespace. Strategic merge is not for custom resources, so it is JSON patch, which is
    exact, and merge patch, which leaves fields that the spec does not name."""
    name = policy.name
    return PatchOut(
        target=f"{namespace}/{name}",
        yaml=as_yaml(manifest(name, namespace, spec)),
        json_patch=[{"op": "replace", "path": "/spec", "value": dict(spec)}],
        merge_patch={"spec": dict(spec)},
        command=f"kubectl -n {namespace} apply -f {name}.yaml",
    )


def as_yaml(value: Mapping[str, Any]) -> str:
    """YAML as people write it: in the order given, without aliases."""
    text: str = yaml.dump(dict(value), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=100)
    return text


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 (the library's)
        return True
