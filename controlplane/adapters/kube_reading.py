"""A snapshot, and what several readers make of it, made once."""

from __future__ import annotations

from functools import cached_property

from controlplane.adapters.kube_growth import growth_of
from controlplane.adapters.kube_http import Json
from controlplane.adapters.kube_json import key_of
from controlplane.adapters.kube_nodes import Holding
from controlplane.adapters.kube_pods import pod_selector
from controlplane.adapters.kube_selectors import SelectorError, parse
from controlplane.adapters.kube_snapshot import Snapshot, Workload
from controlplane.adapters.kube_surroundings import Places
from controlplane.domain.target import ScaleTargetRef


class Reading:
    """One snapshot as its readers look at it."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    def pods_of(self, workload: Workload) -> list[Json]:
        """All Pods of a scalable object; none where its scale is not known.

        Raises:
            SelectorError: if its selector cannot be read.
        """
        if workload.scale is None:
            return []
        selector = pod_selector(workload.ref.kind, workload.ref.name, workload.scale.selector)
        return self.snapshot.pods.select(workload.namespace, parse(selector))

    @cached_property
    def places(self) -> Places | None:
        """Where Pods can be placed; None where Nodes may not be read."""
        snapshot = self.snapshot
        if snapshot.nodes is None:
            return None
        growth = growth_of(snapshot.nodes, snapshot.node_autoscaler, snapshot.node_pools)
        return Places(snapshot.nodes, Holding.of(snapshot.pods), self._ours(), growth)

    def _ours(self) -> frozenset[str]:
        """The Pods of everything that is scaled, as `namespace/name`."""
        found: set[str] = set()
        for workload in self.snapshot.workloads.values():
            try:
                found.update(key_of(pod) for pod in self.pods_of(workload))
            except SelectorError:  # the target that names it is told so
                continue
        return frozenset(found)


def group_of(ref: ScaleTargetRef) -> str:
    """The worker group of a Ray object's reference, `cluster/group`; empty for every other kind."""
    return ref.name.partition("/")[2]
