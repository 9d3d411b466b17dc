"""What the caches hold of a large cluster, and how long a look at it takes: `python -m benchmarks.kube_state`.

Nodes and Pods are made as kubelets leave them: fifty images on each Node, environment and field managers in each Pod.
"""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

from controlplane.adapters import kube_trim
from controlplane.adapters.kube_assemble import assemble, refs_of
from controlplane.adapters.kube_scale import Scale
from controlplane.adapters.kube_selectors import PodIndex
from controlplane.adapters.kube_snapshot import Snapshot, Workload

Json = dict[str, Any]
NODES, PODS, TARGETS = 5000, 500, 200


def node(number: int) -> Json:
    """About 12 KB."""
    images = [{"names": [f"images.example.org/team/{i}@sha256:{i:064x}"], "sizeBytes": 10**9} for i in range(50)]
    gpus = {"nvidia.com/gpu": "8", "cpu": "96", "memory": "1000Gi", "ephemeral-storage": "1Ti", "pods": "110"}
    labels = {f"example.org/label-{i}": "value" for i in range(25)}
    labels["nvidia.com/gpu.product"] = "NVIDIA-H100-80GB-HBM3"
    conditions = [{"type": t, "status": "True", "message": "kubelet is " * 5} for t in ("Ready", "DiskPressure")]
    return {
        "metadata": {"name": f"node-{number}", "labels": labels, "managedFields": [{"fieldsV1": labels}] * 3},
        "spec": {"providerID": f"x://{number}"},
        "status": {"allocatable": gpus, "capacity": gpus, "images": images, "conditions": conditions},
    }


def pod(number: int) -> Json:
    """About 6 KB."""
    app = f"chat-{number % TARGETS}"
    env = [{"name": f"VARIABLE_{i}", "value": "x" * 40} for i in range(40)]
    limits = {"limits": {"nvidia.com/gpu": "1"}}
    ports = [{"name": "http", "containerPort": 8000}]
    containers = [{"name": "engine", "image": "vllm:0.32", "env": env, "resources": limits, "ports": ports}]
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-05T08:03:00Z"}
    return {
        "metadata": {
            "name": f"{app}-{number}",
            "namespace": "default",
            "labels": {"app": app, "pod-template-hash": "abc"},
            "creationTimestamp": "2026-01-05T08:00:00Z",
            "managedFields": [{"fieldsV1": {f"f:{i}": {} for i in range(40)}}] * 2,
        },
        "spec": {"containers": containers, "volumes": [{"name": f"v{i}"} for i in range(10)], "nodeName": "node-1"},
        "status": {"phase": "Running", "podIP": "10.0.0.1", "conditions": [ready]},
    }


def autoscaler(number: int) -> Json:
    """One target of one variant."""
    name = f"chat-{number}"
    variant = {"name": "h100", "scaleTargetRef": {"name": name}, "accelerator": "H100", "maxReplicas": 9}
    spec = {"model": "llama-3.1-8b", "slo": {"ttftSeconds": 2.0, "tpotSeconds": 0.1}, "variants": [variant]}
    head = {"apiVersion": "tidegate.io/v1alpha1", "kind": "InferenceAutoscaler"}
    return {**head, "metadata": {"name": name, "namespace": "default"}, "spec": spec}


def held(make: Callable[[int], Json], count: int, trim: Callable[[Json], Json]) -> tuple[list[Json], float]:
    """Objects as the caches hold them, decoded one by one as a watch brings them, and their memory in MB."""
    tracemalloc.start()
    kept = [trim(json.loads(json.dumps(make(number)))) for number in range(count)]
    used = tracemalloc.get_traced_memory()[0] / 1e6
    tracemalloc.stop()
    return kept, used


def main() -> None:
    """Print it."""
    for name, make, count, trim in (("nodes", node, NODES, kube_trim.node), ("pods", pod, PODS, kube_trim.pod)):
        _, whole = held(make, count, lambda body: body)
        _, small = held(make, count, trim)
        print(f"{count} {name}: {whole:.0f} MB as they come, {small:.0f} MB as they are kept")
    nodes, _ = held(node, NODES, kube_trim.node)
    pods, _ = held(pod, PODS, kube_trim.pod)
    autoscalers = tuple(autoscaler(number) for number in range(TARGETS))
    refs = [(ref, f"app={ref.name}") for manifest in autoscalers for ref in refs_of(manifest)]
    workloads = {("default", r): Workload("default", r, {}, Scale(2, "1", selector)) for r, selector in refs}
    began_s = time.perf_counter()
    state = assemble(Snapshot(autoscalers, workloads, PodIndex(pods), tuple(nodes)))
    took_ms = (time.perf_counter() - began_s) * 1e3
    found = sum(len(replicas) for replicas in state.replicas.values())
    print(f"state of {len(state.targets)} targets, {found} replicas: {took_ms:.0f} ms")


if __name__ == "__main__":
    main()
