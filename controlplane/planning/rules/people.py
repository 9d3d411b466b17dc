"""People's words over the planner's."""

from __future__ import annotations

from controlplane.domain.decision import Ruling, RulingEffect
from controlplane.domain.target import Override, OverrideKind
from controlplane.planning.bounds import heard_overrides, held_by_hand
from controlplane.planning.outages import clock_words
from controlplane.planning.rules.case import Case, Replicas, ruling


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


class OverrideRule:
    """A person's word: Pause, Pin, Floor, Ceiling; expired ones are not heard.

    maxReplicas still holds, since a quota may stand behind it; minReplicas does not: a Pin of 0 is meant.
    """

    name = "override"
    blind = True

    def judge(self, case: Case, proposed: Replicas) -> Ruling:
        """See `Rule`."""
        heard = heard_overrides(case.target.policy, case.now_s)
        pauses = [o for o in heard if o.kind is OverrideKind.PAUSE]
        after = dict(proposed)
        for override in heard:
            for name in after:
                if override.variant in (None, name):
                    after[name] = self._heard(override, after[name], case.current.get(name, after[name]))
        after = {n: min(r, max(case.bound(n).high, case.current.get(n, 0))) for n, r in after.items()}
        if not heard:
            return ruling(self, proposed, proposed, "no override")
        words = "; ".join(f"{o.kind} by {o.actor or 'unknown'}: {o.reason or 'no reason given'}" for o in heard)
        effect = RulingEffect.HOLD if pauses and after != dict(proposed) else None
        return ruling(self, proposed, after, words, effect)

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
