"""The guard: small rules in order, each of which may limit, hold or refuse what the plan proposes, and says why."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from controlplane.domain.decision import Demand, Memory, Ruling, RulingEffect, TargetInputs
from controlplane.domain.target import (
    Mode,
    Override,
    OverrideKind,
    Role,
    ScalingPolicy,
    ScalingPolicyType,
    ScalingRules,
    SelectPolicy,
    Target,
)

Replicas = Mapping[str, int]

ACQUAINTANCE_S = 300.0
"""Five minutes: as long as HPA's own window; the step cost is then known to a few percent, and a trend is seen."""


@dataclass(frozen=True, slots=True)
class Case:
    """What a rule may look at. `current` is what is wanted now, by variant; `demand` None: the load is not known."""

    inputs: TargetInputs
    now_s: float
    current: Replicas
    demand: Demand | None
    spool_writable: bool

    @property
    def target(self) -> Target:
        """The target that is decided on."""
        return self.inputs.target


class Rule(Protocol):
    """One idea. `name` is what the trail calls it."""

    name: str

    def judge(self, case: Case, proposed: Replicas) -> Ruling:
        """What becomes of the proposal."""
        ...


def _ruling(rule: str, before: Replicas, after: Replicas, reason: str, effect: RulingEffect | None = None) -> Ruling:
    if effect is None:
        effect = RulingEffect.PASS if dict(before) == dict(after) else RulingEffect.LIMIT
    return Ruling(rule, effect, dict(before), dict(after), reason)


def _hold_downs(case: Case, proposed: Replicas, names: Iterable[str] | None = None) -> dict[str, int]:
    """The proposal with nothing below what is wanted now, for all variants or those named."""
    held = set(case.current) if names is None else set(names)
    return {n: max(r, case.current.get(n, r)) if n in held else r for n, r in proposed.items()}


def _goes_down(case: Case, proposed: Replicas) -> list[str]:
    return [name for name, replicas in proposed.items() if replicas < case.current.get(name, replicas)]


class ModeRule:
    """Off is not judged at all."""

    name = "mode"

    def judge(self, case: Case, proposed: Replicas) -> Ruling:
        """See `Rule`."""
        if case.target.policy.mode is Mode.OFF:
            return _ruling(self.name, proposed, case.current, "mode is Off", RulingEffect.ABSTAIN)
        return _ruling(self.name, proposed, proposed, f"mode is {case.target.policy.mode}")


class FreshnessRule:
    """Without a load nothing is judged; below a quorum of reporting replicas nothing goes down."""

    name = "freshness"

    def judge(self, case: Case, proposed: Replicas) -> Ruling:
        """See `Rule`."""
        observation = case.inputs.observation
        if case.demand is None:
            why = "no replica is Ready" if observation.coverage is None else "the load is not known yet"
            return _ruling(self.name, proposed, case.current, why, RulingEffect.ABSTAIN)
        coverage, quorum = observation.coverage or 0.0, case.target.policy.quorum
        if coverage < quorum and _goes_down(case, proposed):
            words = f"{coverage:.0%} of the Ready replicas report, {quorum:.0%} are needed to go down"
            return _ruling(self.name, proposed, _hold_downs(case, proposed), words, RulingEffect.HOLD)
        age = "" if observation.age_s is None else f", the oldest page is {observation.age_s:.0f} s old"
        return _ruling(self.name, proposed, proposed, f"{coverage:.0%} of the Ready replicas report{age}")


class AcquaintanceRule:
    """A target that was hardly watched gives nothing back: its replicas' speed and its load's ways are guesses yet."""

    name = "acquaintance"

    def judge(self, case: Case, proposed: Replicas) -> Ruling:
        """See `Rule`."""
        first_s = case.inputs.memory.first_seen_at_s
        watched_s = 0.0 if first_s is None else case.now_s - first_s
        if watched_s < ACQUAINTANCE_S and _goes_down(case, proposed):
            words = f"watched for {watched_s:.0f} s; downs begin after {ACQUAINTANCE_S:.0f} s"
            return _ruling(self.name, proposed, _hold_downs(case, proposed), words, RulingEffect.HOLD)
        return _ruling(self.name, proposed, proposed, f"watched for {watched_s:.0f} s")


class PendingRule:
    """Replicas that are not Ready yet, or are only asked for now, hold the downs of their role until their deadline."""

    name = "pending"

    def judge(self, case: Case, proposed: Replicas) -> Ruling:
        """See `Rule`."""
        after = dict(proposed)
        reasons = []
        for roles in self._sides(case.target):
            names = [v.name for v in case.target.variants if v.role in roles]
            waits = self._waits(case, proposed, names)
            if waits and any(name in names for name in _goes_down(case, after)):
                after = _hold_downs(case, after, names)
                reasons.append(waits)
        if reasons:
            return _ruling(self.name, proposed, after, "; ".join(reasons), RulingEffect.HOLD)
        return _ruling(self.name, proposed, proposed, "nothing that goes down waits for a replica to become Ready")

    @staticmethod
    def _sides(target: Target) -> list[set[Role]]:
        """Roles that stand in for one another: Both does the work of either side."""
        split = any(v.role is not Role.BOTH for v in target.variants)
        return [{Role.PREFILL, Role.BOTH}, {Role.DECODE, Role.BOTH}] if split else [{Role.BOTH}]

    @staticmethod
    def _waits(case: Case, proposed: Replicas, names: list[str]) -> str:
        """Why downs among `names` must wait; empty where they need not."""
        deadline_s = case.target.policy.pending_deadline_s
        seen = [v for v in case.inputs.observation.variants if v.variant in names]
        pending = [v for v in seen if v.pending and (v.oldest_pending_s or 0.0) <= deadline_s]
        if pending:
            return ", ".join(f"{v.pending} of {v.variant} not Ready yet" for v in pending)
        ups = [n for n in names if proposed.get(n, 0) > case.current.get(n, 0)]
        return f"{', '.join(ups)} must be Ready first" if ups else ""


class StabilizationRule:
    """HPA's stabilisation: down to the highest, up to the lowest of the window's recommendations."""

    name = "stabilization"

    def judge(self, case: Case, proposed: Replicas) -> Ruling:
        """See `Rule`."""
        policy = case.target.policy
        after = {}
        for name, replicas in proposed.items():
            current = case.current.get(name, replicas)
            highest = max([replicas, *self._window(case, name, policy.scale_down.stabilization_window_s)])
            lowest = min([replicas, *self._window(case, name, policy.scale_up.stabilization_window_s)])
            after[name] = min(current, highest) if replicas < current else max(current, lowest)
        if after != dict(proposed):
            window_s = policy.scale_down.stabilization_window_s
            words = f"more was recommended within the last {window_s:.0f} s"
            if any(after[name] < replicas for name, replicas in proposed.items()):
                words = f"less was recommended within the last {policy.scale_up.stabilization_window_s:.0f} s"
            return _ruling(self.name, proposed, after, words, RulingEffect.HOLD)
        return _ruling(self.name, proposed, proposed, "the window's recommendations agree")

    @staticmethod
    def _window(case: Case, name: str, length_s: float) -> list[int]:
        recommendations = case.inputs.memory.recommendations
        if not recommendations and length_s > 0:
            # As HPA does: before the first recommendation there is the fleet as it was found.
            return [case.current[name]] if name in case.current else []
        return [r.replicas[name] for r in recommendations if r.at_s > case.now_s - length_s and name in r.replicas]


class RateRule:
    """HPA's scaling policies: at most so many pods, or percent, in so many seconds."""

    name = "rate"

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
        return _ruling(self.name, proposed, after, reason)

    def _allowed(self, case: Case, name: str, rules: ScalingRules, sign: int) -> int:
        """Replicas by which `name` may still change in the direction of `sign`."""
        if rules.select_policy is SelectPolicy.DISABLED:
            return 0
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


class BoundsRule:
    """minReplicas and maxReplicas of each variant."""

    name = "bounds"

    def judge(self, case: Case, proposed: Replicas) -> Ruling:
        """See `Rule`."""
        limits = {v.name: (v.min_replicas, v.max_replicas) for v in case.target.variants}
        after = {n: min(max(r, limits[n][0]), limits[n][1]) for n, r in proposed.items()}
        moved = [f"{n} {limits[n][0]}..{limits[n][1]}" for n in proposed if after[n] != proposed[n]]
        return _ruling(self.name, proposed, after, f"bounds of {', '.join(moved)}" if moved else "within its bounds")


class OverrideRule:
    """A person's word: Pause, Pin, Floor, Ceiling; expired ones are not heard.

    maxReplicas still holds, since a quota may stand behind it; minReplicas does not: a Pin of 0 is meant.
    """

    name = "override"

    def judge(self, case: Case, proposed: Replicas) -> Ruling:
        """See `Rule`."""
        heard = [o for o in case.target.policy.overrides if o.expires_at_s is None or o.expires_at_s > case.now_s]
        pauses = [o for o in heard if o.kind is OverrideKind.PAUSE]
        after = dict(proposed)
        for override in [o for o in heard if o.kind is not OverrideKind.PAUSE] + pauses:
            for name in after:
                if override.variant in (None, name):
                    after[name] = self._heard(override, after[name], case.current.get(name, after[name]))
        most = {v.name: v.max_replicas for v in case.target.variants}
        after = {n: min(r, max(most[n], case.current.get(n, 0))) for n, r in after.items()}
        if not heard:
            return _ruling(self.name, proposed, proposed, "no override")
        words = "; ".join(f"{o.kind} by {o.actor or 'unknown'}: {o.reason or 'no reason given'}" for o in heard)
        effect = RulingEffect.HOLD if pauses and after != dict(proposed) else None
        return _ruling(self.name, proposed, after, words, effect)

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


class SpoolRule:
    """While an intent cannot be kept on disk nothing goes down: no patch without a trace. Ups proceed."""

    name = "spool"

    def judge(self, case: Case, proposed: Replicas) -> Ruling:
        """See `Rule`."""
        if not case.spool_writable and _goes_down(case, proposed):
            words = "the spool cannot be written, so downs are held"
            return _ruling(self.name, proposed, _hold_downs(case, proposed), words, RulingEffect.HOLD)
        return _ruling(self.name, proposed, proposed, "the intent can be kept" if case.spool_writable else "no down")


RULES: tuple[Rule, ...] = (
    ModeRule(),
    FreshnessRule(),
    AcquaintanceRule(),
    PendingRule(),
    StabilizationRule(),
    RateRule(),
    BoundsRule(),
    OverrideRule(),
    SpoolRule(),
)
"""In the order in which they are asked: first what may be believed, then how fast, then what people have said."""


def judge(case: Case, proposed: Replicas) -> tuple[Replicas, tuple[Ruling, ...]]:
    """The proposal after every rule, and the trail. An abstention ends it: what is wanted now stays."""
    trail: list[Ruling] = []
    replicas: Replicas = dict(proposed)
    for rule in RULES:
        ruling = rule.judge(case, replicas)
        trail.append(ruling)
        replicas = ruling.after
        if ruling.effect is RulingEffect.ABSTAIN:
            break
    return replicas, tuple(trail)


def longest_look_back_s(target: Target) -> float:
    """Seconds of memory that the rules of a target need."""
    policy = target.policy
    periods = [p.period_s for rules in (policy.scale_up, policy.scale_down) for p in rules.policies]
    windows = [policy.scale_up.stabilization_window_s, policy.scale_down.stabilization_window_s]
    return max([*periods, *windows, 0.0])


def forget(memory: Memory, before_s: float) -> Memory:
    """Without what was before `before_s`."""
    return replace(
        memory,
        recommendations=tuple(r for r in memory.recommendations if r.at_s > before_s),
        scale_events=tuple(e for e in memory.scale_events if e.at_s > before_s),
    )
