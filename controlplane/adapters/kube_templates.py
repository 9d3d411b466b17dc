"""The Pod templates inside scalable objects of many kinds, and how many Pods of each one replica takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from controlplane.adapters.kube_json import Json, at, mapping, objects, text, total, whole
from controlplane.adapters.kube_resources import gpus_in, gpus_of, pod_requests

MOST_PODS = 4096
"""Pods of one replica; a larger number is junk, and would be multiplied with."""


@dataclass(frozen=True, slots=True)
class Part:
    """Pods of one template within each replica."""

    template: Json
    pods: int = 1


def parts_of(workload: Json, group: str = "") -> tuple[Part, ...]:
    """What one replica consists of, the Pod that serves first; empty where the object has no template.

    `group` is the worker group of a RayCluster or RayService; left out, the first that asks for GPUs.
    Of a KServe LLMInferenceService, group `prefill` is its prefill part.
    """
    spec = mapping(workload.get("spec"))
    for read in (_leader_worker_set, _ray, _plain, _llm_inference_service, _inference_service):
        parts = read(spec, group)
        if parts:
            return parts
    return ()


def pod_template(workload: Json, group: str = "") -> Json | None:
    """The template of the Pod that serves: a leader's, a worker group's, or the only one. None where there is none."""
    parts = parts_of(workload, group)
    return parts[0].template if parts else None


def replica_requests(parts: Iterable[Part]) -> dict[str, Decimal]:
    """What one whole replica requests."""
    return total(
        {name: amount * part.pods for name, amount in pod_requests(mapping(part.template.get("spec"))).items()}
        for part in parts
    )


def replica_gpus(parts: Iterable[Part]) -> int:
    """GPUs of one whole replica."""
    return gpus_in(replica_requests(parts))


def _plain(spec: Json, _: str) -> tuple[Part, ...]:
    """Deployment, StatefulSet, ReplicaSet, and whatever else has a Pod template at `spec.template`."""
    template = mapping(spec.get("template"))
    return (Part(template),) if objects(at(template, "spec", "containers")) else ()


def _leader_worker_set(spec: Json, _: str) -> tuple[Part, ...]:
    both = mapping(spec.get("leaderWorkerTemplate"))
    worker = mapping(both.get("workerTemplate"))
    leader = mapping(both.get("leaderTemplate")) or worker
    if not leader:
        return ()
    return _together(leader, worker, _count(both.get("size")))


def _together(leader: Json, worker: Json, size: int) -> tuple[Part, ...]:
    if size <= 1:
        return (Part(leader),)
    return (Part(leader, size),) if leader == worker else (Part(leader), Part(worker or leader, size - 1))


def _ray(spec: Json, group: str) -> tuple[Part, ...]:
    """A worker group of a RayCluster, or of the cluster that a RayService holds."""
    spec = mapping(spec.get("rayClusterConfig")) or spec
    groups = objects(spec.get("workerGroupSpecs"))
    if group:
        groups = [g for g in groups if g.get("groupName") == group]
    with_gpus = [g for g in groups if gpus_of(mapping(at(g, "template", "spec")))]
    chosen = next(iter(with_gpus or groups), {})
    template = mapping(chosen.get("template"))
    return (Part(template, _count(chosen.get("numOfHosts"))),) if template else ()


def _llm_inference_service(spec: Json, group: str) -> tuple[Part, ...]:
    """KServe: `template` and `worker` are Pod specs; with a worker, each replica is a LeaderWorkerSet's group."""
    part = mapping(spec.get("prefill")) if group == "prefill" else spec
    leader, worker = mapping(part.get("template")), mapping(part.get("worker"))
    if not objects(leader.get("containers")) or "model" not in spec:
        return ()
    if not worker:
        return (Part({"spec": leader}),)
    return _together({"spec": leader}, {"spec": worker}, _hosts(mapping(part.get("parallelism"))))


def _hosts(parallelism: Mapping[str, object]) -> int:
    """Pods of one replica: pipeline stages, or data parallel ranks over those that one Pod holds."""
    pipeline = _count(parallelism.get("pipeline"))
    local = _count(parallelism.get("dataLocal"))
    return max(pipeline, -(-_count(parallelism.get("data")) // local))


def _inference_service(spec: Json, _: str) -> tuple[Part, ...]:
    """KServe: the predictor is a Pod spec whose container may be called `model`."""
    predictor = mapping(spec.get("predictor"))
    model = mapping(predictor.get("model"))
    containers = [*([{"name": "kserve-container", **model}] if model else []), *objects(predictor.get("containers"))]
    if not containers:
        return ()
    leader = {"spec": {**predictor, "containers": containers}}
    worker = mapping(predictor.get("workerSpec"))
    if not worker:
        return (Part(leader),)
    named = objects(worker.get("containers")) or [model]
    return _together(leader, {"spec": {**worker, "containers": named}}, _count(worker.get("pipelineParallelSize")))


def _count(value: object) -> int:
    said = whole(value)
    return 1 if said is None else min(max(said, 1), MOST_PODS)


def kind_of(workload: Json) -> str:
    """The object's kind, empty where it does not say."""
    return text(workload.get("kind"))
