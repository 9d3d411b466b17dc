"""Nodes, Pods on them, node autoscalers and quotas -> what replicas may have."""

from __future__ import annotations

from typing import Any

import pytest

from controlplane.adapters.kube_fit import fits, why_not
from controlplane.adapters.kube_growth import growth_of
from controlplane.adapters.kube_json import Json, quantity, whole
from controlplane.adapters.kube_nodes import inventory
from controlplane.adapters.kube_quota import quota_limit
from controlplane.adapters.kube_resources import gpus_of, pod_requests
from controlplane.adapters.kube_room import limit_of, most_replicas
from controlplane.adapters.kube_templates import Part
from tests.adapters.kube_builders import engine, node, pod, template

GPU_TAINT = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
TEAM_TAINT = {"key": "team", "value": "batch", "effect": "NoSchedule"}
RUNNING: Json = {"phase": "Running"}


@pytest.mark.parametrize(
    ("written", "value"),
    [("4", 4), (4, 4), ("4000m", 4), ("1k", 1000), ("2Ki", 2048), ("1e3", 1000), ("0", 0), ("500m", None)],
)
def test_quantities_are_read_as_kubernetes_writes_them(written: object, value: int | None) -> None:
    assert whole(written) == value


@pytest.mark.parametrize("junk", [None, "", "four", "-1", "NaN", "Infinity", "1e999999999", True, [], {}, float("nan")])
def test_what_is_no_quantity_is_none(junk: object) -> None:
    assert quantity(junk) is None


def test_a_pod_requests_the_larger_of_its_start_and_its_run() -> None:
    sidecar = {"name": "proxy", "restartPolicy": "Always", **_cpu("1")}
    spec: Json = {
        "initContainers": [sidecar, {"name": "fetch", **_cpu("8")}],
        "containers": [{"name": "vllm", **_cpu("4")}, {"name": "log", **_cpu("500m")}],
        "overhead": {"cpu": "250m"},
    }
    assert float(pod_requests(spec)["cpu"]) == 9.25
    spec["initContainers"].pop()
    assert float(pod_requests(spec)["cpu"]) == 5.75
    assert gpus_of({"containers": [engine("4000m"), {"resources": {"requests": {"amd.com/gpu": 1}}}]}) == 5


def _cpu(amount: str) -> Json:
    return {"resources": {"requests": {"cpu": amount}}}


def test_gpus_are_what_others_leave_and_what_our_own_hold() -> None:
    going = pod("theirs-going", RUNNING, node="a", gpus=1)
    going["metadata"]["deletionTimestamp"] = "2026-01-05T09:00:00Z"
    pods = [
        pod("ours", RUNNING, node="a", gpus=4),
        pod("theirs", RUNNING, node="a", gpus=2),
        going,
        pod("done", {"phase": "Succeeded"}, node="a", gpus=8),
        pod("evicted", {"phase": "Failed"}, node="a", gpus=8),
        pod("waits", {"phase": "Pending"}, gpus=8),
    ]
    found = inventory([node("a"), node("b", product="NVIDIA-L4", gpus=2)], pods, {"default/ours"})
    assert found.gpus == {"H100": 5, "L4": 2}
    assert found.unattainable == {}


def test_nodes_that_take_no_pods_count_for_what_ours_hold_there() -> None:
    pods = [pod("ours", RUNNING, node="cordoned", gpus=4), pod("lost", RUNNING, node="away", gpus=4)]
    nodes = [node("cordoned", cordoned=True), node("away", ready="Unknown"), node("taken", taints=[TEAM_TAINT])]
    found = inventory(nodes, pods, {"default/ours", "default/lost"}, templates=[template()])
    assert found.gpus == {"H100": 4}
    assert found.unattainable == {"cordoned": "cordoned", "away": "not ready", "taken": "taint team=batch:NoSchedule"}
    assert inventory(nodes, pods, {"default/ours"}).gpus == {"H100": 12}


def test_a_node_counts_where_one_variant_may_be_placed_on_it() -> None:
    h100 = template(nodeSelector={"pool": "h"})
    tolerant = template(nodeSelector={"pool": "l"}, tolerations=[{"key": "team", "operator": "Exists"}])
    nodes = [
        node("h", labels={"pool": "h"}),
        node("l", product="NVIDIA-L4", labels={"pool": "l"}, taints=[TEAM_TAINT]),
        node("x", product="NVIDIA-B200", labels={"pool": "x"}),
    ]
    found = inventory(nodes, templates=[h100, tolerant])
    assert found.gpus == {"H100": 8, "L4": 8}
    assert found.unattainable == {"x": "no variant selects it"}


def test_parts_of_gpus_and_claimed_devices_are_named_and_not_guessed() -> None:
    mig = node("mig", gpus=0)
    mig["status"]["allocatable"] = {"nvidia.com/gpu": "0", "nvidia.com/mig-1g.10gb": "7"}
    shared = node("shared", product="NVIDIA-L4-SHARED", labels={"nvidia.com/gpu.replicas": "4"})
    unnamed = node("unnamed")
    unnamed["metadata"]["labels"] = {}
    slices: list[Json] = [{"spec": {"driver": "gpu.nvidia.com", "nodeName": "d", "devices": [{"name": "gpu-0"}] * 8}}]
    claiming = pod("claims", RUNNING, node="d", resourceClaims=[{"name": "gpu"}])
    found = inventory([mig, shared, unnamed, {"metadata": {}}], [claiming], slices=slices)
    assert found.gpus == {}
    assert found.unattainable == {
        "shared": "NVIDIA-L4-SHARED: its GPUs are shared 4 ways; not counted",
        "unnamed": "8 GPUs of a kind that no label names",
        "nvidia.com/mig-1g.10gb": "7 on 1 nodes: parts of GPUs are not counted",
        "gpu.nvidia.com": "8 devices in ResourceSlices are not counted",
        "resourceClaims": "1 pods hold devices that the nodes' counts do not show",
    }


TOLERATIONS: list[tuple[Json, bool]] = [
    ({"key": "team", "operator": "Equal", "value": "batch", "effect": "NoSchedule"}, True),
    ({"key": "team", "value": "batch"}, True),
    ({"key": "team", "operator": "Exists"}, True),
    ({"operator": "Exists"}, True),
    ({"key": "team", "value": "chat"}, False),
    ({"key": "team", "operator": "Exists", "effect": "NoExecute"}, False),
    ({"key": "other", "operator": "Exists"}, False),
]


@pytest.mark.parametrize(("toleration", "tolerated"), TOLERATIONS)
def test_taints_are_tolerated_as_the_scheduler_says(toleration: Json, tolerated: bool) -> None:
    assert fits(template(tolerations=[toleration]), node("a", taints=[TEAM_TAINT])) is tolerated


def test_a_taint_of_the_gpus_own_name_and_soft_taints_keep_no_gpu_pod_off() -> None:
    soft = {"key": "x", "effect": "PreferNoSchedule"}
    assert fits(template(), node("a", taints=[GPU_TAINT, soft]))
    plain: Json = {"spec": {"containers": [{"name": "c"}]}}
    assert why_not(plain, node("a", taints=[GPU_TAINT])) == "taint nvidia.com/gpu=present:NoSchedule"
    drained = template(tolerations=[{"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}])
    assert fits(drained, node("a", cordoned=True))
    assert why_not(template(), node("a", cordoned=True)) == "cordoned"


EXPRESSIONS: list[tuple[str, str, list[str], bool]] = [
    ("zone", "In", ["a", "b"], True),
    ("zone", "In", ["c"], False),
    ("zone", "NotIn", ["c"], True),
    ("absent", "NotIn", ["c"], True),
    ("zone", "Exists", [], True),
    ("absent", "Exists", [], False),
    ("absent", "DoesNotExist", [], True),
    ("zone", "DoesNotExist", [], False),
    ("memory", "Gt", ["40000"], True),
    ("memory", "Lt", ["40000"], False),
    ("zone", "Gt", ["1"], False),
    ("zone", "Near", ["a"], False),
]


@pytest.mark.parametrize(("key", "operator", "values", "holds"), EXPRESSIONS)
def test_affinity_is_matched_by_every_operator(key: str, operator: str, values: list[str], holds: bool) -> None:
    def affine(*terms: Json) -> Json:
        required = {"nodeSelectorTerms": list(terms)}
        return template(affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}})

    term = {"matchExpressions": [{"key": key, "operator": operator, "values": values}]}
    there = node("a", labels={"zone": "a", "memory": "81559"})
    assert fits(affine(term), there) is holds
    assert fits(affine({"matchExpressions": []}, term), there) is holds
    by_name = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["b"]}]}
    assert fits(affine(term, by_name), node("b", labels={"zone": "a", "memory": "81559"}))
    assert not fits(affine({**term, **by_name}), there)


def test_four_gpus_do_not_fit_into_three_and_one() -> None:
    nodes = [node("a"), node("b"), node("c", gpus=4)]
    pods = [pod("x", RUNNING, node="a", gpus=5), pod("y", RUNNING, node="b", gpus=7)]
    assert most_replicas([Part(template(4))], nodes, pods) == 1
    assert most_replicas([Part(template(1))], nodes, pods) == 8
    assert most_replicas([Part(template(8))], nodes, pods) == 0


def test_our_own_pods_make_room_and_stay_where_no_more_may_go() -> None:
    nodes = [node("a"), node("b", cordoned=True)]
    pods = [pod("ours", RUNNING, node="a", gpus=4), pod("stays", RUNNING, node="b", gpus=4)]
    ours = {"default/ours", "default/stays"}
    assert most_replicas([Part(template(4))], nodes, pods, ours) == 2
    assert most_replicas([Part(template(4))], nodes, pods, ours, mine={"default/stays"}) == 3


def test_processors_memory_and_pods_bound_too_where_nodes_tell_them() -> None:
    four = template(1)
    four["spec"]["containers"][0]["resources"] = {"limits": {"nvidia.com/gpu": 1}, "requests": {"cpu": "12"}}
    assert most_replicas([Part(four)], [node("a", cpu="31")]) == 2
    assert most_replicas([Part(four)], [node("a")]) == 8
    crowded = [pod(f"d{i}", RUNNING, node="a", gpus=0) for i in range(3)]
    assert most_replicas([Part(template(1))], [node("a", pods="5")], crowded) == 2


def test_a_group_needs_room_for_all_of_its_pods() -> None:
    nodes = [node("a"), node("b"), node("c")]
    assert most_replicas([Part(template(8), 2)], nodes) == 1
    leader: Json = {"spec": {"containers": [engine(2)]}}
    parts = [Part(leader), Part(template(4), 2)]
    # Each replica is 2 + 4 + 4 GPUs: 24 GPUs hold two, and the leaders fit beside the workers.
    assert most_replicas(parts, nodes) == 2
    assert most_replicas(parts, nodes, [pod("x", RUNNING, node="a", gpus=5)]) == 1


def test_each_part_of_a_group_goes_only_where_it_may() -> None:
    leader, worker = template(2, nodeSelector={"pool": "l"}), template(4, nodeSelector={"pool": "w"})
    nodes = [node("l", labels={"pool": "l"}), node("w", labels={"pool": "w"}), node("x")]
    assert most_replicas([Part(leader), Part(worker)], nodes) == 2
    assert most_replicas([Part(leader), Part(worker, 3)], nodes) == 0


def test_what_is_not_whole_gpus_has_no_known_room() -> None:
    claims = template(1, resourceClaims=[{"name": "gpu"}])
    assert most_replicas([Part(claims)], [node("a")]) is None
    assert most_replicas([Part({"spec": {"containers": []}})], [node("a")]) is None
    assert most_replicas([], [node("a")]) is None


STATUS = """
time: 2026-11-21 11:00:00.0 +0000 UTC
autoscalerStatus: Running
clusterWide:
  health:
    status: Healthy
nodeGroups:
- name: https://www.googleapis.com/compute/v1/projects/p/zones/z/instanceGroups/gke-prod-h100-1a2b3c4d-grp
  health:
    status: Healthy
    nodeCounts:
      registered:
        total: 2
        ready: 2
    cloudProviderTarget: 2
    minSize: 0
    maxSize: 5
  scaleUp:
    status: NoActivity
- name: eks-l4-workers-a2c1d3e4-1111
  health: {cloudProviderTarget: 1, minSize: 0, maxSize: 4}
  scaleUp:
    status: Backoff
    backoffInfo: {errorCode: QUOTA_EXCEEDED}
"""


def config_map(text: str) -> Json:
    return {"metadata": {"name": "cluster-autoscaler-status"}, "data": {"status": text}}


GKE_NODES = [node(f"gke-prod-h100-1a2b3c4d-{suffix}") for suffix in ("x1y2", "z3w4")]
EKS_NODE = node("ip-10-0-1-11", 1, "NVIDIA-L4", {"eks.amazonaws.com/nodegroup": "l4-workers"})


def test_cluster_autoscalers_groups_grow_by_nodes_like_their_own() -> None:
    nodes = [*GKE_NODES, EKS_NODE]
    growth = growth_of(nodes, config_map(STATUS))
    assert growth.total() == {"H100": 24}
    assert growth.words == {"eks-l4-workers-a2c1d3e4-1111": "backs off: QUOTA_EXCEEDED"}
    found = inventory(nodes, growth=growth)
    assert found.gpus == {"H100": 40, "L4": 1}
    assert found.unattainable == growth.words
    assert most_replicas([Part(template(8))], nodes, growth=growth, accelerator="H100") == 5


def test_a_group_that_nobody_has_seen_leaves_all_unlimited() -> None:
    growth = growth_of([EKS_NODE], config_map(STATUS))
    assert growth.unknown
    assert inventory([EKS_NODE], growth=growth).gpus == {}
    assert most_replicas([Part(template())], [EKS_NODE], growth=growth) is None
    full = STATUS.replace("maxSize: 5", "maxSize: 2")
    assert not growth_of([EKS_NODE], config_map(full)).unknown


def test_a_node_that_could_be_of_two_groups_is_of_neither() -> None:
    two = STATUS.replace("eks-l4-workers-a2c1d3e4-1111", "eks-l4-workers-b").replace("Backoff", "NoActivity")
    twice = two + two[two.index("- name: eks") :].replace("workers-b", "workers-c")
    growth = growth_of([*GKE_NODES, EKS_NODE], config_map(twice))
    assert growth.unknown
    assert not growth_of([*GKE_NODES, EKS_NODE], config_map(two)).unknown


def test_a_status_in_the_old_format_is_named() -> None:
    old = "Cluster-autoscaler status at 2021-10-06 20:30:11:\nCluster-wide:\n  Health: Healthy (ready=7)\n"
    growth = growth_of(GKE_NODES, config_map(old))
    assert growth.unknown
    assert "1.30" in growth.words["cluster-autoscaler"]


def node_pool(name: str, limits: Json, *requirements: Json) -> Json:
    spec = {"limits": limits, "template": {"spec": {"requirements": list(requirements)}}}
    return {"kind": "NodePool", "metadata": {"name": name}, "spec": spec}


def within(key: str, *values: str) -> Json:
    return {"key": key, "operator": "In", "values": list(values)}


H100_POOL = within("karpenter.k8s.aws/instance-gpu-name", "h100")


@pytest.mark.parametrize(
    ("pool", "gpus", "unlimited", "unknown"),
    [
        (node_pool("p", {"nvidia.com/gpu": 32, "cpu": "1000"}, H100_POOL), {"H100": 16}, set(), False),
        (node_pool("p", {"nvidia.com/gpu": "8"}, H100_POOL), {}, set(), False),
        (node_pool("p", {"cpu": "1000"}, H100_POOL), {}, {"H100"}, False),
        (
            node_pool("p", {"nvidia.com/gpu": 32}, within("node.kubernetes.io/instance-type", "p5.48xlarge")),
            {"H100": 16},
            set(),
            False,
        ),
        (
            node_pool("p", {"nvidia.com/gpu": 32}, within("karpenter.k8s.aws/instance-gpu-name", "h100", "l4")),
            {},
            {"H100", "L4"},
            False,
        ),
        (node_pool("p", {}, within("karpenter.k8s.aws/instance-category", "c", "m", "r")), {}, set(), False),
        (
            node_pool("p", {}, {"key": "karpenter.k8s.aws/instance-gpu-count", "operator": "DoesNotExist"}),
            {},
            set(),
            False,
        ),
        (node_pool("p", {}, within("karpenter.k8s.aws/instance-category", "g", "p")), {}, set(), True),
        (node_pool("p", {"nvidia.com/gpu": "0"}), {}, set(), False),
    ],
)
def test_karpenters_pools_grow_up_to_their_limits(
    pool: Json, gpus: dict[str, int], unlimited: set[str], unknown: bool
) -> None:
    made = [node(name, labels={"karpenter.sh/nodepool": "p"}) for name in ("a", "b")]
    growth = growth_of(made, pools=[pool])
    assert (growth.total(), set(growth.unlimited), growth.unknown) == (gpus, unlimited, unknown)


def test_a_pools_gpus_are_counted_as_whole_replicas() -> None:
    growth = growth_of([], pools=[node_pool("p", {"nvidia.com/gpu": 30}, H100_POOL)])
    assert inventory([], growth=growth).gpus == {"H100": 30}
    assert most_replicas([Part(template(8))], [], growth=growth, accelerator="H100") == 3


def quota(hard: Json, used: Json, **spec: Any) -> Json:
    return {"metadata": {"name": "team"}, "spec": {"hard": hard, **spec}, "status": {"hard": hard, "used": used}}


@pytest.mark.parametrize(
    ("hard", "used", "most", "name"),
    [
        ({"requests.nvidia.com/gpu": "16"}, {"requests.nvidia.com/gpu": "10"}, 4, "requests.nvidia.com/gpu 10 of 16"),
        ({"requests.nvidia.com/gpu": "8"}, {"requests.nvidia.com/gpu": "8"}, 3, "requests.nvidia.com/gpu 8 of 8"),
        ({"requests.nvidia.com/gpu": "4"}, {"requests.nvidia.com/gpu": "8"}, 3, "requests.nvidia.com/gpu 8 of 4"),
        ({"pods": "10", "requests.nvidia.com/gpu": "99"}, {"pods": "8"}, 5, "pods 8 of 10"),
        ({"count/pods": "10"}, {"count/pods": "9"}, 4, "count/pods 9 of 10"),
        ({"limits.nvidia.com/gpu": "12"}, {"limits.nvidia.com/gpu": "4"}, 5, "limits.nvidia.com/gpu 4 of 12"),
    ],
)
def test_a_quota_allows_what_is_there_and_what_it_has_left(hard: Json, used: Json, most: int, name: str) -> None:
    words = f"ResourceQuota team: {name} used"
    assert quota_limit([quota(hard, used)], [Part(template(4))], 3) == (most, words)


def test_quotas_of_other_things_and_scopes_do_not_bound() -> None:
    parts = [Part(template(4, priorityClassName="batch"))]
    full: Json = {"requests.nvidia.com/gpu": "0"}
    others = [
        quota({"count/deployments.apps": "1", "requests.amd.com/gpu": "0", "persistentvolumeclaims": "0"}, {}),
        quota(full, {}, scopes=["BestEffort"]),
        quota(full, {}, scopes=["Terminating"]),
        quota(full, {}, scopeSelector={"matchExpressions": [_priority("In", "high")]}),
        quota(full, {}, scopes=["CrossNamespacePodAffinity"]),
    ]
    assert quota_limit(others, parts, 2) is None
    bounding = [
        quota(full, {}, scopes=["NotTerminating", "NotBestEffort"]),
        quota(full, {}, scopeSelector={"matchExpressions": [_priority("In", "batch")]}),
        quota(full, {}, scopeSelector={"matchExpressions": [_priority("NotIn", "high")]}),
        quota(full, {}, scopes=["PriorityClass"]),
    ]
    for one in bounding:
        assert quota_limit([one], parts, 2) == (2, "ResourceQuota team: requests.nvidia.com/gpu 0 of 0 used")


def _priority(operator: str, *values: str) -> Json:
    return {"scopeName": "PriorityClass", "operator": operator, "values": list(values)}


def test_a_group_counts_with_all_its_pods_against_a_quota() -> None:
    parts = [Part(template(8), 4)]
    assert quota_limit([quota({"requests.nvidia.com/gpu": "100", "pods": "7"}, {})], parts, 0) == (
        1,
        "ResourceQuota team: pods 0 of 7 used",
    )


def test_the_tighter_bound_is_told() -> None:
    parts = [Part(template(8), 2)]
    assert limit_of(parts, 3, None) == (3, "nodes have room for 3 replicas of 16 GPUs in 2 pods")
    assert limit_of([Part(template(8))], 3, (2, "ResourceQuota team: pods 2 of 2 used")) == (
        2,
        "ResourceQuota team: pods 2 of 2 used",
    )
    assert limit_of(parts, None, None) is None
