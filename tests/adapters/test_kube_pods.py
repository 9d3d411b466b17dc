"""Pods as the kubelet, the scheduler and operators write them -> replicas."""

from __future__ import annotations

from typing import Any

import pytest

from controlplane.adapters.kube_phase import MESSAGE_LENGTH
from controlplane.adapters.kube_pods import (
    chooses_victims,
    highest_ordinals,
    pod_selector,
    replicas_from_pods,
    unreadable_pods,
)
from controlplane.domain.observation import ColdStartStages, Replica, ReplicaPhase
from tests.adapters.kube_builders import CREATED_S, Json, condition, event, pod, ready_status, running, waiting

UNSCHEDULABLE = (
    "0/12 nodes are available: 4 node(s) had untolerated taint {dedicated: batch}, 8 Insufficient nvidia.com/gpu. "
    "preemption: 0/12 nodes are available: 8 No preemption victims found for incoming pod, 4 Preemption is not helpful."
)
SCHEDULED = condition("PodScheduled", 5)
LWS = "leaderworkerset.sigs.k8s.io"


def one(given: Json, events: list[Json] | None = None, kind: str = "Deployment") -> Replica:
    (replica,) = replicas_from_pods([given], "h100", kind, events or [])
    return replica


PENDING: list[tuple[str, Json, dict[str, Any], str]] = [
    (
        "unschedulable",
        {
            "phase": "Pending",
            "conditions": [condition("PodScheduled", 0, "False", reason="Unschedulable", message=UNSCHEDULABLE)],
        },
        {},
        "Unschedulable: 0/12 nodes are available: 4 node(s) had untolerated taint {dedicated: batch}, "
        "8 Insufficient nvidia.com/gpu",
    ),
    (
        "gated",
        {
            "phase": "Pending",
            "conditions": [condition("PodScheduled", 0, "False", reason="SchedulingGated", message="gates")],
        },
        {"schedulingGates": [{"name": "kueue.x-k8s.io/admission"}]},
        "SchedulingGated",
    ),
    (
        "creating",
        {
            "phase": "Pending",
            "conditions": [SCHEDULED],
            "containerStatuses": [waiting("vllm", "ContainerCreating")],
        },
        {},
        "ContainerCreating",
    ),
    (
        "image",
        {
            "phase": "Pending",
            "conditions": [SCHEDULED],
            "containerStatuses": [waiting("vllm", "ImagePullBackOff", 'Back-off pulling image "vllm:nope"')],
        },
        {},
        'ImagePullBackOff: Back-off pulling image "vllm:nope"',
    ),
    (
        "init",
        {
            "phase": "Pending",
            "conditions": [SCHEDULED],
            "initContainerStatuses": [
                {"name": "fetch", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}},
                running("convert", 30),
            ],
            "containerStatuses": [waiting("vllm", "PodInitializing")],
        },
        {"initContainers": [{"name": "fetch"}, {"name": "convert"}]},
        "Init:1/2",
    ),
    (
        "native sidecar not up",
        {
            "phase": "Pending",
            "conditions": [SCHEDULED],
            "initContainerStatuses": [waiting("routing-proxy", "ErrImagePull")],
            "containerStatuses": [waiting("vllm", "PodInitializing")],
        },
        {"initContainers": [{"name": "routing-proxy", "restartPolicy": "Always"}]},
        "Init:ErrImagePull",
    ),
    (
        "native sidecar up, engine loads",
        {
            "phase": "Running",
            "conditions": [SCHEDULED, condition("Ready", 5, "False", reason="ContainersNotReady")],
            "initContainerStatuses": [running("routing-proxy", 10)],
            "containerStatuses": [running("vllm", 60, ready=False)],
        },
        {"initContainers": [{"name": "routing-proxy", "restartPolicy": "Always"}]},
        "ContainersNotReady",
    ),
    (
        "readiness gate",
        {
            "phase": "Running",
            "conditions": [
                SCHEDULED,
                condition("ContainersReady", 90),
                condition("Ready", 5, "False", reason="ReadinessGatesNotReady"),
                condition("target-health.elbv2.k8s.aws/chat", 90, "False"),
            ],
            "containerStatuses": [running("vllm", 60)],
        },
        {"readinessGates": [{"conditionType": "target-health.elbv2.k8s.aws/chat"}]},
        "ReadinessGates: target-health.elbv2.k8s.aws/chat",
    ),
]


@pytest.mark.parametrize(("status", "spec", "reason"), [p[1:] for p in PENDING], ids=[p[0] for p in PENDING])
def test_what_a_pending_pod_waits_for_is_told(status: Json, spec: dict[str, Any], reason: str) -> None:
    replica = one(pod("chat-1", status, **spec))
    assert (replica.phase, replica.reason, replica.ready_at_s) == (ReplicaPhase.PENDING, reason, None)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ({"phase": "Running", "containerStatuses": [waiting("vllm", "CrashLoopBackOff")]}, "CrashLoopBackOff"),
        ({"phase": "Pending", "initContainerStatuses": [waiting("f", "CrashLoopBackOff")]}, "Init:CrashLoopBackOff"),
        (
            {
                "phase": "Running",
                "containerStatuses": [
                    {"name": "vllm", "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}
                ],
            },
            "OOMKilled",
        ),
        ({"phase": "Failed", "reason": "Evicted", "message": "low on ephemeral-storage"}, "Evicted"),
        ({"phase": "Failed", "reason": "UnexpectedAdmissionError"}, "UnexpectedAdmissionError"),
        ({"phase": "Failed"}, "Failed"),
    ],
)
def test_what_waiting_does_not_mend_has_failed(status: Json, reason: str) -> None:
    replica = one(pod("chat-1", status))
    assert (replica.phase, replica.reason) == (ReplicaPhase.FAILED, reason)


def status(*containers: Json, ready_s: float = 3600, phase: str = "Running") -> Json:
    """Of a Pod that is not Ready since `ready_s`."""
    unready = condition("Ready", ready_s, "False", reason="ContainersNotReady")
    return {"phase": phase, "conditions": [SCHEDULED, unready], "containerStatuses": list(containers)}


def looping(name: str) -> Json:
    """A container that crashed before and waits for its next start."""
    ended = {"terminated": {"exitCode": 1, "reason": "Error", "startedAt": "2026-01-05T08:59:00Z"}}
    return {**waiting(name, "CrashLoopBackOff"), "restartCount": 3, "lastState": ended}


@pytest.mark.parametrize(
    ("given", "phase", "last_s"),
    [
        pytest.param(status(running("vllm", 3610, 1, ready=False)), ReplicaPhase.PENDING, 3600, id="restarted"),
        pytest.param(status(running("vllm", 60, ready=False)), ReplicaPhase.PENDING, 3600, id="not responding"),
        pytest.param(status(looping("vllm")), ReplicaPhase.FAILED, 3600, id="crash loop after service"),
        pytest.param(status(looping("vllm"), ready_s=6), ReplicaPhase.FAILED, None, id="crash loop from the start"),
        pytest.param(status(running("vllm", 90, ready=False), ready_s=6), ReplicaPhase.PENDING, None, id="loading"),
        pytest.param(status(waiting("vllm", "ImagePullBackOff")), ReplicaPhase.PENDING, None, id="late kubelet"),
        pytest.param({"phase": "Running", "conditions": [SCHEDULED]}, ReplicaPhase.PENDING, None, id="no condition"),
        pytest.param(ready_status(), ReplicaPhase.READY, None, id="ready"),
    ],
)
def test_a_pod_that_was_ready_says_until_when(given: Json, phase: ReplicaPhase, last_s: float | None) -> None:
    replica = one(pod("chat-1", given))
    assert (replica.phase, replica.last_ready_at_s) == (phase, None if last_s is None else CREATED_S + last_s)
    assert replica.waits_since_s == CREATED_S + (last_s or 0.0)


def test_a_group_was_ready_until_its_first_pod_was_not() -> None:
    pods = group(0, 2, [ready_status(), status(running("vllm", 3610, 1, ready=False))])
    (found,) = replicas_from_pods(pods, "big", "LeaderWorkerSet")
    assert (found.phase, found.last_ready_at_s) == (ReplicaPhase.PENDING, CREATED_S + 3600)


def test_a_ready_pod_tells_its_address_port_template_and_stages() -> None:
    given = pod("chat-1", ready_status(), {"pod-template-hash": "5d4f", "app": "chat"})
    given["spec"]["containers"][0]["ports"] = [
        {"name": "grpc", "containerPort": 9000},
        {"name": "http", "containerPort": 8200},
    ]
    assert one(given) == Replica(
        name="chat-1",
        variant="h100",
        phase=ReplicaPhase.READY,
        created_at_s=CREATED_S,
        ready_at_s=CREATED_S + 180,
        host="10.1.0.7",
        port=8200,
        template="5d4f",
        stages=ColdStartStages(scheduled_s=5.0, pulled_s=55.0, loaded_s=120.0),
    )


def test_addresses_and_ports_come_from_where_they_are_said() -> None:
    status = {**ready_status(), "podIP": None, "podIPs": [{"ip": "fd00::7"}]}
    v6 = one(pod("chat-1", status, annotations={"prometheus.io/port": "8080"}))
    assert (v6.host, v6.port) == ("fd00::7", 8080)
    assert one(pod("chat-1", ready_status(), annotations={"prometheus.io/port": "none"})).port is None


def test_a_pod_that_goes_is_terminating_and_one_that_ended_is_none() -> None:
    going = pod("chat-1", ready_status())
    going["metadata"]["deletionTimestamp"] = "2026-01-05T09:00:00Z"
    assert one(going).phase is ReplicaPhase.TERMINATING
    assert replicas_from_pods([pod("chat-2", {"phase": "Succeeded"})], "h100", "Deployment") == ()


def test_a_long_message_is_cut_to_one_line() -> None:
    message = "0/300 nodes are available: " + ", ".join(f"1 node(s) had taint {{team: t{i}}}" for i in range(30))
    status = {"conditions": [condition("PodScheduled", 0, "False", reason="Unschedulable", message=message)]}
    reason = one(pod("chat-1", status)).reason
    assert len(reason) == len("Unschedulable: ") + MESSAGE_LENGTH
    assert reason.endswith("...")


def test_what_a_node_autoscaler_does_for_a_pod_is_told() -> None:
    status = {"conditions": [condition("PodScheduled", 0, "False", reason="Unschedulable")]}
    given = pod("chat-1", status)
    asked = event("chat-1", "TriggeredScaleUp", 20, "pod triggered scale-up: [{h100 1->2 (max: 4)}]")
    refused = event("chat-1", "NotTriggerScaleUp", 10)
    other = event("chat-2", "NotTriggerScaleUp", 30)
    assert one(given, [refused, asked, other]).reason == "Unschedulable; a node was asked for"
    assert one(given, [refused]).reason == "Unschedulable; no node group can help"


def test_a_restarted_container_tells_its_first_start_by_its_event_alone() -> None:
    status = {**ready_status(ready_s=900), "containerStatuses": [running("vllm", 700, restarts=2)]}
    assert one(pod("chat-1", status)).stages == ColdStartStages(scheduled_s=5.0)
    started = event("chat-1", "Started", 60)
    proxy = event("chat-1", "Started", 8, container="proxy")
    assert one(pod("chat-1", status), [started, proxy]).stages == ColdStartStages(5.0, 55.0, 840.0)


def test_stages_that_are_not_over_are_not_known() -> None:
    status = {
        "phase": "Running",
        "conditions": [SCHEDULED, condition("Ready", 5, "False")],
        "containerStatuses": [running("vllm", 60, ready=False)],
    }
    assert one(pod("chat-1", status)).stages == ColdStartStages(5.0, 55.0, None)
    assert one(pod("chat-1", {"phase": "Pending"})).stages is None


def group(index: int, size: int, statuses: list[Json], revision: str = "5bbd") -> list[Json]:
    """The Pods of one group of LeaderWorkerSet `big`."""
    pods = []
    for worker, status in enumerate(statuses):
        labels = {
            f"{LWS}/name": "big",
            f"{LWS}/group-index": str(index),
            f"{LWS}/worker-index": str(worker),
            f"{LWS}/template-revision-hash": revision,
            "controller-revision-hash": "big-0-77",
        }
        name = f"big-{index}" if worker == 0 else f"big-{index}-{worker}"
        pods.append(pod(name, status, labels, {f"{LWS}/size": str(size)}, owner="StatefulSet"))
    return pods


def test_a_group_is_one_replica_that_is_ready_once_all_its_pods_are() -> None:
    loading = {"phase": "Running", "conditions": [SCHEDULED, condition("Ready", 5, "False", reason="X")]}
    pods = [
        *group(0, 2, [ready_status(200), ready_status(260, started_s=100)]),
        *group(1, 2, [ready_status(), loading]),
        *group(2, 2, [ready_status()]),
    ]
    first, second, third = replicas_from_pods(pods, "big", "LeaderWorkerSet")
    assert (first.name, first.phase, first.ready_at_s) == ("big-0", ReplicaPhase.READY, CREATED_S + 260)
    assert (first.host, first.template) == ("10.1.0.7", "5bbd")
    assert first.stages == ColdStartStages(5.0, 95.0, 160.0)
    assert (second.name, second.phase, second.reason) == ("big-1", ReplicaPhase.PENDING, "big-1-1: X")
    assert (third.name, third.phase, third.reason) == ("big-2", ReplicaPhase.PENDING, "1 of 2 pods")


def test_a_group_fails_or_goes_with_any_of_its_pods() -> None:
    crashed = {"phase": "Running", "containerStatuses": [waiting("vllm", "CrashLoopBackOff")]}
    pods = [*group(0, 2, [ready_status(), crashed]), *group(1, 2, [ready_status(), ready_status()])]
    pods[3]["metadata"]["deletionTimestamp"] = "2026-01-05T09:00:00Z"
    failed, going = replicas_from_pods(pods, "big", "LeaderWorkerSet")
    assert (failed.phase, failed.reason) == (ReplicaPhase.FAILED, "big-0-1: CrashLoopBackOff")
    assert (going.name, going.phase) == ("big-1", ReplicaPhase.TERMINATING)


def test_hosts_of_a_ray_replica_are_one_and_the_head_is_none() -> None:
    def worker(name: str, replica: str, host: int) -> Json:
        labels = {
            "ray.io/cluster": "c",
            "ray.io/group": "gpu",
            "ray.io/node-type": "worker",
            "ray.io/worker-group-replica-name": replica,
            "ray.io/replica-host-index": str(host),
        }
        return pod(name, ready_status(), labels)

    head = pod("head", ready_status(), {"ray.io/node-type": "head", "ray.io/group": "headgroup"})
    pods = [worker("w-b", "gpu-af03d", 1), worker("w-z", "gpu-af03d", 0), worker("w-c", "gpu-77x2c", 0), head]
    found = replicas_from_pods(pods, "ray", "RayCluster", size=2)
    assert [(r.name, r.phase) for r in found] == [("w-c", ReplicaPhase.PENDING), ("w-z", ReplicaPhase.READY)]


def test_only_a_replica_set_lets_us_choose_who_goes() -> None:
    assert chooses_victims("Deployment")
    assert not chooses_victims("StatefulSet")
    assert not chooses_victims("LeaderWorkerSet")
    assert chooses_victims("InferenceService", [pod("a"), pod("b")])
    assert not chooses_victims("Deployment", [pod("a"), pod("b", owner="StatefulSet")])
    replicas = replicas_from_pods([pod(f"chat-{i}", ready_status()) for i in (0, 2, 10)], "v", "StatefulSet")
    assert highest_ordinals(replicas, 2) == ("chat-10", "chat-2")


def test_replicas_of_the_newest_revision_have_the_objects_template_and_older_ones_their_own() -> None:
    pods = [pod(f"chat-{i}", ready_status(), {"pod-template-hash": label}) for i, label in enumerate("aab")]
    pods[2]["metadata"]["creationTimestamp"] = "2026-01-05T09:00:00Z"
    mixed = replicas_from_pods(pods, "v", "Deployment", template="1234")
    assert [r.template for r in mixed] == ["a", "a", "1234"]
    # After a restart is through, all are of the newest revision, whose template is the same as before.
    assert [r.template for r in replicas_from_pods(pods[:2], "v", "Deployment", template="1234")] == ["1234"] * 2
    assert [r.template for r in replicas_from_pods(pods[:2], "v", "Deployment")] == ["a", "a"]
    unlabelled = replicas_from_pods([pod("w", ready_status())], "v", "RayCluster", template="1234")
    assert [r.template for r in unlabelled] == [""]


def test_all_pods_of_a_leader_worker_set_are_asked_for() -> None:
    leaders = f"{LWS}/worker-index=0,{LWS}/name=big"
    assert pod_selector("LeaderWorkerSet", "big", leaders) == f"{LWS}/name=big"
    assert pod_selector("Deployment", "chat", "app=chat") == "app=chat"


def test_a_pod_that_cannot_be_read_is_named_and_disturbs_no_other() -> None:
    nameless = {"metadata": {"creationTimestamp": "2026-01-05T08:00:00Z"}}
    ageless = {"metadata": {"name": "x", "creationTimestamp": "yesterday"}}
    pods: list[Any] = [nameless, ageless, pod("chat-1", ready_status()), None]
    assert [r.name for r in replicas_from_pods(pods, "v", "Deployment")] == ["chat-1"]
    assert unreadable_pods(pods) == {
        "pods[0]": "metadata.name is missing",
        "x": "metadata.creationTimestamp is 'yesterday'; allowed: RFC 3339",
        "pods[3]": "metadata.name is missing",
    }
