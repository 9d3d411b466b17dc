"""Replicas by what can be expected of them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from controlplane.domain.observation import Replica, ReplicaPhase

FAILING_REASONS = frozenset(
    {
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImageInspectError",
        "ImagePullBackOff",
        "InvalidImageName",
        "RunContainerError",
    }
)
"""Of a replica that is not Ready: no wait and no other node cures these, a person does. (Kubernetes' words.)"""
WITH_NODE = frozenset(
    {
        "ContainerCreating",
        "ContainersNotReady",
        "Init",
        "Initializing",
        "Loading",
        "NotReady",
        "PodInitializing",
        "Running",
    }
)
"""Of a replica that is not Ready: it has its machine, and loads. Where no word says so it is taken to have none."""


def counted(replicas: Sequence[Replica], ready_by_s: float) -> dict[ReplicaPhase, list[Replica]]:
    """Replicas by phase; one that waits for what will not come by itself is Failed, and not Pending.

    One that was Ready at `ready_by_s` or later, while others are Ready, restarts: whatever word the cluster has for it,
    it is Pending. One that was Ready before then does not come back: it is Failed.
    """
    found: dict[ReplicaPhase, list[Replica]] = {phase: [] for phase in ReplicaPhase}
    serves = any(one.phase is ReplicaPhase.READY for one in replicas)
    for one in replicas:
        found[_phase(one, serves, ready_by_s)].append(one)
    return found


def _phase(replica: Replica, serves: bool, ready_by_s: float) -> ReplicaPhase:
    if replica.phase not in (ReplicaPhase.PENDING, ReplicaPhase.FAILED):
        return replica.phase
    if replica.last_ready_at_s is not None:
        if replica.last_ready_at_s < ready_by_s:
            return ReplicaPhase.FAILED
        if serves:
            return ReplicaPhase.PENDING
    failing = replica.phase is ReplicaPhase.FAILED or not _words(replica).isdisjoint(FAILING_REASONS)
    return ReplicaPhase.FAILED if failing else ReplicaPhase.PENDING


def was_ready(replicas: Sequence[Replica]) -> int:
    """How many of them, which are not Ready, were."""
    return sum(one.last_ready_at_s is not None for one in replicas)


def has_node(replica: Replica) -> bool:
    """Whether it is known to have its machine already."""
    scheduled = replica.stages is not None and replica.stages.scheduled_s is not None
    return scheduled or replica.last_ready_at_s is not None or not _words(replica).isdisjoint(WITH_NODE)


def _words(replica: Replica) -> frozenset[str]:
    """Of its reason, which may name an init container or bring a message: `Init:1/2`, `ErrImagePull: no such image`."""
    return frozenset(re.split(r"[\s:/]+", replica.reason))
