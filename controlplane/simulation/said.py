"""What people said while a window was recorded, so that it holds in every play of it as it did then.

Without it a pin of an hour would be held for the whole window by the policy that was live, and by no other: the
difference of the two would be the pin, not the policies.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from controlplane.domain.decision import Tick
from controlplane.domain.target import Freeze, FreezeDirection, Override, Policy, Target
from controlplane.planning.peoples_words import applied, freezes, in_force
from controlplane.simulation.backtest import FleetView
from controlplane.simulation.backtest import Policy as Played

_Words = tuple[tuple[Override, ...], tuple[Freeze, ...]]
_NOTHING: _Words = ((), ())


@dataclass(frozen=True, slots=True)
class Said:
    """What was said through the API, from each time in `at_s` (unix seconds, rising) on until the next."""

    at_s: tuple[float, ...] = ()
    words: tuple[_Words, ...] = ()

    @classmethod
    def of(cls, ticks: Sequence[Tick]) -> Said:
        """As ticks of one target heard it, oldest first."""
        at_s: list[float] = []
        words: list[_Words] = []
        for tick in ticks:
            heard = _words(tick.inputs.target.policy)
            if heard != (words[-1] if words else _NOTHING):
                at_s.append(tick.at_s)
                words.append(heard)
        return cls(tuple(at_s), tuple(words))

    def over(self, target: Target, now_s: float) -> Target:
        """The target with what was said of it at `now_s`, and nothing else that was ever said through the API."""
        place = bisect_right(self.at_s, now_s) - 1
        overrides, frozen = self.words[place] if place >= 0 else _NOTHING
        policy = target.policy
        own = tuple(o for o in policy.overrides if not o.id), tuple(f for f in policy.freezes if not f.id)
        return replace(target, policy=replace(policy, overrides=(*own[0], *overrides), freezes=(*own[1], *frozen)))


def _words(policy: Policy) -> _Words:
    """Those with an id: what the custom resource says is the policy's own, and goes with it."""
    return tuple(o for o in policy.overrides if o.id), tuple(f for f in policy.freezes if f.id)


class Obeying:
    """A peer that people overrule as they overruled Tidegate: they would have scaled by hand, or paused it."""

    def __init__(self, peer: Played, target: Target, said: Said) -> None:
        self.name, self.interval_s = peer.name, peer.interval_s
        self._peer, self._target, self._said = peer, target, said

    def step(self, view: FleetView) -> Mapping[str, Mapping[str, int]]:
        """See `Policy`."""
        wanted = dict(self._peer.step(view))
        policy = self._said.over(self._target, view.now_s).policy
        current = view.desired(self._target.key)
        asked = {**current, **wanted.get(self._target.key, {})}
        frozen = freezes(policy, view.now_s)
        for variant in self._target.variants:
            now, after = current.get(variant.name, 0), asked.get(variant.name, 0)
            for override in in_force(policy, variant.name, view.now_s):
                after = min(applied(override, after, now), max(variant.max_replicas, now))
            if frozen:
                after = now if frozen[0].direction is FreezeDirection.BOTH else max(after, now)
            asked[variant.name] = after
        wanted[self._target.key] = asked
        return wanted
