"""Any JSON in place of what Kubernetes says gives a value, or is left out: never an exception."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controlplane.adapters.kube_autoscalers import rival_autoscalers
from controlplane.adapters.kube_fit import why_not
from controlplane.adapters.kube_growth import growth_of
from controlplane.adapters.kube_nodes import inventory
from controlplane.adapters.kube_pods import chooses_victims, problem_of, replicas_from_pods, unreadable_pods
from controlplane.adapters.kube_quota import quota_limit
from controlplane.adapters.kube_rivals import Rivals
from controlplane.adapters.kube_room import most_replicas
from controlplane.adapters.kube_templates import parts_of
from controlplane.adapters.kube_workloads import discovered, model_of, template_of
from controlplane.domain.target import ScaleTargetRef
from tests.adapters.kube_builders import (
    Json,
    condition,
    deployment,
    engine,
    event,
    managed,
    node,
    pod,
    ready_status,
    template,
    waiting,
)
from tests.adapters.test_kube_nodes import GPU_TAINT, H100_POOL, STATUS, config_map, node_pool, quota
from tests.adapters.test_kube_rivals import hpa, scaled_object
from tests.adapters.test_kube_workloads import affinity, lws

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**25), 10**25),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(["1e999999999", "-1", "4", "NaN", "2026-01-05T08:00:00Z", "9999-12-31T23:59:59Z", "{", "Always"]),
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)

TERM = [{"key": "zone", "operator": "Gt", "values": ["3"]}]
POD = pod(
    "chat-1",
    {
        **ready_status(),
        "initContainerStatuses": [waiting("fetch", "ErrImagePull", "no")],
        "containerStatuses": [*ready_status()["containerStatuses"], waiting("proxy", "ContainerCreating")],
    },
    {"leaderworkerset.sigs.k8s.io/group-index": "0", "leaderworkerset.sigs.k8s.io/name": "big"},
    {"leaderworkerset.sigs.k8s.io/size": "1", "prometheus.io/port": "8000"},
    node="a",
    initContainers=[{"name": "fetch", "restartPolicy": "Always", **engine(1)}],
    readinessGates=[{"conditionType": "x"}],
    resourceClaims=[{"name": "gpu"}],
    overhead={"cpu": "1"},
)
POD["spec"]["containers"][0]["ports"] = [{"name": "http", "containerPort": 8000}]
UNSCHEDULED = pod(
    "chat-2",
    {"conditions": [condition("PodScheduled", 0, "False", reason="Unschedulable", message="0/1 nodes")]},
)
TEMPLATE = template(
    4,
    {"llm-d.ai/role": "decode"},
    nodeSelector={"nvidia.com/gpu.product": "NVIDIA-L4"},
    affinity=affinity(TERM),
    tolerations=[{"key": "team", "operator": "Exists"}],
    priorityClassName="high",
)
TEMPLATE["spec"]["containers"][0] |= {
    "command": ["/bin/sh", "-c"],
    "args": ['vllm serve $MODEL --kv-transfer-config \'{"kv_role": "kv_producer"}\''],
    "env": [{"name": "MODEL", "value": "a/b"}],
}
DEPLOYMENT = deployment(
    3,
    TEMPLATE,
    [managed("argocd-controller", "Apply", at_s=3), managed("kubectl", subresource="scale")],
    annotations={"kubectl.kubernetes.io/last-applied-configuration": '{"spec": {"replicas": 3}}'},
)
RAY: Json = {"spec": {"workerGroupSpecs": [{"groupName": "gpu", "numOfHosts": 2, "template": template(8)}]}}
KSERVE: Json = {
    "spec": {
        "model": {"uri": "hf://a/b"},
        "parallelism": {"data": 4, "dataLocal": 2},
        "template": {"containers": [engine()]},
        "worker": {"containers": [engine()]},
        "prefill": {"template": {"containers": [engine()]}},
    }
}
PREDICTOR: Json = {
    "spec": {"predictor": {"model": {"storageUri": "s3://x/y"}, "workerSpec": {"pipelineParallelSize": 2}}}
}
NODE = node("a", labels={"karpenter.sh/nodepool": "p"}, taints=[GPU_TAINT], cpu="8", pods="110")
QUOTA = quota(
    {"pods": "3"},
    {"pods": "1"},
    scopes=["NotTerminating"],
    scopeSelector={"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]},
)
WORKLOADS = [DEPLOYMENT, lws(2, TEMPLATE), RAY, KSERVE, PREDICTOR]


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from _paths(item, (*path, key))


@st.composite
def spoiled(draw: st.DrawFn, good: Json) -> Json:
    """An object of which up to three parts, of any depth, are something else or away."""
    made = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(list(_paths(made)) or [("x",)]))
        inner = made
        for step in way:
            inner = inner[step]
        if isinstance(inner, dict) and draw(st.booleans()) and draw(st.booleans()):
            inner.pop(last, None)
        else:
            inner[last] = draw(JSON)
    return made


FAST = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@FAST
@given(spoiled(POD), spoiled(UNSCHEDULED), spoiled(event("chat-1", "Started", 60)), st.data())
def test_any_pod_is_a_replica_or_is_named(first: Json, second: Json, about: Json, data: st.DataObject) -> None:
    pods = [first, second, data.draw(JSON)]
    kind = data.draw(st.sampled_from(["Deployment", "LeaderWorkerSet", "RayCluster"]))
    events = [about, event("chat-2", "TriggeredScaleUp", 9), data.draw(JSON)]
    found = replicas_from_pods(pods, "v", kind, events, template="t")
    assert len(unreadable_pods(pods)) == sum(bool(problem_of(one)) for one in pods)
    assert len(found) <= sum(not problem_of(one) for one in pods)
    for replica in found:
        assert isinstance(replica.name, str)
        assert replica.port is None or 0 < replica.port < 65536
        for stage in (replica.stages.scheduled_s, replica.stages.loaded_s) if replica.stages else ():
            assert stage is None or stage >= 0
    chooses_victims(kind, pods)


@FAST
@given(st.sampled_from(WORKLOADS).flatmap(spoiled), spoiled(NODE))
def test_any_workload_says_what_it_can(workload: Json, where: Json) -> None:
    for group in ("", "prefill"):
        found = discovered(workload, [where], group)
        assert found.gpus_per_replica is None or found.gpus_per_replica > 0
        assert found.accelerator is None or isinstance(found.accelerator, str)
        assert isinstance(template_of(workload, group), str)
        model = model_of(workload, group)
        assert model is None or (isinstance(model, str) and model)


@FAST
@given(spoiled(NODE), spoiled(POD), spoiled(TEMPLATE), st.data())
def test_any_nodes_and_pods_make_an_inventory(where: Json, there: Json, made: Json, data: st.DataObject) -> None:
    status = data.draw(st.one_of(st.just(STATUS), st.text(max_size=30), st.just(STATUS.replace("5", "x"))))
    pools = [data.draw(spoiled(node_pool("p", {"nvidia.com/gpu": 16}, H100_POOL)))]
    nodes = [NODE, where]
    growth = growth_of(nodes, data.draw(spoiled(config_map(status))), pools)
    found = inventory(nodes, [POD, there], {"default/chat-1"}, growth, [made], [data.draw(spoiled(POD))])
    assert all(count >= 0 for count in found.gpus.values())
    assert all(isinstance(words, str) for words in found.unattainable.values())
    workload = data.draw(st.sampled_from(WORKLOADS).flatmap(spoiled))
    most = most_replicas(parts_of(workload), nodes, [POD, there], growth=growth)
    assert most is None or most >= 0
    assert isinstance(why_not(made, where), str)


@FAST
@given(spoiled(QUOTA), st.sampled_from(WORKLOADS).flatmap(spoiled))
def test_any_quota_bounds_from_above_or_not_at_all(one: Json, workload: Json) -> None:
    found = quota_limit([one], parts_of(workload), 2)
    assert found is None or found[0] >= 2


@FAST
@given(st.lists(spoiled(DEPLOYMENT), min_size=2, max_size=4), spoiled(hpa()), spoiled(scaled_object()))
def test_any_object_can_be_watched_for_rivals(sights: list[Json], scaler: Json, keda: Json) -> None:
    rivals = Rivals()
    for i, sight in enumerate(sights):
        conflicts, _ = rivals.see(15.0 * i, "k", "v", "Deployment", sight, i % 3, 1)
        assert all(isinstance(conflict.name, str) for conflict in conflicts)
    rival_autoscalers("default", "v", ScaleTargetRef("apps/v1", "Deployment", "chat"), [scaler], [keda])
