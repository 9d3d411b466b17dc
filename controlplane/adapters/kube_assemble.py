"""A snapshot of Kubernetes' JSON -> the cluster as the loop sees it. Pure.

Each thing is read by one function at the end of the file, which is all that knows who reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from controlplane.adapters.kube_http import Json
from controlplane.adapters.kube_nodes import inventory
from controlplane.adapters.kube_pods import replicas_from_pods
from controlplane.adapters.kube_reading import Reading, group_of
from controlplane.adapters.kube_scale import Scale
from controlplane.adapters.kube_selectors import SelectorError, parse
from controlplane.adapters.kube_snapshot import Snapshot, Workload
from controlplane.adapters.kube_templates import parts_of
from controlplane.adapters.kube_workloads import discovered, template_of
from controlplane.domain.discovered import Discovered
from controlplane.domain.manifest import API_VERSION, KIND, ManifestError, scale_target_refs, target_from_manifest
from controlplane.domain.observation import Inventory, Replica, Surroundings
from controlplane.domain.ports import Candidate, ClusterState, TargetProblem
from controlplane.domain.target import ScaleTargetRef, Target, Variant

COUNTED = frozenset({"nodes", "resourceslices", "resourcequotas", "nodepools"})
"""Resources without which the GPUs that may be had are not known."""
SeeAround = Callable[[Target, Reading], Surroundings]
"""Who else wants to say how many replicas there are, what a person did, and what bounds the surroundings set."""


@dataclass(frozen=True, slots=True)
class _Scaled:
    """One variant's scalable object: its scale and its replicas."""

    scale: Scale
    replicas: tuple[Replica, ...]


def nothing_around(_target: Target, _reading: Reading) -> Surroundings:
    """Nothing is looked for."""
    return Surroundings()


def assemble(snapshot: Snapshot, see_around: SeeAround = nothing_around) -> ClusterState:
    """The state. A resource that cannot be used is a problem that names its field, and disturbs no other."""
    reading = Reading(snapshot)
    targets, problems = _targets(snapshot)
    scaled: dict[str, dict[str, _Scaled]] = {}
    for target in targets:
        scaled[target.key], missing = _scaled_of(target, reading)
        problems += missing
    routers: dict[str, tuple[Replica, ...]] = {}
    for target in targets:
        try:
            routers[target.key] = routers_of(target, snapshot)
        except SelectorError as error:
            field = "spec.metrics.pool.podSelector"
            problems.append(TargetProblem(target.namespace, target.name, field, str(error), target.generation))
    return ClusterState(
        targets=tuple(targets),
        problems=tuple(problems),
        desired={key: {name: s.scale.replicas for name, s in found.items()} for key, found in scaled.items()},
        replicas={key: tuple(r for s in found.values() for r in s.replicas) for key, found in scaled.items()},
        resource_versions={
            key: {name: s.scale.resource_version for name, s in found.items()} for key, found in scaled.items()
        },
        inventory=inventory_of(reading, targets),
        routers=routers,
        surroundings={target.key: see_around(target, reading) for target in targets},
        candidates=_candidates(reading, see_around),
    )


def _candidates(reading: Reading, see_around: SeeAround) -> tuple[Candidate, ...]:
    """Policies' versions that run beside; what is wrong with one of them is no problem of the target's."""
    found: list[Candidate] = []
    for manifest in reading.snapshot.candidates:
        try:
            target = target_of(manifest, reading.snapshot)
        except ManifestError:
            continue
        scaled, _ = _scaled_of(target, reading)
        desired = {name: one.scale.replicas for name, one in scaled.items()}
        replicas = tuple(replica for one in scaled.values() for replica in one.replicas)
        found.append(Candidate(target, desired, replicas, see_around(target, reading)))
    return tuple(found)


def _scaled_of(target: Target, reading: Reading) -> tuple[dict[str, _Scaled], list[TargetProblem]]:
    found: dict[str, _Scaled] = {}
    problems: list[TargetProblem] = []
    for variant in target.variants:
        try:
            found[variant.name] = _scaled(target, variant, reading)
        except ManifestError as error:
            problems.append(TargetProblem(target.namespace, target.name, error.field, error.message))
    return found, problems


def _scaled(target: Target, variant: Variant, reading: Reading) -> _Scaled:
    """Raises ManifestError that names the reference where its object cannot be scaled."""
    workload = reading.snapshot.workloads.get((target.namespace, variant.ref))
    field = f"spec.variants[{variant.name}].scaleTargetRef"
    about = f"{variant.ref.kind} {variant.ref.name}"
    if workload is None or workload.scale is None:
        why = workload.problem if workload is not None else "has not been looked for yet"
        raise ManifestError(field, f"{about}: {why}")
    try:
        pods = reading.pods_of(workload)
    except SelectorError as error:
        raise ManifestError(field, f"{about}: {error}") from error
    return _Scaled(workload.scale, replicas_of(pods, variant, workload, reading))


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
            generation = int(metadata.get("generation") or 0)
            problems.append(TargetProblem(namespace, name, error.field, error.message, generation))
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


def target_of(manifest: Json, snapshot: Snapshot) -> Target:
    """The target that a custom resource asks for; what it leaves out is looked for in what it scales.

    Raises:
        ManifestError: if it cannot be used, naming the field.
    """
    whole = {"apiVersion": API_VERSION, "kind": KIND, **manifest}
    namespace = str(manifest.get("metadata", {}).get("namespace", ""))
    found: dict[str, Discovered] = {}
    for name, ref in scale_target_refs(whole).items():
        workload = snapshot.workloads.get((namespace, ref))
        if workload is not None and workload.body is not None:
            found[name] = discovered(workload.body, snapshot.nodes or (), group_of(ref))
    return target_from_manifest(whole, found)


def replicas_of(pods: Sequence[Json], variant: Variant, workload: Workload, reading: Reading) -> tuple[Replica, ...]:
    """The replicas that a variant's pods are."""
    made_from = template_of(workload.body, group_of(variant.ref)) if workload.body is not None else ""
    return replicas_from_pods(pods, variant.name, variant.ref.kind, reading.snapshot.events, template=made_from)


def routers_of(target: Target, snapshot: Snapshot) -> tuple[Replica, ...]:
    """The Pods of the router in front of a target's replicas; none where it names none.

    Raises:
        SelectorError: if the selector cannot be read.
    """
    pool = target.metrics.pool
    if pool is None:
        return ()
    return replicas_from_pods(snapshot.pods.select(target.namespace, parse(pool.pod_selector)), "", "Pod")


def inventory_of(reading: Reading, targets: Sequence[Target]) -> Inventory:
    """The GPUs that there are; what may not be read is named, and limits nothing."""
    snapshot, places = reading.snapshot, reading.places
    unknown = {name: why for name, why in snapshot.unknown.items() if name.split()[0] in COUNTED}
    if places is None:
        return Inventory({}, unknown)
    templates = [
        part.template
        for target in targets
        for variant in target.variants
        if (workload := snapshot.workloads.get((target.namespace, variant.ref))) is not None
        and workload.body is not None
        for part in parts_of(workload.body, group_of(variant.ref))
    ]
    counted = inventory(places.nodes, places.held, places.ours, places.growth, templates, snapshot.slices)
    return Inventory(counted.gpus, {**counted.unattainable, **unknown})
