"""Cold starts as they are measured: from a replica's creation to Ready, by variant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from controlplane.domain.decision import ColdStart
from controlplane.domain.observation import Replica
from controlplane.planning.cold_starts import summarise

LATEST = 50
"""Cold starts that are kept per variant: images and models change."""


class ColdStartLog:
    """Collects them from replicas as a cluster reports them; those that were there at the start had none to measure."""

    def __init__(self) -> None:
        self._seen: dict[str, float] = {}
        self._seconds: dict[str, list[float]] = defaultdict(list)
        self._template: dict[str, str] = {}

    def note(self, replicas: Iterable[Replica]) -> None:
        """Measure those that became Ready since the last time. A name that was created anew is another replica."""
        for replica in sorted(replicas, key=lambda one: one.created_at_s):
            if replica.ready_at_s is not None and self._seen.get(replica.name) != replica.created_at_s:
                self._seen[replica.name] = replica.created_at_s
                self._note_template(replica)
                if replica.ready_at_s > replica.created_at_s:
                    self._seconds[replica.variant].append(replica.ready_at_s - replica.created_at_s)

    def _note_template(self, replica: Replica) -> None:
        """Another image, or other weights, takes another time: what was measured before says nothing of it."""
        before = self._template.get(replica.variant)
        if replica.template and replica.template != before:
            self._template[replica.variant] = replica.template
            if before is not None:
                self._seconds[replica.variant].clear()

    def measured(self) -> dict[str, ColdStart]:
        """By variant; a variant without one is absent."""
        return {variant: summarise(seconds[-LATEST:]) for variant, seconds in self._seconds.items() if seconds}
