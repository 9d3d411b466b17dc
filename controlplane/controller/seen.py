"""What one tick of a group saw: for the versions of policies that decide beside the one that is carried out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from controlplane.domain.ports import Candidate, ClusterState
from controlplane.planning.stepper import TargetView


@dataclass(frozen=True, slots=True)
class Seen:
    """One group at one time. `views` are of the targets that decide."""

    group: str
    now_s: float
    views: Sequence[TargetView]
    state: ClusterState
    writable: bool

    def candidates(self) -> list[Candidate]:
        """Those that run beside a target of this group."""
        keys = {view.target.key for view in self.views}
        return [one for one in self.state.candidates if one.target.key in keys]

    def with_candidate(self, one: Candidate) -> list[TargetView]:
        """The group as it is seen with a candidate in its target's place: the same pages, under its variants' names."""
        return [_view(view, one) if view.target.key == one.target.key else view for view in self.views]


def _view(live: TargetView, one: Candidate) -> TargetView:
    variant_of: Mapping[str, str] = {replica.name: replica.variant for replica in one.replicas}
    samples = [replace(s, variant=variant_of[s.replica]) for s in live.samples if s.replica in variant_of]
    around = replace(one.surroundings, waiting_requests=live.surroundings.waiting_requests)
    return TargetView(one.target, one.desired, one.replicas, samples, live.cold_starts, around)
