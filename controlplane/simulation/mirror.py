"""The fleet's pods, nodes and Deployments as Kubernetes objects, and back: what is wanted, and who goes first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from controlplane.simulation.fleet import SimulatedNode
from controlplane.simulation.kubernetes.resources import Json
from controlplane.simulation.lifecycle import Workload
from controlplane.simulation.ports import PodStage, SimulatedPod

ACCELERATOR_LABEL = "tidegate.io/accelerator"
APP_LABEL = "app"
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
ENGINE_IMAGE = "vllm/vllm-openai:v0.32.0"
_SERVING = (PodStage.READY, PodStage.TERMINATING)


def rfc3339(at_s: float) -> str:
    """Unix seconds as Kubernetes writes times: UTC, whole seconds."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def deployment(workload: Workload, replicas: int) -> Json:
    """The Deployment of a workload as a person would have applied it."""
    namespace, name = workload.key.split("/")
    variant = workload.variant
    container = {
        "name": "engine",
        "image": ENGINE_IMAGE,
        "args": ["--model", workload.target.model, "--tensor-parallel-size", str(variant.gpus_per_replica)],
        "ports": [{"name": "http", "containerPort": 8000}],
        "resources": {"limits": {"nvidia.com/gpu": str(variant.gpus_per_replica)}},
    }
    labels = {APP_LABEL: name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [container], "nodeSelector": {ACCELERATOR_LABEL: variant.accelerator}},
            },
        },
    }


def deployment_status(body: Json, pods: Iterable[SimulatedPod]) -> Json:
    """The status that a deployment controller would write."""
    standing = [pod for pod in pods if pod.deleted_at_s is None]
    ready = sum(pod.stage is PodStage.READY for pod in standing)
    wanted = int(body["spec"].get("replicas", 0))
    available = ready >= wanted
    condition = {
        "type": "Available",
        "status": "True" if available else "False",
        "reason": "MinimumReplicasAvailable" if available else "MinimumReplicasUnavailable",
    }
    return {
        "observedGeneration": body["metadata"].get("generation", 1),
        "replicas": len(standing),
        "updatedReplicas": len(standing),
        "readyReplicas": ready,
        "availableReplicas": ready,
        "unavailableReplicas": max(0, wanted - ready),
        "conditions": [condition],
    }


def node(simulated: SimulatedNode, created_at_s: float) -> Json:
    """The Node of a machine."""
    gpus = {"nvidia.com/gpu": str(simulated.gpus)}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": simulated.name,
            "creationTimestamp": rfc3339(created_at_s),
            "labels": {ACCELERATOR_LABEL: simulated.accelerator, "kubernetes.io/hostname": simulated.name},
        },
        "spec": {},
        "status": {"capacity": gpus, "allocatable": gpus, "conditions": [{"type": "Ready", "status": "True"}]},
    }


def pod(simulated: SimulatedPod, port: int | None) -> Json:
    """The Pod of a replica; `port` is where its engine listens, None while it does not."""
    namespace, name = simulated.workload.split("/")
    metadata: Json = {
        "name": simulated.name,
        "namespace": namespace,
        "labels": {APP_LABEL: name},
        "creationTimestamp": rfc3339(simulated.created_at_s),
    }
    if simulated.deleted_at_s is not None:
        metadata |= {"deletionTimestamp": rfc3339(simulated.deleted_at_s), "deletionGracePeriodSeconds": 120}
    spec: Json = {
        "containers": [
            {
                "name": "engine",
                "image": ENGINE_IMAGE,
                "ports": [{"name": "http", "containerPort": port or 8000, "protocol": "TCP"}],
                "resources": {"limits": {"nvidia.com/gpu": str(simulated.gpus)}},
            }
        ],
        "nodeSelector": {ACCELERATOR_LABEL: simulated.accelerator},
    }
    if simulated.node is not None:
        spec["nodeName"] = simulated.node
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": spec,
        "status": _pod_status(simulated, port),
    }


def _pod_status(simulated: SimulatedPod, port: int | None) -> Json:
    serving = simulated.stage in _SERVING and port is not None
    scheduled = simulated.stage is not PodStage.UNSCHEDULABLE
    since = rfc3339(simulated.stage_since_s)
    ready_since = rfc3339(simulated.ready_at_s) if simulated.ready_at_s is not None else since
    conditions: list[Json] = [_condition("PodScheduled", scheduled, since, "" if scheduled else "Unschedulable")]
    if scheduled:
        ready = simulated.stage is PodStage.READY
        reason = "" if ready else "ContainersNotReady"
        conditions.append(_condition("Ready", ready, ready_since if ready else since, reason))
    status: Json = {"phase": "Running" if serving else "Pending", "conditions": conditions}
    if not scheduled:
        return status
    waiting = {"waiting": {"reason": "ContainerCreating", "message": f"cold start: {simulated.stage.value}"}}
    state = {"running": {"startedAt": ready_since}} if serving else waiting
    status["containerStatuses"] = [
        {
            "name": "engine",
            "ready": simulated.stage is PodStage.READY,
            "restartCount": 0,
            "image": ENGINE_IMAGE,
            "imageID": "",
            "state": state,
        }
    ]
    if serving:
        status["podIP"] = "127.0.0.1"
    return status


def _condition(kind: str, holds: bool, since: str, reason: str) -> Json:
    why = {"reason": reason} if reason else {}
    return {"type": kind, "status": "True" if holds else "False", "lastTransitionTime": since, **why}


def delete_first(pods: Iterable[Json]) -> list[str]:
    """Names of pods by pod-deletion-cost, the cheapest first; those without one cost nought."""
    costs: Mapping[str, int] = {body["metadata"]["name"]: _cost(body) for body in pods}
    return sorted(costs, key=lambda name: costs[name])


def _cost(body: Json) -> int:
    text = body["metadata"].get("annotations", {}).get(DELETION_COST, "0")
    try:
        return int(text)
    except ValueError:
        return 0
