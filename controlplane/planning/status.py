"""A tick -> the status of its custom resource. Pure: what was said before is an argument."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from controlplane.domain.decision import Tick
from controlplane.domain.status import (
    Condition,
    ConditionStatus,
    ConditionType,
    TargetStatus,
    Told,
    VariantStatus,
)
from controlplane.domain.target import Target
from controlplane.planning.conditions import Finding, findings, stock_outs


def status_of(told: Told, before: TargetStatus | None) -> TargetStatus:
    """The status after a tick; `before` is what was said last."""
    tick = told.tick
    target, seen, decision = tick.inputs.target, tick.inputs.observation, tick.decision
    return TargetStatus(
        observed_generation=target.generation,
        conditions=_dated(findings(told), target.generation, tick.at_s, before),
        reason=decision.reason,
        mode=target.policy.mode,
        verdict=decision.verdict,
        ready=sum(v.ready for v in seen.variants) if seen.variants else None,
        desired=sum(decision.desired.values()) if decision.desired else None,
        attainment=seen.attainment,
        at_s=tick.at_s,
        variants=_variants(told),
    )


def status_of_off(target: Target, now_s: float, before: TargetStatus | None) -> TargetStatus:
    """The status of a valid resource that is Off: nothing is known of it, and that is what it says."""
    words = "mode is Off, so the target is not looked at"
    found = (
        Finding(ConditionType.READY, ConditionStatus.TRUE, "Off", f"the resource is valid; {words}"),
        Finding(ConditionType.SCALING, ConditionStatus.FALSE, "Off", words),
        *_unknown("Off", words, ConditionType.READY, ConditionType.SCALING),
    )
    return TargetStatus(
        observed_generation=target.generation,
        conditions=_dated(_ordered(found), target.generation, now_s, before),
        reason=words,
        mode=target.policy.mode,
        at_s=before.at_s if before else None,
    )


def status_of_problem(
    reason: str, message: str, generation: int, now_s: float, before: TargetStatus | None
) -> TargetStatus:
    """The status of a resource that cannot be used; `message` names the field, `reason` is one CamelCase word."""
    found = (
        Finding(ConditionType.READY, ConditionStatus.FALSE, reason, message),
        Finding(ConditionType.SCALING, ConditionStatus.FALSE, reason, "not scaled while the resource cannot be used"),
        *_unknown(
            reason, "not looked at while the resource cannot be used", ConditionType.READY, ConditionType.SCALING
        ),
    )
    return TargetStatus(
        observed_generation=generation,
        conditions=_dated(_ordered(found), generation, now_s, before),
        reason=message,
        at_s=before.at_s if before else None,
    )


def is_news(before: TargetStatus | None, after: TargetStatus) -> bool:
    """Whether it must be written at once: a state changed, not only its figures and words.

    Attainment, weights and the sentences change with nearly every tick; 500 targets that wrote each of them would be
    33 writes a second of an etcd that has better things to do.
    """
    return before is None or _states(before) != _states(after)


def _states(status: TargetStatus) -> object:
    return (
        status.observed_generation,
        status.mode,
        status.verdict,
        status.ready,
        status.desired,
        status.attainment is None,
        tuple(replace(v, routing_weight=None) for v in status.variants),
        tuple((c.type, c.status, c.reason, c.observed_generation) for c in status.conditions),
    )


def _variants(told: Told) -> tuple[VariantStatus, ...]:
    tick, until = told.tick, {out.variant: out.until_s for out in stock_outs(told)}
    return tuple(_variant(tick, variant.name, until.get(variant.name)) for variant in tick.inputs.target.variants)


def _variant(tick: Tick, name: str, until_s: float | None) -> VariantStatus:
    seen, weight = tick.inputs.observation.variant(name), tick.plan.weights.get(name)
    return VariantStatus(
        name=name,
        ready=None if seen is None else seen.ready,
        pending=None if seen is None else seen.pending,
        desired=tick.decision.desired.get(name),
        stocked_out_until_s=until_s,
        routing_weight=None if weight is None else round(100.0 * weight),
    )


def _unknown(reason: str, message: str, *known: ConditionType) -> Iterable[Finding]:
    return [Finding(kind, ConditionStatus.UNKNOWN, reason, message) for kind in ConditionType if kind not in known]


def _ordered(found: Iterable[Finding]) -> list[Finding]:
    order = list(ConditionType)
    return sorted(found, key=lambda finding: order.index(finding.type))


def _dated(
    found: Sequence[Finding], generation: int, now_s: float, before: TargetStatus | None
) -> tuple[Condition, ...]:
    """Findings with the time since when their status holds: it moves only when the status does."""
    dated = []
    for finding in found:
        last = before.condition(finding.type) if before else None
        since_s = last.changed_at_s if last is not None and last.status is finding.status else now_s
        dated.append(Condition(finding.type, finding.status, finding.reason, finding.message, generation, since_s))
    return tuple(dated)
