"""Nodes and the Pods on them -> the GPUs that replicas may use.

Needs the Pods of all namespaces: those that cannot be seen hold GPUs that seem free.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from controlplane.adapters.kube_accelerators import accelerator_of, shared_words
from controlplane.adapters.kube_fit import is_cordoned, is_ready, why_not
from controlplane.adapters.kube_growth import NO_GROWTH, Growth, node_gpus
from controlplane.adapters.kube_json import Json, at, key_of, labels, mapping, name_of, objects, quantities, text
from controlplane.adapters.kube_resources import SLICES, gpus_in, pod_requests
from controlplane.domain.observation import Inventory

NOT_SELECTED = "no variant selects it"


@dataclass(frozen=True, slots=True)
class Held:
    """What one Pod, named by `namespace/name`, holds of its node."""

    pod: str
    requests: Mapping[str, Decimal]
    has_claims: bool = False


@dataclass(frozen=True, slots=True)
class Holding:
    """What Pods hold, by node: those bound or nominated to it that have neither Succeeded nor Failed. One that
    terminates holds its own until it is gone. Made once per state, since reading thousands of Pods takes a while."""

    by_node: Mapping[str, Sequence[Held]]

    @classmethod
    def of(cls, pods: Iterable[Json] | Holding) -> Holding:
        """What these Pods hold."""
        if isinstance(pods, Holding):
            return pods
        found: dict[str, list[Held]] = {}
        for pod in pods:
            node = text(at(pod, "spec", "nodeName")) or text(at(pod, "status", "nominatedNodeName"))
            if node and at(pod, "status", "phase") not in ("Succeeded", "Failed"):
                spec = mapping(at(pod, "spec"))
                held = Held(key_of(pod), pod_requests(spec), bool(objects(spec.get("resourceClaims"))))
                found.setdefault(node, []).append(held)
        return cls(found)

    def on(self, node: Json) -> Sequence[Held]:
        """What the Pods of one node hold."""
        return self.by_node.get(name_of(node), ())


def inventory(
    nodes: Sequence[Json],
    pods: Iterable[Json] | Holding = (),
    ours: Collection[str] = frozenset(),
    growth: Growth = NO_GROWTH,
    templates: Sequence[Json] = (),
    slices: Sequence[Json] = (),
) -> Inventory:
    """GPUs that our replicas may use in total, those that they use now included, by catalog name.

    `ours` are the replicas' Pods, as `namespace/name`. A node counts where one of `templates` may be placed on it (any
    node that is Ready and not cordoned, where there are none); of any other the GPUs that our Pods hold count while it
    is Ready. An accelerator that is absent is not limited: there is no such node that a template selects, or more of it
    may come than is known.
    `slices` are the cluster's ResourceSlices. What is not counted is named.
    """
    gpus: Counter[str] = Counter()
    out: dict[str, str] = {}
    held = Holding.of(pods)
    for node in nodes:
        accelerator, problem = _counted(node)
        if problem:
            out[name_of(node)] = problem
        if accelerator is None:
            continue
        usable, why = _usable(node, held.on(node), ours, templates)
        if why:
            out[name_of(node)] = why
        if usable or why != NOT_SELECTED:
            gpus[accelerator] += usable
    for name, more in growth.total().items():
        gpus[name] += more
    known = {name: count for name, count in gpus.items() if not growth.is_unlimited(name)}
    return Inventory(known, {**out, **_slices(nodes), **_claims(held, slices), **growth.words})


def _counted(node: Json) -> tuple[str | None, str]:
    """A node's accelerator where its GPUs are whole and of a known name; else what is the matter, in words."""
    count = node_gpus(node)
    if not count:
        return None, ""
    said = labels(node)
    if shared := shared_words(said):
        return None, f"{shared}; not counted"
    accelerator = accelerator_of(said)
    return accelerator, "" if accelerator else f"{count} GPUs of a kind that no label names"


def _usable(node: Json, pods: Sequence[Held], ours: Collection[str], templates: Sequence[Json]) -> tuple[int, str]:
    """GPUs of a node that our replicas may use, and why it is not all that others leave."""
    others = sum(gpus_in(held.requests) for held in pods if held.pod not in ours)
    own = sum(gpus_in(held.requests) for held in pods if held.pod in ours)
    if not is_ready(node):
        return 0, "not ready"
    why = _closed(node, templates)
    return (own, why) if why else (max(node_gpus(node) - others, 0), "")


def _closed(node: Json, templates: Sequence[Json]) -> str:
    """Why none of the templates may be placed on a node, in words: the nearest reason; empty where one may."""
    if not templates:
        return "cordoned" if is_cordoned(node) else ""
    reasons = [why_not(template, node) for template in templates]
    if "" in reasons:
        return ""
    return next((reason for reason in reasons if reason != "not selected"), NOT_SELECTED)


def _slices(nodes: Sequence[Json]) -> dict[str, str]:
    """Parts of GPUs that nodes offer, in words, by resource name."""
    found: dict[str, list[int]] = {}
    for node in nodes:
        for name, amount in quantities(at(node, "status", "allocatable")).items():
            if SLICES.match(name) and amount:
                found.setdefault(name, []).append(int(amount))
    return {name: f"{sum(n)} on {len(n)} nodes: parts of GPUs are not counted" for name, n in sorted(found.items())}


def _claims(held: Holding, slices: Sequence[Json]) -> dict[str, str]:
    """Devices of dynamic resource allocation, in words: what nodes offer by driver, and what Pods claim."""
    devices: Counter[str] = Counter()
    for one in slices:
        devices[text(at(one, "spec", "driver")) or "unnamed driver"] += len(objects(at(one, "spec", "devices")))
    words = {name: f"{count} devices in ResourceSlices are not counted" for name, count in sorted(devices.items())}
    claiming = sum(one.has_claims for pods in held.by_node.values() for one in pods)
    if claiming:
        words["resourceClaims"] = f"{claiming} pods hold devices that the nodes' counts do not show"
    return words
