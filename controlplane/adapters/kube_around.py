"""What surrounds each target, from one state of the cluster to the next: who else writes its counts, and who did."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from controlplane.adapters.kube_http import Json
from controlplane.adapters.kube_reading import Reading, group_of
from controlplane.adapters.kube_rivals import Rivals
from controlplane.adapters.kube_selectors import SelectorError
from controlplane.adapters.kube_surroundings import VariantObjects, surroundings_of
from controlplane.domain.observation import ManualScale, Surroundings
from controlplane.domain.target import ScaleTargetRef, Target

LastApplied = Callable[[str, ScaleTargetRef], int | None]
"""The count that we set an object of a namespace to last."""


class Around:
    """Remembers what was seen of other writers. `now_s` gives unix seconds on the controller's clock."""

    def __init__(self, now_s: Callable[[], float], last_applied: LastApplied) -> None:
        self._now_s = now_s
        self._last_applied = last_applied
        self._rivals = Rivals()

    def recall(self, key: str, manual: Iterable[ManualScale]) -> None:
        """What the controller before us knew of people who scaled a target by hand."""
        self._rivals.recall(key, manual)

    def of(self, target: Target, reading: Reading) -> Surroundings:
        """A target's surroundings now."""
        snapshot = reading.snapshot
        return surroundings_of(
            self._now_s(),
            target,
            self._objects(target, reading),
            self._rivals,
            hpas=_within(snapshot.hpas, target.namespace),
            scaled_objects=_within(snapshot.scaled_objects, target.namespace),
            quotas=_within(snapshot.quotas, target.namespace),
            places=reading.places,
        )

    def _objects(self, target: Target, reading: Reading) -> list[VariantObjects]:
        found = []
        for variant in target.variants:
            workload = reading.snapshot.workloads.get((target.namespace, variant.ref))
            if workload is None or workload.body is None or workload.scale is None:
                continue
            try:
                pods = reading.pods_of(workload)
            except SelectorError:  # told with the target's problems
                continue
            ours = self._last_applied(target.namespace, variant.ref)
            count = workload.scale.replicas
            found.append(VariantObjects(variant, workload.body, count, ours, pods, group_of(variant.ref)))
        return found


def _within(objects: tuple[Json, ...] | None, namespace: str) -> list[Json]:
    return [one for one in objects or () if one.get("metadata", {}).get("namespace") == namespace]
