"""A snapshot of Kubernetes' JSON -> the cluster as the loop sees it. Pure.

Each thing is read by one function at the end of the file, which is all that knows who reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from controlplane.adapters.kube_http import Json
from controlplane.adapters.kube_objects import inventory_from_nodes, replica_from_pod
from controlplane.adapters.kube_scale import Scale
from controlplane.adapters.kube_selectors import SelectorError, parse
from controlplane.adapters.kube_snapshot import Snapshot
from controlplane.domain.manifest import API_VERSION, KIND, ManifestError, target_from_manifest
from controlplane.domain.observation import Inventory, Replica, Surroundings
from controlplane.domain.ports import ClusterState, TargetProblem
from controlplane.domain.target import ScaleTargetRef, Target, Variant

COUNTED = frozenset({"nodes", "resourceslices", "resourcequotas", "nodepools"})
"""Resources without which the GPUs that may be had are not known."""
SeeAround = Callable[[Target, Snapshot], Surroundings]
"""Who else wants to say how many replicas there are, what a person did, and what bounds the surroundings set."""


@dataclass(frozen=True, slots=True)
class _Scaled:
    """One variant's scalable object: its scale and its replicas."""

    scale: Scale
    replicas: tuple[Replica, ...]


def nothing_around(_target: Target, _snapshot: Snapshot) -> Surroundings:
    """Nothing is looked for."""
    return Surroundings()


def assemble(snapshot: Snapshot, see_around: SeeAround = nothing_around) -> ClusterState:
    """The state. A resource that cannot be used is a problem that names its field, and disturbs no other."""
    targets, problems = _targets(snapshot)
    scaled: dict[str, dict[str, _Scaled]] = {}
    for target in targets:
        scaled[target.key], missing = _scaled_of(target, snapshot)
        problems += missing
    return ClusterState(
        targets=tuple(targets),
        problems=tuple(problems),
        desired={key: {name: s.scale.replicas for name, s in found.items()} for key, found in scaled.items()},
        replicas={key: tuple(r for s in found.values() for r in s.replicas) for key, found in scaled.items()},
        resource_versions={
            key: {name: s.scale.resource_version for name, s in found.items()} for key, found in scaled.items()
        },
        inventory=inventory_of(snapshot),
        surroundings={target.key: see_around(target, snapshot) for target in targets},
    )


def _scaled_of(target: Target, snapshot: Snapshot) -> tuple[dict[str, _Scaled], list[TargetProblem]]:
    found: dict[str, _Scaled] = {}
    problems: list[TargetProblem] = []
    for variant in target.variants:
        try:
            found[variant.name] = _scaled(target.namespace, variant, snapshot)
        except ManifestError as error:
            problems.append(TargetProblem(target.namespace, target.name, error.field, error.message))
    return found, problems


def _scaled(namespace: str, variant: Variant, snapshot: Snapshot) -> _Scaled:
    """Raises ManifestError that names the reference where its object cannot be scaled."""
    workload = snapshot.workloads.get((namespace, variant.ref))
    field = f"spec.variants[{variant.name}].scaleTargetRef"
    about = f"{variant.ref.kind} {variant.ref.name}"
    if workload is None or workload.scale is None:
        why = workload.problem if workload is not None else "has not been looked for yet"
        raise ManifestError(field, f"{about}: {why}")
    try:
        pods = snapshot.pods.select(namespace, parse(workload.scale.selector))
    except SelectorError as error:
        raise ManifestError(field, f"{about}: {error}") from error
    return _Scaled(workload.scale, replicas_of(pods, variant))


def _targets(snapshot: Snapshot) -> tuple[list[Target], list[TargetProblem]]:
    """Usable targets by key, and what is wrong with the others. The oldest resource keeps an object that two name."""
    targets: list[Target] = []
    problems: list[TargetProblem] = []
    owners: dict[tuple[str, str, str, str], str] = {}
    for manifest in sorted(snapshot.autoscalers, key=_age):
        metadata = manifest.get("metadata", {})
        namespace, name = str(metadata.get("namespace", "")), str(metadata.get("name", ""))
        try:
            target = target_of(manifest, snapshot)
            if why := snapshot.unreadable.get(namespace):
                raise ManifestError("metadata.namespace", f"its Pods may not be read: {why}")
            _claim(target, owners)
        except ManifestError as error:
            problems.append(TargetProblem(namespace, name, error.field, error.message))
        else:
            targets.append(target)
    return sorted(targets, key=lambda target: target.key), problems


def _age(manifest: Json) -> tuple[str, str, str]:
    metadata = manifest.get("metadata", {})
    return str(metadata.get("creationTimestamp", "")), str(metadata.get("namespace", "")), str(metadata.get("name", ""))


def _claim(target: Target, owners: dict[tuple[str, str, str, str], str]) -> None:
    """Note that the target scales its objects.

    Raises:
        ManifestError: if another target scales one of them already: two would undo each other's work.
    """
    claimed = {(target.namespace, _group(v.ref), v.ref.kind, v.ref.name): v.name for v in target.variants}
    for scaled, variant in claimed.items():
        if scaled in owners:
            field = f"spec.variants[{variant}].scaleTargetRef"
            raise ManifestError(field, f"{scaled[2]} {scaled[3]} is scaled by {owners[scaled]} already")
    owners.update(dict.fromkeys(claimed, target.key))


def _group(ref: ScaleTargetRef) -> str:
    """Of one object by two versions of its group there is still only one."""
    return ref.api_version.rpartition("/")[0]


# Who reads what


def refs_of(manifest: Json) -> list[ScaleTargetRef]:
    """What a manifest asks to be scaled, as far as it can be read: whether it may be is for `target_of` to say."""
    spec = manifest.get("spec")
    spec = spec if isinstance(spec, dict) else {}
    variants = spec.get("variants")
    refs = [spec.get("scaleTargetRef"), *(variant.get("scaleTargetRef") for variant in _dicts(variants))]
    return [
        ScaleTargetRef(str(r.get("apiVersion") or "apps/v1"), str(r.get("kind") or "Deployment"), str(r["name"]))
        for r in refs
        if isinstance(r, dict) and r.get("name")
    ]


def _dicts(value: object) -> Iterable[Json]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def target_of(manifest: Json, _snapshot: Snapshot) -> Target:
    """The target that a custom resource asks for.

    Raises:
        ManifestError: if it cannot be used, naming the field.
    """
    return target_from_manifest({"apiVersion": API_VERSION, "kind": KIND, **manifest})


def replicas_of(pods: Sequence[Json], variant: Variant) -> tuple[Replica, ...]:
    """The replicas that a variant's pods are."""
    found = (replica_from_pod(pod, variant.name) for pod in pods)
    return tuple(replica for replica in found if replica is not None)


def inventory_of(snapshot: Snapshot) -> Inventory:
    """The GPUs that there are; what may not be read is named, and limits nothing."""
    counted = inventory_from_nodes(snapshot.nodes or ())
    unknown = {name: why for name, why in snapshot.unknown.items() if name.split()[0] in COUNTED}
    return Inventory(counted.gpus, {**counted.unattainable, **unknown})
