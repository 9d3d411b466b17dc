"""Pods -> replicas. A replica is one Pod, or for LeaderWorkerSets and multi-host Ray groups a group of them.

Pods are expected as the kind's own selector finds them. A LeaderWorkerSet's `/scale` names its leaders alone, so ask
with `pod_selector`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from controlplane.adapters.kube_json import (
    Json,
    at,
    condition,
    labels,
    mapping,
    name_of,
    notes,
    objects,
    owner_kinds,
    text,
    unix_s,
    whole,
)
from controlplane.adapters.kube_phase import phase_of
from controlplane.adapters.kube_stages import PodEvents, node_words, stages_of
from controlplane.domain.observation import ColdStartStages, Replica, ReplicaPhase

LWS = "leaderworkerset.sigs.k8s.io/"
RAY_REPLICA, RAY_REPLICA_BEFORE = "ray.io/worker-group-replica-name", "replicaIndex"
"""KubeRay 1.5 and later name the replica of a multi-host worker; before, GKE's webhook did."""
RAY_HOST = "ray.io/replica-host-index"
PORT_NAMES = ("metrics", "http", "http1", "user-port")
"""Container ports that are scraped by name, in this order, where the custom resource names no port; the last two are
KServe's."""
PORT_ANNOTATION = "prometheus.io/port"
TEMPLATE_LABELS = (LWS + "template-revision-hash", "pod-template-hash", "controller-revision-hash")
"""Labels that say what a Pod was made from, the most telling first: a LeaderWorkerSet's Pods have two of them."""
REPLICA_SET_KINDS = frozenset({"Deployment", "ReplicaSet", "Rollout"})
"""Kinds whose Pods a ReplicaSet removes, by `controller.kubernetes.io/pod-deletion-cost`."""
FIRST_REPORT_S = 60.0
"""The kubelet's first report of a Pod's conditions follows its scheduling by seconds; a minute is a slow node's."""
CANNOT_CHOOSE = "cannot choose which replica goes"
_ORDER = (ReplicaPhase.FAILED, ReplicaPhase.TERMINATING, ReplicaPhase.PENDING, ReplicaPhase.READY)
"""What a group is, is what the first of these is that any of its Pods is."""


def replicas_from_pods(
    pods: Sequence[Json],
    variant: str,
    kind: str,
    events: Sequence[Json] = (),
    size: int | None = None,
    template: str = "",
) -> tuple[Replica, ...]:
    """The replicas that these Pods of a `kind` make up, in order of their names; ended ones are left out.

    `size` is the Pods per replica where the object says it (`numOfHosts` of a Ray group); a LeaderWorkerSet's Pods say
    it themselves. `template` is the object's `template_of`: replicas of the newest revision get it in place of their
    revision's own label, so that they can be compared with `Surroundings.templates` and a restart makes no other ones.
    Pods that `unreadable_pods` names are left out.
    """
    groups: dict[str, list[Json]] = {}
    for pod in pods:
        if not problem_of(pod) and not _is_ray_head(pod):
            groups.setdefault(_group_of(pod, kind), []).append(pod)
    indexed = PodEvents(objects(events))
    found = [_replica(group, variant, indexed, size) for group in groups.values()]
    replicas = sorted((replica for replica in found if replica is not None), key=lambda replica: replica.name)
    return tuple(_renamed(replicas, template))


def _renamed(replicas: Sequence[Replica], template: str) -> Sequence[Replica]:
    """With the object's own template for those of the revision that its newest replica has."""
    labelled = [replica for replica in replicas if replica.template]
    if not template or not labelled:
        return replicas
    newest = max(labelled, key=lambda replica: replica.created_at_s).template
    return [replace(r, template=template) if r.template == newest else r for r in replicas]


def unreadable_pods(pods: Sequence[object]) -> dict[str, str]:
    """What is wrong with the Pods that cannot be a replica, by name (or place in the list)."""
    named = ((name_of(pod) or f"pods[{i}]", problem_of(pod)) for i, pod in enumerate(pods))
    return {name: problem for name, problem in named if problem}


def problem_of(pod: object) -> str:
    """The field that keeps a Pod from being read, in words; empty where none does."""
    if not name_of(pod):
        return "metadata.name is missing"
    created = at(pod, "metadata", "creationTimestamp")
    return "" if unix_s(created) is not None else f"metadata.creationTimestamp is {created!r:.40}; allowed: RFC 3339"


def pod_selector(kind: str, name: str, scale_selector: str) -> str:
    """The label selector that finds all Pods of a scalable object, given its `/scale`'s `status.selector`."""
    return f"{LWS}name={name}" if kind == "LeaderWorkerSet" else scale_selector


def chooses_victims(kind: str, pods: Sequence[Json] = ()) -> bool:
    """Whether a scale-down removes the Pods with the least pod-deletion-cost: where a ReplicaSet owns them.

    Elsewhere it CANNOT_CHOOSE: a StatefulSet and a LeaderWorkerSet remove their highest ordinal.
    """
    owners = [owner_kinds(pod) for pod in pods]
    return all("ReplicaSet" in kinds for kinds in owners) if owners else kind in REPLICA_SET_KINDS


def highest_ordinals(replicas: Sequence[Replica], count: int) -> tuple[str, ...]:
    """Names of the `count` replicas that a StatefulSet or LeaderWorkerSet removes first."""
    numbered = sorted(replicas, key=lambda replica: _ordinal(replica.name), reverse=True)
    return tuple(replica.name for replica in numbered[: max(count, 0)])


def _ordinal(name: str) -> int:
    last = name.rpartition("-")[2]
    return int(last) if last.isascii() and last.isdigit() and len(last) <= 9 else -1


def _is_ray_head(pod: Json) -> bool:
    return labels(pod).get("ray.io/node-type") == "head"


def _group_of(pod: Json, kind: str) -> str:
    """What the Pods of one replica have in common and others do not."""
    said = labels(pod)
    if LWS + "group-index" in said and (kind == "LeaderWorkerSet" or LWS + "name" in said):
        return f"lws/{said.get(LWS + 'name', '')}/{said[LWS + 'group-index']}"
    if kind.startswith("Ray"):
        index = said.get(RAY_REPLICA) or said.get(RAY_REPLICA_BEFORE)
        if index:
            return f"ray/{said.get('ray.io/cluster', '')}/{said.get('ray.io/group', '')}/{index}"
    return f"pod/{name_of(pod)}"


def _replica(group: Sequence[Json], variant: str, events: PodEvents, size: int | None) -> Replica | None:
    leader = min(group, key=_rank)
    if len(group) == 1 and _size(leader, size) == 1:
        return _of_pod(leader, variant, events)
    members = [found for pod in group if (found := _of_pod(pod, variant, events)) is not None]
    first = _of_pod(leader, variant, events)
    if not members or first is None:
        return None
    return _grouped(first, members, _size(leader, size))


def _grouped(leader: Replica, members: Sequence[Replica], size: int) -> Replica:
    """One replica of a group: Ready once all of `size` are, failed or going if any is. Its page is the leader's."""
    phase = next(phase for phase in _ORDER if any(m.phase is phase for m in members))
    if phase is ReplicaPhase.READY and len(members) < size:
        return replace(leader, phase=ReplicaPhase.PENDING, ready_at_s=None, reason=f"{len(members)} of {size} pods")
    if phase is not ReplicaPhase.READY:
        worst = next(m for m in members if m.phase is phase)
        reason = worst.reason if worst.name == leader.name else f"{worst.name}: {worst.reason}"
        return replace(leader, phase=phase, ready_at_s=None, reason=reason, last_ready_at_s=worst.last_ready_at_s)
    ready = [m.ready_at_s for m in members if m.ready_at_s is not None]
    return replace(leader, ready_at_s=max(ready, default=None), stages=_slowest(members))


def _slowest(members: Sequence[Replica]) -> ColdStartStages | None:
    """A group starts as its slowest Pod does, stage by stage."""
    known = [m.stages for m in members if m.stages is not None]
    if not known:
        return None
    return ColdStartStages(
        scheduled_s=max((s.scheduled_s for s in known if s.scheduled_s is not None), default=None),
        pulled_s=max((s.pulled_s for s in known if s.pulled_s is not None), default=None),
        loaded_s=max((s.loaded_s for s in known if s.loaded_s is not None), default=None),
    )


def _rank(pod: Json) -> tuple[int, str]:
    said = labels(pod)
    index = whole(said.get(LWS + "worker-index", said.get(RAY_HOST)))
    return (0 if index is None else index, name_of(pod))


def _size(leader: Json, size: int | None) -> int:
    return size or whole(notes(leader).get(LWS + "size")) or 1


def _of_pod(pod: Json, variant: str, events: PodEvents) -> Replica | None:
    told = phase_of(pod)
    if told is None:
        return None
    phase, reason = told
    about = events.of(pod)
    if phase is ReplicaPhase.PENDING and reason.startswith("Unschedulable") and (words := node_words(about)):
        reason = f"{reason}; {words}"
    status = mapping(pod.get("status"))
    return Replica(
        name=name_of(pod),
        variant=variant,
        phase=phase,
        created_at_s=unix_s(at(pod, "metadata", "creationTimestamp")) or 0.0,
        ready_at_s=_ready_at_s(status) if phase is not ReplicaPhase.FAILED else None,
        host=_host(status),
        port=_port(pod),
        reason=reason,
        template=next((labels(pod)[name] for name in TEMPLATE_LABELS if name in labels(pod)), ""),
        stages=stages_of(pod, about),
        last_ready_at_s=_last_ready_at_s(status) if phase is not ReplicaPhase.READY else None,
    )


def _ready_at_s(status: Json) -> float | None:
    ready = condition(status, "Ready")
    return unix_s(ready.get("lastTransitionTime")) if ready.get("status") == "True" else None


def _last_ready_at_s(status: Json) -> float | None:
    """When a Pod that was Ready ceased to be. One that never was has its condition from the kubelet's first report."""
    ready, scheduled = condition(status, "Ready"), condition(status, "PodScheduled")
    since_s, scheduled_s = unix_s(ready.get("lastTransitionTime")), unix_s(scheduled.get("lastTransitionTime"))
    if since_s is None or scheduled_s is None or ready.get("status") == "True" or not _has_run(status):
        return None
    return since_s if since_s > scheduled_s + FIRST_REPORT_S else None


def _has_run(status: Json) -> bool:
    """Whether a container has been started at all."""
    containers = objects(status.get("containerStatuses"))
    ran = (
        (at(c, "state", "running"), at(c, "state", "terminated"), at(c, "lastState", "terminated")) for c in containers
    )
    return any(any(states) for states in ran)


def _host(status: Json) -> str | None:
    """The Pod's first address; with two families `podIP` is the cluster's first one."""
    addresses = [text(status.get("podIP")), *(text(ip.get("ip")) for ip in objects(status.get("podIPs")))]
    return next((address for address in addresses if address), None)


def _port(pod: Json) -> int | None:
    containers = objects(at(pod, "spec", "containers"))
    ports = [port for container in containers for port in objects(container.get("ports"))]
    named = [port.get("containerPort") for name in PORT_NAMES for port in ports if port.get("name") == name]
    read = (whole(said) for said in [*named, notes(pod).get(PORT_ANNOTATION)])
    return next((port for port in read if port is not None and 0 < port < 65536), None)
