"""What surrounds a target, put together from the readers: rivals, people, templates, and how many replicas may be."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from controlplane.adapters.kube_autoscalers import rival_autoscalers
from controlplane.adapters.kube_growth import NO_GROWTH, Growth
from controlplane.adapters.kube_json import Json, at, key_of
from controlplane.adapters.kube_nodes import Holding
from controlplane.adapters.kube_quota import quota_limit
from controlplane.adapters.kube_rivals import Rivals
from controlplane.adapters.kube_room import limit_of, most_replicas
from controlplane.adapters.kube_templates import Part, parts_of
from controlplane.adapters.kube_workloads import template_of
from controlplane.domain.observation import Conflict, ConflictKind, ManualScale, Surroundings
from controlplane.domain.target import Target, Variant


@dataclass(frozen=True, slots=True)
class VariantObjects:
    """One variant's own objects: the scalable one, its count, the count that we applied last, and all of its Pods."""

    variant: Variant
    workload: Json
    spec_replicas: int
    our_last: int | None = None
    pods: Sequence[Json] = ()
    group: str = ""


@dataclass(frozen=True, slots=True)
class Places:
    """What there is to be placed on, made once per state. `ours` are the Pods of all targets, as `namespace/name`."""

    nodes: Sequence[Json]
    held: Holding
    ours: Collection[str]
    growth: Growth = NO_GROWTH


def surroundings_of(
    now_s: float,
    target: Target,
    found: Sequence[VariantObjects],
    rivals: Rivals,
    *,
    hpas: Sequence[Json] = (),
    scaled_objects: Sequence[Json] = (),
    quotas: Sequence[Json] = (),
    places: Places | None = None,
) -> Surroundings:
    """A target's surroundings. `quotas` are those of its namespace; `places` None: nodes may not be read, and limit
    nothing."""
    conflicts: list[Conflict] = []
    manual: list[ManualScale] = []
    limits: dict[str, tuple[int, str]] = {}
    for one in found:
        name, ref = one.variant.name, one.variant.ref
        pointed = rival_autoscalers(target.namespace, name, ref, hpas, scaled_objects)
        seen, by_hand = rivals.see(now_s, target.key, name, ref.kind, one.workload, one.spec_replicas, one.our_last)
        conflicts += [*pointed, *(c for c in seen if not _is_told(c, pointed))]
        manual += [by_hand] if by_hand is not None else []
        if (limit := _limit(one, quotas, places)) is not None:
            limits[name] = limit
    return Surroundings(
        conflicts=tuple(conflicts),
        manual=tuple(manual),
        templates={one.variant.name: made for one in found if (made := template_of(one.workload, one.group))},
        most_replicas={name: most for name, (most, _) in limits.items()},
        limits={name: words for name, (_, words) in limits.items()},
    )


def _is_told(conflict: Conflict, pointed: Sequence[Conflict]) -> bool:
    """Whether an autoscaler's write is that of one that points at the object and is named already: a ScaledObject's
    writes are an HPA's or KEDA's own."""
    autoscalers = (ConflictKind.HPA, ConflictKind.SCALED_OBJECT)
    return conflict.kind in autoscalers and any(one.kind in autoscalers for one in pointed)


def _limit(one: VariantObjects, quotas: Sequence[Json], places: Places | None) -> tuple[int, str] | None:
    parts = parts_of(one.workload, one.group)
    if not parts:
        return None
    quota = quota_limit(quotas, parts, _current(parts, one.pods))
    if places is None:
        return quota
    mine = {key_of(pod) for pod in one.pods}
    most = most_replicas(parts, places.nodes, places.held, places.ours, places.growth, one.variant.accelerator, mine)
    return limit_of(parts, most, quota)


def _current(parts: Sequence[Part], pods: Sequence[Json]) -> int:
    """Replicas that a quota counts: of Pods that have not ended, those that terminate among them."""
    counted = sum(1 for pod in pods if at(pod, "status", "phase") not in ("Succeeded", "Failed"))
    return counted // sum(part.pods for part in parts)
