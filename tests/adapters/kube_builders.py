"""Kubernetes objects as an API server gives them, with what a test says of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]

CREATED_S = 1_767_600_000.0
"""2026-01-05T08:00:00Z."""


def when(seconds: float) -> str:
    """RFC 3339 of that long after CREATED_S."""
    return datetime.fromtimestamp(CREATED_S + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def condition(kind: str, at_s: float, status: str = "True", **more: str) -> Json:
    """A condition that changed last at `at_s` after creation."""
    return {"type": kind, "status": status, "lastTransitionTime": when(at_s), **more}


def running(name: str, started_s: float, restarts: int = 0, ready: bool = True) -> Json:
    """The status of a container that runs."""
    return {
        "name": name,
        "ready": ready,
        "started": True,
        "restartCount": restarts,
        "state": {"running": {"startedAt": when(started_s)}},
    }


def waiting(name: str, reason: str, message: str = "") -> Json:
    """The status of a container that waits."""
    state = {"reason": reason, **({"message": message} if message else {})}
    return {"name": name, "ready": False, "restartCount": 0, "state": {"waiting": state}}


def engine(gpus: int | str = 1, name: str = "vllm", resource: str = "nvidia.com/gpu", **more: Any) -> Json:
    """A serving container."""
    return {
        "name": name,
        "image": "vllm/vllm-openai:v0.11.0",
        "resources": {"limits": {resource: str(gpus)}},
        **more,
    }


def pod(
    name: str,
    status: Json | None = None,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    node: str | None = None,
    gpus: int = 1,
    owner: str = "ReplicaSet",
    **spec: Any,
) -> Json:
    """A Pod of a Deployment."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": f"uid-{name}",
            "creationTimestamp": when(0),
            "labels": labels or {},
            "annotations": annotations or {},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": owner, "name": "chat-5d4f", "controller": True}],
        },
        "spec": {"containers": [engine(gpus)], **({"nodeName": node} if node else {}), **spec},
        "status": status if status is not None else {"phase": "Running"},
    }


def ready_status(ready_s: float = 180.0, started_s: float = 60.0) -> Json:
    """The status of a Pod that took five seconds to a node, the rest of a minute for its image, and then loaded."""
    return {
        "phase": "Running",
        "podIP": "10.1.0.7",
        "podIPs": [{"ip": "10.1.0.7"}, {"ip": "fd00::7"}],
        "conditions": [
            condition("PodScheduled", 5),
            condition("Initialized", 6),
            condition("ContainersReady", ready_s),
            condition("Ready", ready_s),
        ],
        "containerStatuses": [running("vllm", started_s)],
    }


def event(pod_name: str, reason: str, at_s: float, message: str = "", container: str = "vllm") -> Json:
    """An Event about a Pod."""
    path = {"fieldPath": f"spec.containers{{{container}}}"} if reason in ("Pulling", "Pulled", "Started") else {}
    return {
        "involvedObject": {"kind": "Pod", "namespace": "default", "name": pod_name, "uid": f"uid-{pod_name}", **path},
        "reason": reason,
        "message": message,
        "type": "Normal",
        "count": 1,
        "firstTimestamp": when(at_s),
        "lastTimestamp": when(at_s),
    }


def node(
    name: str,
    gpus: int | str = 8,
    product: str = "NVIDIA-H100-80GB-HBM3",
    labels: dict[str, str] | None = None,
    taints: list[Json] | None = None,
    cordoned: bool = False,
    ready: str = "True",
    resource: str = "nvidia.com/gpu",
    **allocatable: str,
) -> Json:
    """A node with GPUs."""
    spec: Json = {"taints": taints or []}
    if cordoned:
        spec["unschedulable"] = True
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"nvidia.com/gpu.product": product, **(labels or {})}},
        "spec": spec,
        "status": {
            "allocatable": {resource: str(gpus), **allocatable},
            "conditions": [{"type": "Ready", "status": ready}],
        },
    }


def template(gpus: int | str = 1, labels: dict[str, str] | None = None, **spec: Any) -> Json:
    """A Pod template."""
    return {"metadata": {"labels": labels or {}}, "spec": {"containers": [engine(gpus)], **spec}}


def deployment(
    replicas: int = 3, pod_template: Json | None = None, managed: list[Json] | None = None, **metadata: Any
) -> Json:
    """A Deployment."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "chat", "namespace": "default", "managedFields": managed or [], **metadata},
        "spec": {"replicas": replicas, "template": pod_template or template()},
    }


def managed(manager: str, operation: str = "Update", subresource: str = "", at_s: float | None = None) -> Json:
    """An entry of managedFields that holds `spec.replicas`; one that `/scale` wrote has no time."""
    return {
        "manager": manager,
        "operation": operation,
        "apiVersion": "apps/v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:replicas": {}}},
        **({"subresource": subresource} if subresource else {}),
        **({"time": when(at_s)} if at_s is not None else {}),
    }
