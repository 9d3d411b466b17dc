"""How few and how many."""

from __future__ import annotations

from controlplane.domain.decision import Ruling
from controlplane.planning.rules.case import Case, Replicas, ruling


class BoundsRule:
    """minReplicas and maxReplicas of each variant, or those of a schedule whose window is open or about to open."""

    name = "bounds"
    blind = True

    def judge(self, case: Case, proposed: Replicas) -> Ruling:
        """See `Rule`."""
        after = {n: case.bound(n).kept(r) for n, r in proposed.items()}
        moved = [
            case.bound(n).low_by if after[n] > proposed[n] else case.bound(n).high_by
            for n in proposed
            if after[n] != proposed[n]
        ]
        words = [", ".join(moved) if moved else "within its bounds", *case.bounds.notes]
        return ruling(self, proposed, after, "; ".join(words))
