"""People's words over the planner's."""

from __future__ import annotations

from controlplane.domain.decision import Ruling, RulingEffect
from controlplane.domain.target import FreezeDirection, Override, OverrideKind
from controlplane.planning.bounds import held_by_hand
from controlplane.planning.outages import clock_words
from controlplane.planning.peoples_words import freeze_words, freezes, in_force, listed, outranked, override_words
from controlplane.planning.rules.case import Case, Replicas, hold_downs, ruling


class ManualScaleRule:
    """A person's `kubectl scale` is left as it is for `manualHoldSeconds`: they had a reason. Outside of minReplicas
    and maxReplicas too: these hold again when the hold ends."""

    name = "manual"
    blind = True

    def judge(self, case: Case, proposed: Replicas) -> Ruling:
        """See `Rule`."""
        after, words = dict(proposed), []
        for one in held_by_hand(case.inputs, case.now_s):
            if one.variant not in case.current:
                continue
            after[one.variant] = case.current[one.variant]
            until = clock_words(one.at_s + case.target.policy.manual_hold_s)
            words.append(f"{one.manager} scaled {one.variant} to {one.replicas}; left as it is until {until}")
        if not words:
            return ruling(self, proposed, proposed, "nobody scaled by hand lately")
        effect = RulingEffect.HOLD if after != dict(proposed) else None
        return ruling(self, proposed, after, "; ".join(words), effect)


def says(one: Ruling) -> bool:
    """Whether an override or a freeze is in force. The plan keeps to it already, so it need not have changed anything
    to be the reason."""
    silent = {OverrideRule.name: OverrideRule.silent, FreezeRule.name: FreezeRule.silent}
    return one.rule in silent and one.reason != silent[one.rule]


class OverrideRule:
    """A person's word: Pause, Pin, Floor, Ceiling; expired ones are not heard (`planning.peoples_words` ranks them).

    maxReplicas still holds, since a quota may stand behind it; minReplicas does not: a Pin of 0 is meant.
    """

    name = "override"
    blind = True
    silent = "no override"

    def judge(self, case: Case, proposed: Replicas) -> Ruling:
        """See `Rule`."""
        policy = case.target.policy
        by_variant = {name: in_force(policy, name, case.now_s) for name in proposed}
        holding = [o for overrides in by_variant.values() for o in overrides]
        if not holding:
            return ruling(self, proposed, proposed, self.silent)
        after, capped = {}, []
        for name, replicas in proposed.items():
            current = case.current.get(name, replicas)
            for override in by_variant[name]:
                replicas = self._heard(override, replicas, current)
            after[name] = min(replicas, max(case.bound(name).high, case.current.get(name, 0)))
            if after[name] < replicas and by_variant[name]:
                capped.append(f"{case.bound(name).high_by} holds all the same")
        words = listed([*(override_words(o) for o in holding), *capped])
        beaten = listed(override_words(o) for o in outranked(policy, list(proposed), case.now_s))
        paused = any(o.kind is OverrideKind.PAUSE for o in holding)
        effect = RulingEffect.HOLD if paused and after != dict(proposed) else None
        return ruling(self, proposed, after, f"{words} (over: {beaten})" if beaten else words, effect)

    @staticmethod
    def _heard(override: Override, proposed: int, current: int) -> int:
        match override.kind, override.replicas:
            case OverrideKind.PIN, int(replicas):
                return replicas
            case OverrideKind.FLOOR, int(replicas):
                return max(proposed, replicas)
            case OverrideKind.CEILING, int(replicas):
                return min(proposed, replicas)
            case _:
                return current


class FreezeRule:
    """While a target is frozen nothing changes it, or nothing takes from it: not the plan, no bound, no override.

    Who has to act in the middle of it ends the freeze first. On the way down what cannot be had is still taken back.
    """

    name = "freeze"
    blind = True
    silent = "not frozen"

    def judge(self, case: Case, proposed: Replicas) -> Ruling:
        """See `Rule`."""
        holding = freezes(case.target.policy, case.now_s)
        if not holding:
            return ruling(self, proposed, proposed, self.silent)
        after = hold_downs(case, proposed)
        if holding[0].direction is FreezeDirection.BOTH:
            after = {name: case.current.get(name, replicas) for name, replicas in proposed.items()}
        effect = RulingEffect.HOLD if after != dict(proposed) else None
        return ruling(self, proposed, after, listed(freeze_words(freeze) for freeze in holding), effect)
