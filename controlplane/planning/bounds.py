"""How few and how many replicas of each variant there may be now: the policy's bounds, schedules, and people's words.

The rules hold the first two; the plan is told of people's words too, so that it does not count on what they forbid.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from controlplane.domain.decision import TargetInputs
from controlplane.domain.observation import ManualScale
from controlplane.domain.target import Freeze, FreezeDirection, Override, OverrideKind, Schedule, Variant
from controlplane.planning.cold_starts import default_cold_start
from controlplane.planning.peoples_words import freezes, in_force
from controlplane.planning.schedules import ScheduleError, local_words, window


@dataclass(frozen=True, slots=True)
class Bound:
    """At least `low` and at most `high` replicas of a variant, and whose word either is. Where they contradict, the
    upper one holds: a quota may stand behind it."""

    low: int
    high: int
    low_by: str
    high_by: str

    @classmethod
    def of(cls, variant: Variant) -> Bound:
        """The custom resource's own bounds."""
        least, most = variant.min_replicas, variant.max_replicas
        return cls(least, most, f"minReplicas {least} of {variant.name}", f"maxReplicas {most} of {variant.name}")

    def kept(self, replicas: int) -> int:
        """The nearest count that is allowed."""
        return min(max(replicas, self.low), self.high)


@dataclass(frozen=True, slots=True)
class Bounds:
    """By variant. `notes` say in words which schedules are open or about to open, and which cannot be read."""

    by_variant: Mapping[str, Bound] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def scheduled_bounds(inputs: TargetInputs, now_s: float) -> Bounds:
    """The bounds with what schedules make of them at `now_s`.

    Of several open windows the highest bounds hold. A window that opens within a variant's cold start (its 90th
    percentile) and an interval raises minReplicas already, so that its replicas are Ready when it opens.
    """
    found = {v.name: Bound.of(v) for v in inputs.target.variants}
    notes: list[str] = []
    for variant in inputs.target.variants:
        open_now, opening = _opened(inputs, variant, now_s, notes)
        found[variant.name] = _anticipating(_within(found[variant.name], open_now), opening)
    return Bounds(found, tuple(dict.fromkeys(notes)))


def planned_bounds(inputs: TargetInputs, scheduled: Bounds, now_s: float) -> dict[str, Bound]:
    """The bounds within which a plan makes sense: those of `scheduled_bounds`, and what people have said."""
    found = dict(scheduled.by_variant)
    policy = inputs.target.policy
    manual = {one.variant: one for one in held_by_hand(inputs, now_s)}
    for name, bound in found.items():
        seen = inputs.observation.variant(name)
        if name in manual and seen is not None:
            found[name] = _as_it_is(seen.desired, f"{manual[name].manager} scaled {name} to {seen.desired}")
        for override in in_force(policy, name, now_s):
            found[name] = _overridden(found[name], override, bound, name, seen.desired if seen else None)
        for freeze in freezes(policy, now_s):
            if seen is not None:
                found[name] = _frozen(found[name], freeze, name, seen.desired)
        if is_contested(inputs) and seen is not None:
            found[name] = _as_it_is(seen.desired, f"somebody else scales {name}")
    return found


def is_contested(inputs: TargetInputs) -> bool:
    """Whether another writer of its counts keeps the target from being scaled."""
    return bool(inputs.surroundings.conflicts) and not inputs.target.policy.takeover


def held_by_hand(inputs: TargetInputs, now_s: float) -> tuple[ManualScale, ...]:
    """People's scales that are still to be left as they are."""
    hold_s = inputs.target.policy.manual_hold_s
    return tuple(one for one in inputs.surroundings.manual if one.at_s + hold_s > now_s)


def _as_it_is(replicas: int, words: str) -> Bound:
    return Bound(replicas, replicas, words, words)


def _overridden(bound: Bound, override: Override, scheduled: Bound, name: str, current: int | None) -> Bound:
    words = f"{override.kind} of {name} by {override.actor or 'unknown'}"
    match override.kind, override.replicas:
        case OverrideKind.PIN, int(replicas):
            pinned = min(replicas, scheduled.high)
            return _as_it_is(pinned, words)
        case OverrideKind.FLOOR, int(replicas):
            floor = min(max(bound.low, replicas), scheduled.high)
            return replace(bound, low=floor, high=max(floor, bound.high), low_by=words)
        case OverrideKind.CEILING, int(replicas):
            return replace(bound, low=min(bound.low, replicas), high=min(bound.high, replicas), high_by=words)
        case OverrideKind.PAUSE, _ if current is not None:
            return _as_it_is(current, words)
        case _:
            return bound


def _frozen(bound: Bound, freeze: Freeze, name: str, current: int) -> Bound:
    words = f"freeze of {name} by {freeze.actor or 'unknown'}"
    if freeze.direction is FreezeDirection.BOTH:
        return _as_it_is(current, words)
    if bound.low >= current:
        return bound
    return replace(bound, low=current, high=max(bound.high, current), low_by=words)


@dataclass(frozen=True, slots=True)
class _Opening:
    schedule: Schedule
    words: str


def _opened(
    inputs: TargetInputs, variant: Variant, now_s: float, notes: list[str]
) -> tuple[list[_Opening], list[_Opening]]:
    """The schedules of a variant whose window is open, and those whose window opens within a cold start."""
    start = inputs.cold_starts.get(variant.name) or default_cold_start(inputs.target, variant)
    ahead_s = start.p90_s + inputs.target.policy.interval_s
    now, soon = [], []
    for schedule in _of(inputs.target.policy.schedules, variant):
        try:
            at = window(schedule, now_s)
        except ScheduleError as error:
            notes.append(f"schedule {schedule.name} is left out: {error}")
            continue
        if at.opened_at_s is not None:
            now.append(_Opening(schedule, f"schedule {schedule.name}"))
            notes.append(f"schedule {schedule.name} is open since {local_words(at.opened_at_s, schedule.time_zone)}")
        elif at.opens_at_s is not None and at.opens_at_s <= now_s + ahead_s:
            opens = f"schedule {schedule.name}, which opens at {local_words(at.opens_at_s, schedule.time_zone)}"
            soon.append(_Opening(schedule, opens))
            notes.append(f"{opens}, in {at.opens_at_s - now_s:.0f} s, within a cold start of {variant.name}")
    return now, soon


def _of(schedules: Sequence[Schedule], variant: Variant) -> Iterator[Schedule]:
    return (s for s in schedules if s.variant in (None, variant.name))


def _within(bound: Bound, opened: Sequence[_Opening]) -> Bound:
    lows = [(o.schedule.min_replicas, o.words) for o in opened if o.schedule.min_replicas is not None]
    highs = [(o.schedule.max_replicas, o.words) for o in opened if o.schedule.max_replicas is not None]
    if highs:
        most, words = max(highs)
        bound = replace(bound, high=most, high_by=f"maxReplicas {most} of {words}")
    if lows:
        least, words = max(lows)
        bound = replace(bound, low=least, low_by=f"minReplicas {least} of {words}")
    return replace(bound, low=min(bound.low, bound.high))


def _anticipating(bound: Bound, opening: Sequence[_Opening]) -> Bound:
    """With the coming windows' minReplicas already, as far as their own maxReplicas allow."""
    for one in opening:
        least, most = one.schedule.min_replicas, one.schedule.max_replicas
        if least is not None and min(least, bound.high if most is None else most) > bound.low:
            low = min(least, bound.high if most is None else most)
            words = f"minReplicas {low} of {one.words}"
            bound = replace(bound, low=low, high=max(bound.high, low), low_by=words)
    return bound
