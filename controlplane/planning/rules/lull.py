"""A lull is no fall: what came a few minutes ago comes back within a cold start."""

from __future__ import annotations

from controlplane.domain.decision import Ruling, RulingEffect
from controlplane.planning.falls import fall_probability
from controlplane.planning.rules.case import Case, Replicas, goes_down, hold_downs, released, ruling

LULL_S = 900.0
"""Whose mean is to stay carried. Loads wander about a level, and a trough of some minutes is deeper than any margin
that is a share of what comes in it: the Azure hour, scaled by copies within 15 s, has a need of 14 replicas, for four
minutes one of 10, and within one minute 15. After ten minutes the crest before is forgotten, and the same 2.5 % are
lost; 25 win nothing more (docs/adr/0016)."""
LULL_SHARE = 0.95
"""Of that mean. With all of it NVIDIA's hour-long sine costs 0.7 % more, at a trough whose fall is not certain yet;
with nine tenths the Azure hour with copies within 15 s loses 2.5 % at 180 s, as without the rule."""
MINUTE_S = 60.0


class LullRule:
    """Nothing goes down below what carries `LULL_SHARE` of the mean of the last quarter of an hour, unless the load
    falls for certain, or the plan gives to others what this one is short of itself. It holds what is there, and asks
    for no more. Roles apart have a margin of their own (`allocation.group`)."""

    name = "lull"
    blind = False

    def judge(self, case: Case, proposed: Replicas) -> Ruling:
        """See `Rule`."""
        if not goes_down(case, proposed):
            return ruling(self, proposed, proposed, "nothing goes down")
        if fall_probability(case.inputs) > 0:
            return ruling(self, proposed, proposed, "the load falls for certain, which is no lull")
        if _is_short(case):
            return ruling(self, proposed, proposed, "more is needed than can be had, which is no lull")
        rate, mean = to_carry_on(case), f"{LULL_SHARE:.0%} of the mean of the last {LULL_S / MINUTE_S:.0f} minutes"
        if rate <= 0:
            return ruling(self, proposed, proposed, "what came lately, or what a replica carries, is not known here")
        after = released(
            case, hold_downs(case, proposed), proposed, proposed, lambda left: case.carried(left, left) >= rate
        )
        if after == dict(proposed):
            return ruling(self, proposed, proposed, f"{mean} stays carried")
        words = f"{mean} is work as that of {rate:.2f} requests/s"
        return ruling(self, proposed, after, words, RulingEffect.HOLD)


def to_carry_on(case: Case) -> float:
    """Requests/s as long as those of now that are to be carried on; 0 where none are known, where it is not known what
    one of the fleet's replicas carries, or where the load falls for certain."""
    known = None if case.inputs.forecast is None else case.inputs.forecast.recent_rps
    blind = not all(case.rate(name) > 0 for name, replicas in case.current.items() if replicas)
    return 0.0 if known is None or blind or fall_probability(case.inputs) > 0 else LULL_SHARE * known


def _is_short(case: Case) -> bool:
    """Whether the plan does not carry its own demand: what goes then is what a priority or a fair share gives to
    others, however long the load lasts."""
    return case.plan is not None and not case.plan.feasible
