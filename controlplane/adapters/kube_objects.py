"""Names of Kubernetes' JSON readers that are in use; the readers are in `kube_pods`, `kube_nodes` and their like."""

from __future__ import annotations

from collections.abc import Iterable

from controlplane.adapters.kube_json import Json
from controlplane.adapters.kube_nodes import inventory
from controlplane.adapters.kube_pods import replicas_from_pods
from controlplane.domain.observation import Inventory, Replica
from controlplane.domain.target import ScaleTargetRef

_PLURALS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "ReplicaSet": "replicasets"}


def scale_path(namespace: str, ref: ScaleTargetRef) -> str:
    """The path of the `/scale` subresource of `ref`."""
    plural = _PLURALS.get(ref.kind, f"{ref.kind.lower()}s")
    return f"/apis/{ref.api_version}/namespaces/{namespace}/{plural}/{ref.name}/scale"


def replica_from_pod(pod: Json, variant: str) -> Replica | None:
    """The replica that a Pod is; None for one that has ended (Succeeded)."""
    return next(iter(replicas_from_pods([pod], variant, "Pod")), None)


def inventory_from_nodes(nodes: Iterable[Json]) -> Inventory:
    """Allocatable GPUs by catalog name over the nodes that pods may be placed on."""
    return inventory(list(nodes))
