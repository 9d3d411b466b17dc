"""How many whole replicas find room on the nodes that there are and may come, and what else bounds their number."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal

from controlplane.adapters.kube_fit import fits, is_ready
from controlplane.adapters.kube_growth import NO_GROWTH, Growth
from controlplane.adapters.kube_json import Json, at, mapping, quantities
from controlplane.adapters.kube_nodes import Held, Holding
from controlplane.adapters.kube_resources import GPU_RESOURCES, pod_requests, unclear_devices
from controlplane.adapters.kube_templates import MOST_PODS, Part, replica_gpus

ALWAYS_REPORTED = frozenset({*GPU_RESOURCES})
"""Resources that a node has none of where it does not name them. Any other that it does not name (a node that is not
run by a kubelet) is not looked at."""
MOST_COPIES = 512
"""Machines of one group that are packed one by one; more than any plan asks for."""


_Place = tuple[Mapping[str, Decimal], int, Sequence[bool]]
"""What a Pod of one part needs, how many of them a replica has, and which nodes are open to it."""


def most_replicas(
    parts: Sequence[Part],
    nodes: Sequence[Json],
    pods: Iterable[Json] | Holding = (),
    ours: Collection[str] = frozenset(),
    growth: Growth = NO_GROWTH,
    accelerator: str = "",
    mine: Collection[str] = frozenset(),
) -> int | None:
    """The most whole replicas of these parts that find room, where none of our Pods (`ours`) held any; None where more
    nodes of its accelerator may come than is known, or where what it asks for is not whole GPUs.

    A Pod must fit on one node: four GPUs do not fit on three of one and one of another. A replica of several Pods needs
    room for all of them. Our own Pods count as movable, as in `inventory`. Replicas of this variant (`mine`) that run
    where no more may be placed, on a cordoned node, count too.
    """
    needs = [(pod_requests(mapping(part.template.get("spec"))), part) for part in parts]
    unclear = any(unclear_devices(mapping(part.template.get("spec"))) for part in parts)
    gpus = replica_gpus(parts)
    if not gpus or unclear or growth.is_unlimited(accelerator):
        return None
    held = Holding.of(pods)
    bins = [_free(node, held.on(node), ours) for node in nodes]
    there = list(nodes)
    for shape in growth.shapes:
        copies = min(shape.nodes, MOST_COPIES)
        bins += [quantities(at(shape.like, "status", "allocatable")) for _ in range(copies)]
        there += [shape.like] * copies
    places = [(need, part.pods, [fits(part.template, node) for node in there]) for need, part in needs]
    closed = [node for i, node in enumerate(nodes) if is_ready(node) and not any(open_[i] for _, _, open_ in places)]
    stay = sum(1 for node in closed for one in held.on(node) if one.pod in mine)
    return _packed(places, bins) + stay // sum(part.pods for part in parts) + growth.gpus.get(accelerator, 0) // gpus


def limit_of(parts: Sequence[Part], places: int | None, quota: tuple[int, str] | None) -> tuple[int, str] | None:
    """The tighter of what nodes have room for (`most_replicas`) and what quotas allow (`quota_limit`), with why."""
    pods, gpus = sum(part.pods for part in parts), replica_gpus(parts)
    each = f"{gpus} GPUs" if pods == 1 else f"{gpus} GPUs in {pods} pods"
    found = [] if places is None else [(places, f"nodes have room for {places} replicas of {each}")]
    return min([*found, *([quota] if quota is not None else [])], default=None)


def _free(node: Json, pods: Sequence[Held], ours: Collection[str]) -> dict[str, Decimal]:
    """What others leave of a node's allocatable resources."""
    free = quantities(at(node, "status", "allocatable"))
    for held in pods:
        if held.pod in ours:
            continue
        if "pods" in free:
            free["pods"] -= 1
        for name, amount in held.requests.items():
            if name in free:
                free[name] -= amount
    return free


def _packed(places: Sequence[_Place], bins: Sequence[dict[str, Decimal]]) -> int:
    """The most replicas whose Pods all find a node; Pods of one template alone are counted node by node."""
    need, pods, open_ = places[0]
    if len(places) == 1:
        return min(sum(_times(need, free) for free, ok in zip(bins, open_, strict=True) if ok) // pods, MOST_PODS)
    low, high = 0, min(_packed([place], bins) for place in places)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _fit(places, bins, middle) else (low, middle - 1)
    return low


def _fit(places: Sequence[_Place], bins: Sequence[dict[str, Decimal]], count: int) -> bool:
    """Whether `count` replicas find room: the Pods that ask for the most GPUs first, each where it first fits."""
    left = [dict(free) for free in bins]
    for need, pods, open_ in sorted(places, key=lambda place: -sum(place[0].get(g, 0) for g in GPU_RESOURCES)):
        todo = pods * count
        for free, ok in zip(left, open_, strict=True):
            placed = min(_times(need, free), todo) if ok else 0
            for name, amount in need.items():
                if name in free:
                    free[name] -= amount * placed
            if "pods" in free:
                free["pods"] -= placed
            todo -= placed
        if todo:
            return False
    return True


def _times(need: Mapping[str, Decimal], free: Mapping[str, Decimal]) -> int:
    """How many Pods that need this fit into what is free."""
    limits = [free.get(name, Decimal(0)) // amount for name, amount in need.items() if amount and _counts(name, free)]
    if "pods" in free:
        limits.append(free["pods"])
    return max(int(min(limits, default=Decimal(0))), 0)


def _counts(name: str, free: Mapping[str, Decimal]) -> bool:
    return name in free or name in ALWAYS_REPORTED
