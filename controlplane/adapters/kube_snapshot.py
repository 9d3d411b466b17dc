"""What was read of the cluster at one moment, as the API server says it: between the caches and the readers of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from controlplane.adapters.kube_http import Json
from controlplane.adapters.kube_scale import Scale
from controlplane.adapters.kube_selectors import PodIndex
from controlplane.domain.target import ScaleTargetRef

WorkloadKey = tuple[str, ScaleTargetRef]
"""Namespace and reference."""


@dataclass(frozen=True, slots=True)
class Workload:
    """One scalable object: its body (with the field managers of `spec.replicas`) and scale, or why there is none."""

    namespace: str
    ref: ScaleTargetRef
    body: Json | None
    scale: Scale | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that was read. A tuple is None where nothing of the kind may be read: unknown is not empty."""

    autoscalers: tuple[Json, ...]
    workloads: Mapping[WorkloadKey, Workload]
    pods: PodIndex
    candidates: tuple[Json, ...] = ()
    """Resources that policies of the API stand for and that do not decide; those that do are among `autoscalers`."""
    nodes: tuple[Json, ...] | None = None
    quotas: tuple[Json, ...] | None = None
    hpas: tuple[Json, ...] | None = None
    scaled_objects: tuple[Json, ...] | None = None
    """Empty where KEDA is not installed."""
    events: tuple[Json, ...] = ()
    """Events about Pods: what their cold starts waited for."""
    slices: tuple[Json, ...] = ()
    """ResourceSlices: GPUs of dynamic resource allocation."""
    node_pools: tuple[Json, ...] = ()
    """Karpenter's."""
    node_autoscaler: Json | None = None
    """The ConfigMap in which the cluster-autoscaler says how it is; None where there is none."""
    unknown: Mapping[str, str] = field(default_factory=dict)
    """Why, by resource's plural (of one namespace: `plural in NAMESPACE`)."""
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """Namespaces whose Pods may not be read, and why."""
