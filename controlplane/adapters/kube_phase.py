"""What a Pod is doing, told apart as `kubectl get pods` does: Ready, pending and why, terminating, failed."""

from __future__ import annotations

import re

from controlplane.adapters.kube_json import Json, at, condition, mapping, objects, text
from controlplane.domain.observation import ReplicaPhase

FAILED_REASONS = frozenset(
    {
        "CrashLoopBackOff",
        "Error",
        "OOMKilled",
        "ContainerCannotRun",
        "CreateContainerConfigError",
        "CreateContainerError",
        "InvalidImageName",
        "RunContainerError",
        "StartError",
    }
)
"""Reasons of containers that more waiting does not mend. Images that cannot be pulled are not among them: registries
come back, and rate limits end."""
MESSAGE_LENGTH = 120
"""Reasons are shown in one column of a table and kept with every tick."""
_PREEMPTION = re.compile(r"\.?\s*(preemption:|no new claims to deallocate).*$", re.IGNORECASE | re.DOTALL)
"""What the scheduler says after the reasons themselves: about preemption, which repeats them."""


def phase_of(pod: Json) -> tuple[ReplicaPhase, str] | None:
    """A Pod's phase and, where it is not Ready, why; None for one that has ended well (Succeeded)."""
    status = mapping(pod.get("status"))
    if status.get("phase") == "Succeeded":
        return None
    if at(pod, "metadata", "deletionTimestamp"):
        return ReplicaPhase.TERMINATING, "Terminating"
    if status.get("phase") == "Failed":
        # Evicted, NodeLost, Preempting, UnexpectedAdmissionError, or a container's own end.
        return ReplicaPhase.FAILED, text(status.get("reason")) or _broken(status) or "Failed"
    if broken := _broken(status):
        return ReplicaPhase.FAILED, broken
    if condition(status, "Ready").get("status") == "True":
        return ReplicaPhase.READY, ""
    return ReplicaPhase.PENDING, _pending(pod, status)


def short(message: str) -> str:
    """A message in one line of at most MESSAGE_LENGTH characters, the scheduler's without its words on preemption."""
    line = " ".join(_PREEMPTION.sub("", message).split())
    return line if len(line) <= MESSAGE_LENGTH else f"{line[: MESSAGE_LENGTH - 3].rstrip()}..."


def _pending(pod: Json, status: Json) -> str:
    scheduled = condition(status, "PodScheduled")
    if scheduled.get("status") == "False":
        reason = text(scheduled.get("reason")) or "Unschedulable"
        message = short(text(scheduled.get("message")))
        return f"{reason}: {message}" if message and reason == "Unschedulable" else reason
    return _init(pod, status) or _waiting(status) or _gates(pod, status) or _not_ready(status)


def _broken(status: Json) -> str:
    """The reason of a container that failed, `Init:` before it for one that runs first; empty where none did."""
    for field, prefix in (("initContainerStatuses", "Init:"), ("containerStatuses", "")):
        for container in objects(status.get(field)):
            reason = text(at(container, "state", "waiting", "reason"))
            if reason in FAILED_REASONS:
                return prefix + reason
            ended = mapping(at(container, "state", "terminated"))
            if ended and ended.get("exitCode") != 0:
                return prefix + (text(ended.get("reason")) or "Error")
    return ""


def _init(pod: Json, status: Json) -> str:
    """`Init:1/2`, or what the init container that is on waits for; empty once all are through."""
    specs = objects(at(pod, "spec", "initContainers"))
    states = {text(s.get("name")): s for s in objects(status.get("initContainerStatuses"))}
    for through, spec in enumerate(specs):
        state = states.get(text(spec.get("name")), {})
        if not _is_through(spec, state):
            reason = text(at(state, "state", "waiting", "reason"))
            waits = reason and reason not in ("PodInitializing", "ContainerCreating")
            return f"Init:{reason}" if waits else f"Init:{through}/{len(specs)}"
    return ""


def _is_through(spec: Json, state: Json) -> bool:
    if spec.get("restartPolicy") == "Always":
        # A native sidecar goes on beside the others: it is through once it has started.
        return state.get("started") is True or state.get("ready") is True
    return bool(at(state, "state", "terminated", "exitCode") == 0)


def _waiting(status: Json) -> str:
    for container in objects(status.get("containerStatuses")):
        reason = text(at(container, "state", "waiting", "reason"))
        if reason:
            message = short(text(at(container, "state", "waiting", "message")))
            return f"{reason}: {message}" if message and "Image" in reason else reason
    return ""


def _gates(pod: Json, status: Json) -> str:
    """The readiness gates that are not open, where they alone keep the Pod from being Ready."""
    if condition(status, "ContainersReady").get("status") != "True":
        return ""
    gates = [text(gate.get("conditionType")) for gate in objects(at(pod, "spec", "readinessGates"))]
    shut = [gate for gate in gates if condition(status, gate).get("status") != "True"]
    return f"ReadinessGates: {', '.join(shut)}" if shut else ""


def _not_ready(status: Json) -> str:
    reason = text(condition(status, "Ready").get("reason")) or text(status.get("reason"))
    return reason or text(status.get("phase")) or "Pending"
