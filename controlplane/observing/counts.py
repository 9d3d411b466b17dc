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


def counted(replicas: Sequence[Replica]) -> dict[ReplicaPhase, list[Replica]]:
    """Replicas by phase; one that waits for what will not come by itself is Failed, and not Pending."""
    found: dict[ReplicaPhase, list[Replica]] = {phase: [] for phase in ReplicaPhase}
    for one in replicas:
        failing = one.phase is ReplicaPhase.PENDING and not _words(one).isdisjoint(FAILING_REASONS)
        found[ReplicaPhase.FAILED if failing else one.phase].append(one)
    return found


def has_node(replica: Replica) -> bool:
    """Whether it is known to have its machine already."""
    scheduled = replica.stages is not None and replica.stages.scheduled_s is not None
    return scheduled or not _words(replica).isdisjoint(WITH_NODE)


def _words(replica: Replica) -> frozenset[str]:
    """Of its reason, which may name an init container or bring a message: `Init:1/2`, `ErrImagePull: no such image`."""
    return frozenset(re.split(r"[\s:/]+", replica.reason))
