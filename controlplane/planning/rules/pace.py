"""How fast: HPA's behavior, and an end to swinging."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from itertools import pairwise

from controlplane.domain.decision import Ruling, RulingEffect
from controlplane.domain.target import ScalingPolicy, ScalingPolicyType, ScalingRules, SelectPolicy
from controlplane.planning.falls import fall_probability, told
from controlplane.planning.rules.case import Case, Replicas, goes_down, hold_downs, released, ruling, sides

MOST_REVERSALS = 6
"""Of one variant within `FLAP_WINDOW_S`: three swings up and down an hour are those of batches every twenty minutes,
which are followed; more pay a cold start for each and have little of it."""
FLAP_WINDOW_S = 3600.0
ROUNDING = 1e-9
"""Of a replica: 22 of 20 are ten percent more, whatever floating point says."""
NO_LIMIT = 1_000_000
"""Replicas that a behavior without any policy allows: more than there are."""
FLAP_FACTOR = 2.0
"""Times the stabilisation window for which what swings must agree to go down."""


class ToleranceRule:
    """HPA's tolerance: a change of no more than this share of a variant's replicas is left undone. Bounds hold all the
    same. Where an up is left undone nothing else of its role goes down: the two were one exchange."""

    name = "tolerance"
    blind = False

    def judge(self, case: Case, proposed: Replicas) -> Ruling:
        """See `Rule`."""
        left = [n for n, r in proposed.items() if self._is_small(case, n, r)]
        if not left:
            return ruling(self, proposed, proposed, "no change is within the tolerance")
        after = {n: case.current[n] if n in left else r for n, r in proposed.items()}
        for names in sides(case.target):
            if any(n in left and proposed[n] > case.current[n] for n in names):
                after = hold_downs(case, after, names)
        words = f"the change of {', '.join(left)} is within the tolerance"
        return ruling(self, proposed, after, words, RulingEffect.HOLD)

    @staticmethod
    def _is_small(case: Case, name: str, replicas: int) -> bool:
        current, policy = case.current.get(name, replicas), case.target.policy
        if current == replicas or current == 0:
            return False
        rules = policy.scale_up if replicas > current else policy.scale_down
        return abs(replicas - current) <= rules.tolerance * current + ROUNDING


class FlapRule:
    """A flap budget: what has changed direction too often within an hour must agree for twice the stabilisation
    window before it goes down. Ups are never held by it."""

    name = "flaps"
    blind = False

    def judge(self, case: Case, proposed: Replicas) -> Ruling:
        """See `Rule`."""
        window_s = case.target.policy.scale_down.stabilization_window_s * FLAP_FACTOR
        after, words, held = dict(proposed), [], case.held()
        for name, replicas in proposed.items():
            turns, standing = self._reversals(case, name), held.get(name, replicas)
            if turns > MOST_REVERSALS and replicas < standing:
                after[name] = min(standing, max([replicas, *_recommended(case, name, window_s)]))
                if after[name] != replicas:
                    words.append(f"{name} turned {turns} times within the hour, more than {MOST_REVERSALS}")
        if words:
            reason = f"{'; '.join(words)}: fewer must be recommended for {window_s:.0f} s"
            return ruling(self, proposed, after, reason, RulingEffect.HOLD)
        return ruling(self, proposed, proposed, "nothing swings")

    @staticmethod
    def _reversals(case: Case, name: str) -> int:
        since_s = case.now_s - FLAP_WINDOW_S
        deltas = [e.delta for e in case.inputs.memory.scale_events if e.variant == name and e.at_s > since_s]
        return sum(before * after < 0 for before, after in pairwise(deltas))


class StabilizationRule:
    """HPA's stabilisation: down to the highest, up to the lowest of the window's recommendations. The window is there
    for ripples: a load that falls for certain goes down at once, unless the policy waits that out too."""

    name = "stabilization"
    blind = False

    def judge(self, case: Case, proposed: Replicas) -> Ruling:
        """See `Rule`."""
        policy, held = case.target.policy, case.held()
        falls, window_s = fall_probability(case.inputs) > 0, policy.scale_down.stabilization_window_s
        down_s = 0.0 if falls else window_s
        after = {}
        for name, replicas in proposed.items():
            current, standing = case.current.get(name, replicas), held.get(name, replicas)
            highest = max([replicas, *_recommended(case, name, down_s)])
            lowest = min([replicas, *_recommended(case, name, policy.scale_up.stabilization_window_s)])
            if replicas > current:
                after[name] = max(current, lowest)
            else:
                after[name] = max(replicas, min(standing, highest))
        for names in sides(case.target):
            after = released(case, after, proposed, names, partial(_was_enough, case, names, proposed))
        if after != dict(proposed):
            window_s = policy.scale_down.stabilization_window_s
            words = f"more was recommended within the last {window_s:.0f} s"
            if any(after[name] < replicas for name, replicas in proposed.items()):
                words = f"less was recommended within the last {policy.scale_up.stabilization_window_s:.0f} s"
            return ruling(self, proposed, after, words, RulingEffect.HOLD)
        if falls and any(after[n] < max([after[n], *_recommended(case, n, window_s)]) for n in goes_down(case, after)):
            words = f"{told(case.inputs)}: the window is for ripples, and is not waited for"
            return ruling(self, proposed, proposed, words)
        return ruling(self, proposed, proposed, "the window's recommendations agree")


def _was_enough(case: Case, names: Sequence[str], proposed: Replicas, left: Replicas) -> bool:
    """Whether several variants together carry as much as was recommended at any time of the window: which of them did
    it then is no matter. One variant alone is held by its replicas, as HPA does."""
    window_s = case.target.policy.scale_down.stabilization_window_s
    if len(names) < 2 or not all(case.rate(name) > 0 for name in names):
        return False

    most = max(case.carried(names, r) for r in (proposed, *case.recommended_within(window_s)))
    return case.carried(names, left) >= most * (1.0 - ROUNDING)


class RateRule:
    """HPA's scaling policies: at most so many pods, or percent, in so many seconds."""

    name = "rate"
    blind = True

    def judge(self, case: Case, proposed: Replicas) -> Ruling:
        """See `Rule`."""
        policy = case.target.policy
        after = {}
        for name, replicas in proposed.items():
            current = case.current.get(name, replicas)
            if replicas > current:
                after[name] = min(replicas, current + self._allowed(case, name, policy.scale_up, +1))
            else:
                after[name] = max(replicas, current - self._allowed(case, name, policy.scale_down, -1))
        limited = [n for n in proposed if after[n] != proposed[n]]
        reason = f"behavior allows no larger step of {', '.join(limited)} now" if limited else "within behavior's rates"
        return ruling(self, proposed, after, reason)

    def _allowed(self, case: Case, name: str, rules: ScalingRules, sign: int) -> int:
        """Replicas by which `name` may still change in the direction of `sign`."""
        if rules.select_policy is SelectPolicy.DISABLED:
            return 0
        if not rules.policies:
            return NO_LIMIT
        steps = [self._step(case, name, policy, sign) for policy in rules.policies]
        return max(0, max(steps) if rules.select_policy is SelectPolicy.MAX else min(steps))

    @staticmethod
    def _step(case: Case, name: str, policy: ScalingPolicy, sign: int) -> int:
        since_s = case.now_s - policy.period_s
        events = (e for e in case.inputs.memory.scale_events if e.variant == name and e.at_s > since_s)
        done = sum(e.delta for e in events if e.delta * sign > 0) * sign
        at_start = case.current.get(name, 0) - done * sign
        if policy.type is ScalingPolicyType.PODS:
            return policy.value - done
        # HPA rounds percentages up on the way up (and so can leave 1), and up on the way down as well.
        return math.ceil(at_start * policy.value / 100.0) - done


def _recommended(case: Case, name: str, length_s: float) -> Sequence[int]:
    """What was recommended of a variant within the last `length_s`."""
    if not case.inputs.memory.recommendations and length_s > 0:
        # As HPA does: before the first recommendation there is the fleet as it was found.
        return [case.current[name]] if name in case.current else []
    return [replicas[name] for replicas in case.recommended_within(length_s) if name in replicas]
