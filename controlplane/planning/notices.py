"""A tick and the status before and after it -> what is worth an Event."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from controlplane.domain.decision import Actuation, ActuationResult, Tick
from controlplane.domain.observation import ManualScale
from controlplane.domain.status import Condition, ConditionStatus, ConditionType, Notice, TargetStatus, Told
from controlplane.domain.target import Freeze, Override
from controlplane.planning.peoples_words import freeze_words, freezes, heard, override_words

REMIND_S = 600.0
"""A state that lasts is told again after ten minutes: Events are kept for an hour, and `kubectl describe` of a target
that has been in conflict since yesterday must still say so."""
_RESULTS = {
    ActuationResult.REFUSED: "ScaleRefused",
    ActuationResult.CONFLICT: "ScaleConflict",
    ActuationResult.FAILED: "ScaleFailed",
}
_BAD = {
    ConditionType.READY: (ConditionStatus.FALSE, ""),
    ConditionType.METRICS_HEALTHY: (ConditionStatus.FALSE, "MetricsFault"),
    ConditionType.CAPACITY_AVAILABLE: (ConditionStatus.FALSE, ""),
    ConditionType.CONFLICTED: (ConditionStatus.TRUE, "Conflicted"),
}
"""The status in which a condition is bad, and the Event's reason; empty: the condition's own reason."""
_GOOD = {
    ConditionType.READY: "the resource can be used again",
    ConditionType.METRICS_HEALTHY: "the metrics are healthy again",
    ConditionType.CAPACITY_AVAILABLE: "capacity can be had again",
    ConditionType.CONFLICTED: "nobody else scales the target any more",
}


def notices(
    told: Told, last: Told | None, before: TargetStatus | None, after: TargetStatus, remind: bool
) -> tuple[Notice, ...]:
    """What to tell after a tick, `last` being the one before it; with `remind` also the states that last."""
    known = () if last is None or remind else last.tick.inputs.surroundings.manual
    said = () if last is None or remind else _directives(last.tick)
    return (
        *_moves(told.tick),
        *_people(told.tick, known),
        *_begun(told.tick, said),
        *(() if last is None else _over(told.tick, last.tick)),
        *transitions(before, after, remind),
    )


def transitions(before: TargetStatus | None, after: TargetStatus, remind: bool) -> tuple[Notice, ...]:
    """What became bad, what is bad for another reason, what recovered."""
    found = []
    for now in after.conditions:
        if now.type not in _BAD:
            continue
        then = before.condition(now.type) if before else None
        if _is_bad(now) and (remind or then is None or (then.status, then.reason) != (now.status, now.reason)):
            found.append(Notice(_BAD[now.type][1] or now.reason, now.message, warning=True))
        elif then is not None and _is_bad(then) and _is_good(now):
            found.append(Notice("Recovered", f"{_GOOD[now.type]}: {now.message}"))
    return tuple(found)


def _moves(tick: Tick) -> Iterable[Notice]:
    done = [a for a in tick.actuations if a.result is ActuationResult.APPLIED]
    for reason, moved in (
        ("ScaledUp", [a for a in done if a.replicas_to > a.replicas_from]),
        ("ScaledDown", [a for a in done if a.replicas_to < a.replicas_from]),
    ):
        if moved:
            yield Notice(reason, f"{_steps(moved)}: {_why(tick)}")
    for actuation in tick.actuations:
        if actuation.result in _RESULTS:
            yield Notice(_RESULTS[actuation.result], f"{_steps([actuation])}: {actuation.detail}", warning=True)


def _why(tick: Tick) -> str:
    """The decision's reason without its own list of moves."""
    return tick.decision.reason.split(": ", 1)[-1]


def _steps(actuations: Iterable[Actuation]) -> str:
    return ", ".join(f"{a.variant} {a.replicas_from} -> {a.replicas_to}" for a in actuations)


def _people(tick: Tick, known: Collection[ManualScale]) -> Iterable[Notice]:
    """Manual scales that are respected and not `known`."""
    hold_s = tick.inputs.target.policy.manual_hold_s
    for scale in tick.inputs.surroundings.manual:
        if scale not in known and tick.at_s < scale.at_s + hold_s:
            words = f"{scale.variant} was set to {scale.replicas} by {scale.manager}; it is left so for {hold_s:.0f} s"
            yield Notice("ManualScaleRespected", words)


def _directives(tick: Tick) -> tuple[Override | Freeze, ...]:
    """What people's overrides and freezes held at a tick."""
    policy = tick.inputs.target.policy
    return (*heard(policy, tick.at_s), *freezes(policy, tick.at_s))


def _begun(tick: Tick, known: Collection[Override | Freeze]) -> Iterable[Notice]:
    for one in _directives(tick):
        if one not in known:
            yield _named(one, "OverrideActive", "FreezeActive", "")


def _over(tick: Tick, last: Tick) -> Iterable[Notice]:
    holding = _directives(tick)
    for one in _directives(last):
        if one not in holding:
            yield _named(one, "OverrideEnded", "FreezeEnded", "no longer ")


def _named(one: Override | Freeze, override_reason: str, freeze_reason: str, before: str) -> Notice:
    if isinstance(one, Override):
        return Notice(override_reason, f"{before}{override_words(one)}")
    return Notice(freeze_reason, f"{before}{freeze_words(one)}")


def _is_bad(condition: Condition) -> bool:
    return condition.status is _BAD[condition.type][0]


def _is_good(condition: Condition) -> bool:
    return not _is_bad(condition) and condition.status is not ConditionStatus.UNKNOWN
