"""Reads targets, replica counts, pods and nodes from a Kubernetes API server."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from controlplane.adapters.kube_http import Json, KubeError, KubeHttp
from controlplane.adapters.kube_objects import inventory_from_nodes, replica_from_pod, scale_path
from controlplane.domain.manifest import API_VERSION, ManifestError, target_from_manifest
from controlplane.domain.observation import Replica
from controlplane.domain.ports import ClusterState, ClusterUnavailable, TargetProblem
from controlplane.domain.target import Target, Variant

AUTOSCALERS = f"/apis/{API_VERSION}/inferenceautoscalers"
FROM_CACHE = {"resourceVersion": "0"}
"""Lists are answered from the API server's watch cache: a tick does not need a quorum read of etcd."""


@dataclass(frozen=True, slots=True)
class _Scaled:
    """One variant's scalable object: what it wants, its resourceVersion and its replicas."""

    variant: str
    desired: int
    resource_version: str
    replicas: tuple[Replica, ...]


class KubernetesCluster:
    """`Cluster` over an API server: the custom resources, and what their variants point at."""

    def __init__(self, http: KubeHttp) -> None:
        self._http = http

    async def state(self) -> ClusterState:
        """The newest state; see `Cluster`. A resource that cannot be used is a problem, and disturbs no other."""
        try:
            resources, nodes = await asyncio.gather(
                self._http.get(AUTOSCALERS, FROM_CACHE), self._http.get("/api/v1/nodes", FROM_CACHE)
            )
            targets, problems = _targets(resources.get("items", []))
            scaled = await asyncio.gather(*(self._scaled_of(target) for target in targets))
        except KubeError as error:
            raise ClusterUnavailable(f"the cluster refuses to be read: {error}") from error
        return ClusterState(
            targets=tuple(targets),
            problems=tuple(problems) + tuple(p for _, missing in scaled for p in missing),
            desired={t.key: {s.variant: s.desired for s in found} for t, (found, _) in _zip(targets, scaled)},
            replicas={t.key: tuple(r for s in found for r in s.replicas) for t, (found, _) in _zip(targets, scaled)},
            resource_versions={
                t.key: {s.variant: s.resource_version for s in found} for t, (found, _) in _zip(targets, scaled)
            },
            inventory=inventory_from_nodes(nodes.get("items", [])),
        )

    async def _scaled_of(self, target: Target) -> tuple[list[_Scaled], list[TargetProblem]]:
        answers = await asyncio.gather(*(self._scaled(target, variant) for variant in target.variants))
        return [a for a in answers if isinstance(a, _Scaled)], [a for a in answers if isinstance(a, TargetProblem)]

    async def _scaled(self, target: Target, variant: Variant) -> _Scaled | TargetProblem:
        try:
            scale = await self._http.get(scale_path(target.namespace, variant.ref))
        except KubeError as error:
            field = f"spec.variants[{variant.name}].scaleTargetRef"
            return TargetProblem(
                target.namespace, target.name, field, f"{variant.ref.kind} {variant.ref.name}: {error}"
            )
        selector = scale.get("status", {}).get("selector", "")
        replicas = await self._replicas(target.namespace, selector, variant.name) if selector else ()
        desired = int(scale.get("spec", {}).get("replicas", 0))
        return _Scaled(variant.name, desired, scale["metadata"]["resourceVersion"], replicas)

    async def _replicas(self, namespace: str, selector: str, variant: str) -> tuple[Replica, ...]:
        query = {"labelSelector": selector, **FROM_CACHE}
        pods = await self._http.get(f"/api/v1/namespaces/{namespace}/pods", query)
        found = (replica_from_pod(pod, variant) for pod in pods.get("items", []))
        return tuple(replica for replica in found if replica is not None)


def _targets(manifests: list[Json]) -> tuple[list[Target], list[TargetProblem]]:
    """Usable targets by key, and what is wrong with the others. The oldest resource keeps an object that two name."""
    targets: list[Target] = []
    problems: list[TargetProblem] = []
    owners: dict[tuple[str, str, str], str] = {}
    for manifest in sorted(manifests, key=_age):
        # Items of a list may come without kind and apiVersion; the path that was asked says them.
        whole = {"apiVersion": API_VERSION, "kind": "InferenceAutoscaler", **manifest}
        try:
            target = target_from_manifest(whole)
            _claim(target, owners)
        except ManifestError as error:
            metadata = manifest.get("metadata", {})
            namespace, name = str(metadata.get("namespace", "")), str(metadata.get("name", ""))
            generation = int(metadata.get("generation") or 0)
            problems.append(TargetProblem(namespace, name, error.field, error.message, generation))
        else:
            targets.append(target)
    return sorted(targets, key=lambda target: target.key), problems


def _age(manifest: Json) -> tuple[str, str, str]:
    metadata = manifest.get("metadata", {})
    return str(metadata.get("creationTimestamp", "")), str(metadata.get("namespace", "")), str(metadata.get("name", ""))


def _claim(target: Target, owners: dict[tuple[str, str, str], str]) -> None:
    """Note that the target scales its objects.

    Raises:
        ManifestError: if another target scales one of them already: two would undo each other's work.
    """
    claimed = {(target.namespace, v.ref.kind, v.ref.name): v.name for v in target.variants}
    for scaled, variant in claimed.items():
        if scaled in owners:
            field = f"spec.variants[{variant}].scaleTargetRef"
            raise ManifestError(field, f"{scaled[1]} {scaled[2]} is scaled by {owners[scaled]} already")
    owners.update(dict.fromkeys(claimed, target.key))


def _zip(
    targets: list[Target], scaled: list[tuple[list[_Scaled], list[TargetProblem]]]
) -> zip[tuple[Target, tuple[list[_Scaled], list[TargetProblem]]]]:
    return zip(targets, scaled, strict=True)


class FakeCluster:
    """`Cluster` that answers with `current`, or raises ClusterUnavailable while that is None."""

    def __init__(self, current: ClusterState | None) -> None:
        self.current = current

    async def state(self) -> ClusterState:
        """As `KubernetesCluster.state`."""
        if self.current is None:
            raise ClusterUnavailable("the cluster is away on purpose")
        return self.current
