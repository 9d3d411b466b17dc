"""Kubernetes' JSON -> the domain's values. Pure; the only place that knows the shapes of Pods, Nodes and Scales."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from controlplane.adapters.kube_http import Json
from controlplane.domain.catalog import ACCELERATORS
from controlplane.domain.observation import Inventory, Replica, ReplicaPhase
from controlplane.domain.target import ScaleTargetRef

PORT_NAMES = ("metrics", "http")
"""Container ports that are scraped by name, in this order, where the custom resource names no port."""
ACCELERATOR_LABELS = ("tidegate.io/accelerator", "nvidia.com/gpu.product", "amd.com/gpu.product-name")
"""Node labels that say the GPU: our own, then those of NVIDIA's feature discovery and AMD's labeller."""
GPU_RESOURCES = ("nvidia.com/gpu", "amd.com/gpu")
FAILED_REASONS = frozenset({"CrashLoopBackOff", "Error", "OOMKilled", "CreateContainerConfigError", "InvalidImageName"})
"""Waiting reasons that more waiting does not mend."""
_PLURALS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "ReplicaSet": "replicasets"}


def scale_path(namespace: str, ref: ScaleTargetRef) -> str:
    """The path of the `/scale` subresource of `ref`."""
    plural = _PLURALS.get(ref.kind, f"{ref.kind.lower()}s")
    return f"/apis/{ref.api_version}/namespaces/{namespace}/{plural}/{ref.name}/scale"


def replica_from_pod(pod: Json, variant: str) -> Replica | None:
    """The replica that a Pod is; None for one that has ended (Succeeded)."""
    metadata, status = pod["metadata"], pod.get("status", {})
    if status.get("phase") == "Succeeded":
        return None
    phase, reason = _phase(metadata, status)
    ready = _condition(status, "Ready")
    return Replica(
        name=metadata["name"],
        variant=variant,
        phase=phase,
        created_at_s=unix_s(metadata["creationTimestamp"]),
        ready_at_s=unix_s(ready["lastTransitionTime"]) if ready.get("status") == "True" else None,
        host=status.get("podIP"),
        port=_port(pod.get("spec", {})),
        reason=reason,
    )


def inventory_from_nodes(nodes: Iterable[Json]) -> Inventory:
    """Allocatable GPUs by catalog name over the nodes that pods may be placed on. A GPU that the catalog does not know
    keeps its label's name."""
    gpus: Counter[str] = Counter()
    for node in nodes:
        name = _accelerator(node["metadata"].get("labels", {}))
        if name is None or node.get("spec", {}).get("unschedulable"):
            continue
        allocatable = node.get("status", {}).get("allocatable", {})
        gpus[name] += sum(int(allocatable.get(resource, 0)) for resource in GPU_RESOURCES)
    return Inventory(dict(gpus))


def unix_s(timestamp: str) -> float:
    """RFC 3339 -> unix seconds."""
    return datetime.fromisoformat(timestamp).timestamp()


def _phase(metadata: Json, status: Json) -> tuple[ReplicaPhase, str]:
    if metadata.get("deletionTimestamp"):
        return ReplicaPhase.TERMINATING, "Terminating"
    if status.get("phase") == "Failed":
        return ReplicaPhase.FAILED, str(status.get("reason") or "Failed")
    waiting = _waiting_reason(status)
    if waiting in FAILED_REASONS:
        return ReplicaPhase.FAILED, waiting
    if _condition(status, "Ready").get("status") == "True":
        return ReplicaPhase.READY, ""
    scheduled = _condition(status, "PodScheduled")
    if scheduled.get("status") == "False":
        return ReplicaPhase.PENDING, str(scheduled.get("reason") or "Unschedulable")
    return ReplicaPhase.PENDING, waiting or str(status.get("phase") or "Pending")


def _condition(status: Json, kind: str) -> Json:
    return next((c for c in status.get("conditions") or [] if c.get("type") == kind), {})


def _waiting_reason(status: Json) -> str:
    for container in status.get("containerStatuses") or []:
        reason = container.get("state", {}).get("waiting", {}).get("reason")
        if reason:
            return str(reason)
    return ""


def _port(spec: Json) -> int | None:
    ports = [port for container in spec.get("containers") or [] for port in container.get("ports") or []]
    for name in PORT_NAMES:
        for port in ports:
            if port.get("name") == name:
                return int(port["containerPort"])
    return None


def _accelerator(labels: Mapping[str, str]) -> str | None:
    label = next((labels[name] for name in ACCELERATOR_LABELS if name in labels), None)
    if label is None or label in ACCELERATORS:
        return label
    # Feature discovery writes the product, e.g. NVIDIA-H100-80GB-HBM3 or NVIDIA-A100-SXM4-80GB.
    words = label.replace("-", " ").split()
    known = [name for name in ACCELERATORS if all(part in " ".join(words) for part in name.split("-"))]
    return max(known, key=len) if known else label
