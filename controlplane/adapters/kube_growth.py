"""What a node autoscaler may still create: cluster-autoscaler's status and Karpenter's node pools.

Where either might make machines of a kind that cannot be told, accelerators are left unlimited: a limit that is too low
would hold replicas back for good, while one that is too high shows as unschedulable Pods within minutes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import yaml

from controlplane.adapters.kube_accelerators import ACCELERATOR_LABELS, accelerator_of, shared_words
from controlplane.adapters.kube_json import (
    Json,
    at,
    labels,
    mapping,
    name_of,
    objects,
    quantities,
    strings,
    text,
    whole,
)
from controlplane.adapters.kube_resources import GPU_RESOURCES, gpus_in

POOL_LABELS = (
    "eks.amazonaws.com/nodegroup",
    "alpha.eksctl.io/nodegroup-name",
    "cloud.google.com/gke-nodepool",
    "kubernetes.azure.com/agentpool",
    "agentpool",
    "doks.digitalocean.com/node-pool-id",
    "cluster.x-k8s.io/deployment-name",
    "machine.openshift.io/cluster-api-machineset",
    "node.cluster.x-k8s.io/pool",
)
"""Node labels whose value is within the name of cluster-autoscaler's node group."""
KARPENTER_POOL = "karpenter.sh/nodepool"
NO_GPU_CATEGORIES = frozenset({"c", "m", "r", "t", "d", "i", "x", "z", "h", "a"})
"""AWS's categories of machines without GPUs; the node pools that EKS makes by itself are of c, m and r."""
CATEGORY_LABELS = ("karpenter.k8s.aws/instance-category", "eks.amazonaws.com/instance-category")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MOST_NODES = 100_000
"""A group's largest size is often just a large number."""


@dataclass(frozen=True, slots=True)
class Shape:
    """`nodes` more machines may come that are like `like`."""

    like: Json
    nodes: int


@dataclass(frozen=True, slots=True)
class Growth:
    """What may come beside the nodes that there are."""

    shapes: tuple[Shape, ...] = ()
    gpus: Mapping[str, int] = field(default_factory=dict)
    """GPUs by accelerator whose machines are of no known shape; those of `shapes` are not among them."""
    unlimited: frozenset[str] = frozenset()
    """Accelerators of which any number may come."""
    unknown: bool = False
    """Whether machines of any kind may come: then no accelerator is limited."""
    words: Mapping[str, str] = field(default_factory=dict)
    """What is not counted and why, by node group or pool."""

    def is_unlimited(self, accelerator: str) -> bool:
        """Whether nothing is known that limits this accelerator."""
        return self.unknown or accelerator in self.unlimited

    def total(self) -> dict[str, int]:
        """GPUs that may come, by accelerator."""
        found = Counter(self.gpus)
        for shape in self.shapes:
            if name := accelerator_of(labels(shape.like)):
                found[name] += shape.nodes * node_gpus(shape.like)
        return dict(found)


NO_GROWTH = Growth()


def growth_of(nodes: Sequence[Json], status: Json | None = None, pools: Sequence[Json] = ()) -> Growth:
    """What may come, from cluster-autoscaler's ConfigMap `cluster-autoscaler-status` and Karpenter's NodePools."""
    document = _document(status) if status is not None else {}
    found = [_of_group(group, members) for group, members in _groups(nodes, mapping(document))]
    found += [_of_pool(pool, nodes) for pool in pools]
    if document is None:
        words = "its status is not in the YAML format of 1.30 and later: no accelerator is limited"
        found.append(Growth(unknown=True, words={"cluster-autoscaler": words}))
    return Growth(
        shapes=tuple(shape for one in found for shape in one.shapes),
        gpus=dict(sum((Counter(one.gpus) for one in found), Counter[str]())),
        unlimited=frozenset().union(*(one.unlimited for one in found)),
        unknown=any(one.unknown for one in found),
        words={name: said for one in found for name, said in one.words.items()},
    )


def node_gpus(node: Json) -> int:
    """Allocatable whole GPUs."""
    return gpus_in(quantities(at(node, "status", "allocatable")))


def _document(status: Json) -> Json | None:
    try:
        read = yaml.load(text(at(status, "data", "status")), _LOADER)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) and "autoscalerStatus" in read else None


def _groups(nodes: Sequence[Json], document: Json) -> list[tuple[Json, list[Json]]]:
    """Each node group and the nodes that are its own. A node that could be of two groups is of neither."""
    groups = objects(document.get("nodeGroups"))
    members: list[list[Json]] = [[] for _ in groups]
    for node in nodes:
        fitting = [i for i, group in enumerate(groups) if _is_of(node, text(group.get("name")))]
        if len(fitting) == 1:
            members[fitting[0]].append(node)
    return list(zip(groups, members, strict=True))


def _is_of(node: Json, group: str) -> bool:
    """Whether a node is of the group: by the name that both begin with (GKE, AKS), or by a pool's label within the
    group's name (`eks-NODEGROUP-uuid`, `MachineDeployment/ns/NAME`)."""
    short = group.rstrip("/").rpartition("/")[2]
    stem = short.removesuffix("-grp")
    if stem and name_of(node).startswith((f"{stem}-", f"{stem}0")):
        return True
    pools = {labels(node)[name] for name in POOL_LABELS if labels(node).get(name)}
    return any(re.search(rf"(^|[-_/]){re.escape(pool)}([-_/]|$)", short) for pool in pools)


def _of_group(group: Json, members: Sequence[Json]) -> Growth:
    name = text(group.get("name")).rstrip("/").rpartition("/")[2] or "node group"
    health = mapping(group.get("health"))
    most = whole(health.get("maxSize")) if "maxSize" in health else whole(group.get("maxSize"))
    here = len(members) or whole(at(health, "nodeCounts", "registered", "total")) or 0
    if most is not None and most <= here:
        return NO_GROWTH
    if at(group, "scaleUp", "status") == "Backoff":
        code = text(at(group, "scaleUp", "backoffInfo", "errorCode")) or "its last scale-up failed"
        return Growth(words={name: f"backs off: {code}"})
    if not members:
        return Growth(unknown=True, words={name: "may make machines that nobody has seen: no accelerator is limited"})
    like = max(members, key=node_gpus)
    accelerator = accelerator_of(labels(like))
    if not node_gpus(like) or accelerator is None or shared_words(labels(like)):
        return NO_GROWTH
    if most is None:
        return Growth(unlimited=frozenset({accelerator}), words={name: "does not say its largest size"})
    return Growth(shapes=(Shape(like, min(most - here, MOST_NODES)),))


def _of_pool(pool: Json, nodes: Sequence[Json]) -> Growth:
    """Karpenter's NodePool: its limit on GPUs less those of its nodes, for the one accelerator that it may make."""
    limits = quantities(at(pool, "spec", "limits"))
    named = [resource for resource in GPU_RESOURCES if resource in limits]
    made = [node for node in nodes if labels(node).get(KARPENTER_POOL) == name_of(pool)]
    # What Karpenter counts in `status.resources` includes machines that have not joined yet; those are still to come.
    here = sum(node_gpus(node) for node in made)
    left = max(gpus_in({resource: limits[resource] for resource in named}) - here, 0)
    accelerators = _accelerators_of_pool(pool)
    if accelerators == frozenset() or (named and left == 0):
        return NO_GROWTH
    if accelerators is None:
        words = "may make machines of any GPU: no accelerator is limited"
        return Growth(unknown=True, words={f"NodePool {name_of(pool)}": words})
    if named and len(accelerators) == 1:
        return Growth(gpus={next(iter(accelerators)): left})
    words = "limits no GPUs" if not named else "limits GPUs of several kinds together"
    return Growth(unlimited=accelerators, words={f"NodePool {name_of(pool)}": words})


def _accelerators_of_pool(pool: Json) -> frozenset[str] | None:
    """What a pool's requirements allow; empty: machines without GPUs; None: they do not say."""
    template = mapping(at(pool, "spec", "template"))
    named = accelerator_of(labels(template))
    if named:
        return frozenset({named})
    requirements = objects(at(template, "spec", "requirements"))
    for name in ACCELERATOR_LABELS:
        values = [v for r in requirements if r.get("key") == name and r.get("operator") == "In" for v in _values(r)]
        if values:
            known = {accelerator_of({name: value}) for value in values}
            # A machine type that is not in our list may be anything, a processor-only one among them.
            return None if None in known else frozenset(found for found in known if found)
    return frozenset() if any(_excludes_gpus(requirement) for requirement in requirements) else None


def _excludes_gpus(requirement: Json) -> bool:
    key, operator, values = text(requirement.get("key")), requirement.get("operator"), _values(requirement)
    if key in CATEGORY_LABELS and operator == "In":
        return NO_GPU_CATEGORIES.issuperset(values)
    if "instance-gpu-" in key:
        return operator == "DoesNotExist" or (key.endswith("gpu-count") and operator == "Lt" and values == ["1"])
    return False


def _values(requirement: Json) -> list[str]:
    return strings(requirement.get("values"))
