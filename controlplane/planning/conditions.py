"""What holds of a target, condition by condition, each with a word for machines and a sentence for people.

Messages carry times of day and not ages, so that a state that lasts keeps its words.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from controlplane.domain.decision import (
    ActuationResult,
    CapacityBound,
    Outage,
    OutageKind,
    Ruling,
    RulingEffect,
    Tick,
    Verdict,
)
from controlplane.domain.observation import (
    Conflict,
    ConflictKind,
    Fault,
    FaultKind,
    Replica,
    ReplicaPhase,
    VariantObservation,
)
from controlplane.domain.status import ConditionStatus, ConditionType, StockOut, Told
from controlplane.domain.target import Mode, Target
from controlplane.planning.outages import outages
from controlplane.planning.rules import says

FAULT_REASONS = {
    FaultKind.UNREACHABLE: "Unreachable",
    FaultKind.TIMEOUT: "ScrapeTimeout",
    FaultKind.TOO_LARGE: "PageTooLarge",
    FaultKind.BAD_STATUS: "BadStatus",
    FaultKind.NOT_METRICS: "NotMetrics",
    FaultKind.MISSING: "MissingMetric",
    FaultKind.RENAMED: "RenamedMetric",
    FaultKind.NOT_FINITE: "NotFiniteMetric",
    FaultKind.NEGATIVE: "NegativeMetric",
    FaultKind.STALE: "StaleMetrics",
    FaultKind.RESET: "CounterReset",
    FaultKind.DUPLICATE: "DuplicateMetric",
    FaultKind.NOT_AUTHORISED: "NotAuthorised",
    FaultKind.SECRET: "SecretUnavailable",
    FaultKind.UNTRUSTED: "UntrustedCertificate",
    FaultKind.REFUSED: "AddressRefused",
}
HELD_REASONS = {
    "mode": "Off",
    "freshness": "TooFewReports",
    "acquaintance": "GettingAcquainted",
    "pending": "ReplicasPending",
    "rollout": "Rollout",
    "drain": "Draining",
    "availability": "StockedOut",
    "tolerance": "WithinTolerance",
    "flaps": "Flapping",
    "stabilization": "Stabilizing",
    "rate": "RateLimited",
    "headroom": "Headroom",
    "skew": "RoleSkew",
    "idle": "NotIdleYet",
    "override": "Override",
    "freeze": "Frozen",
    "manual": "ManualScale",
    "conflict": "Conflicted",
    "spool": "SpoolUnwritable",
}
"""The word of a rule that held; `Held` for one that is not here."""
FAILED_RESULTS = {
    ActuationResult.CONFLICT: "WriteConflict",
    ActuationResult.FAILED: "WriteFailed",
    ActuationResult.REFUSED: "Refused",
}
SHOWN = 3
"""Faults, rivals or moves that one message names: more of them is a list for the web page, not for a terminal."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What holds now, before it is known since when."""

    type: ConditionType
    status: ConditionStatus
    reason: str
    message: str


def findings(told: Told) -> tuple[Finding, ...]:
    """Every condition of a target that was ticked, in the order of `ConditionType`."""
    return (ready(told), metrics_healthy(told), capacity_available(told), scaling(told), conflicted(told))


def ready(told: Told) -> Finding:
    """Whether the resource and its objects can be used."""
    if told.problems:
        return _finding(ConditionType.READY, False, "ScaleTargetUnusable", _listed(told.problems))
    every_s = told.tick.inputs.target.policy.interval_s
    return _finding(ConditionType.READY, True, "Planned", f"the resource is valid, and planned every {every_s:g} s")


def metrics_healthy(told: Told) -> Finding:
    """Whether every Ready replica's page says what is needed. Without a Ready replica nobody knows."""
    observation = told.tick.inputs.observation
    replicas = sum(v.ready for v in observation.variants)
    kind = ConditionType.METRICS_HEALTHY
    if observation.faults:
        grouped = _grouped(observation.faults)
        words = _listed(_fault_words(faults, replicas) for faults in grouped)
        return _finding(kind, False, FAULT_REASONS[grouped[0][0].kind], words)
    if observation.coverage is None:
        return Finding(kind, ConditionStatus.UNKNOWN, "NoReadyReplica", "no replica is Ready, so there is no page")
    reporting = sum(v.reporting for v in observation.variants)
    words = f"{reporting} of {replicas} Ready replicas report"
    return _finding(kind, reporting >= replicas, "Reporting" if reporting >= replicas else "NotReporting", words)


def _grouped(faults: Iterable[Fault]) -> list[list[Fault]]:
    """Faults of one kind and metric together, those of most replicas first."""
    found: dict[tuple[FaultKind, str], list[Fault]] = defaultdict(list)
    for fault in faults:
        found[fault.kind, fault.metric].append(fault)
    return sorted(found.values(), key=lambda group: (-len({f.replica for f in group}), group[0].kind, group[0].metric))


def _fault_words(faults: Sequence[Fault], replicas: int) -> str:
    """E.g. "vllm:gpu_cache_usage_perc on 2 of 3 replicas is now called vllm:kv_cache_usage_perc"."""
    first, count = faults[0], len({f.replica for f in faults})
    where = f"on {count} of {max(replicas, count)} replicas"
    if not first.metric:
        return f"{FAULT_REASONS[first.kind]} {where}" + (f": {first.detail}" if first.detail else "")
    if first.kind is FaultKind.MISSING:
        return f"{first.metric} {where} is missing" + (f" ({first.detail})" if first.detail else "")
    said = f"is {first.detail}" if first.kind is FaultKind.RENAMED else first.detail
    return f"{first.metric} {where} {said or FAULT_REASONS[first.kind]}"


def capacity_available(told: Told) -> Finding:
    """Whether what the load needs can be had: machines, quotas, bounds."""
    tick, kind = told.tick, ConditionType.CAPACITY_AVAILABLE
    out = stock_outs(told)
    if out:
        return _finding(kind, False, "StockedOut", _listed(stock_out_words(one) for one in out))
    failing = _counted(told, ReplicaPhase.FAILED)
    if failing:
        return _finding(kind, False, "ReplicasFailing", failing)
    if tick.plan.demand is None:
        return Finding(kind, ConditionStatus.UNKNOWN, "LoadUnknown", "the load is not known, so nothing can be planned")
    if not tick.plan.feasible:
        reason, limits = _shortage(tick)
        words = f"{tick.plan.demand.requests_per_s:.1f} requests/s are more than can be carried: {tick.plan.binding}"
        return _finding(kind, False, reason, f"{words}{limits}")
    waiting = _counted(told, ReplicaPhase.PENDING, "Unschedulable")
    if waiting:
        return Finding(kind, ConditionStatus.UNKNOWN, "Unschedulable", waiting)
    if tick.plan.binding:
        return _finding(kind, True, "DomainShareExceeded", f"all is carried, but not spread: {tick.plan.binding}")
    return _finding(kind, True, "Enough", "what the load needs is within bounds, quotas and machines")


def _shortage(tick: Tick) -> tuple[str, str]:
    """Which kind of bound held the plan, and what a quota or the nodes say."""
    around, plan, target = tick.inputs.surroundings, tick.plan, tick.inputs.target
    quotas = [n for n, most in around.most_replicas.items() if plan.replicas.get(n, 0) >= most]
    if quotas:
        said = [f"{n}: {around.limits[n]}" for n in quotas if n in around.limits]
        return "Quota", f"; {_listed(said)}" if said else ""
    if any(plan.replicas.get(v.name, 0) >= v.max_replicas for v in target.variants):
        return "Bounds", ""
    if plan.capacities and all(c.bound is CapacityBound.INFEASIBLE for c in plan.capacities):
        return "SloUnreachable", ""
    return "Accelerators", ""


def stock_outs(told: Told) -> tuple[StockOut, ...]:
    """Variants that are left alone for a while, and those with a replica past the policy's deadline: a stock-out is no
    promise."""
    tick = told.tick
    late = {seen.variant: _late(told, seen) for seen in _past_deadline(tick)}
    held = {
        name: _left_alone(name, outage, late.get(name))
        for name, outage in outages(tick.inputs, tick.at_s).items()
        if outage.until_s > tick.at_s
    }
    return tuple({**late, **held}.values())


def _left_alone(variant: str, outage: Outage, late: StockOut | None) -> StockOut:
    if outage.kind is OutageKind.FAILED:
        return StockOut(variant, "ReplicasFailing", None, outage.until_s)
    if late is not None:
        return replace(late, until_s=outage.until_s)
    return StockOut(variant, outage.reason or str(outage.kind), None, outage.until_s)


def _past_deadline(tick: Tick) -> list[VariantObservation]:
    deadline_s = tick.inputs.target.policy.pending_deadline_s
    seen = tick.inputs.observation.variants
    return [v for v in seen if v.pending and v.oldest_pending_s is not None and v.oldest_pending_s > deadline_s]


def _late(told: Told, seen: VariantObservation) -> StockOut:
    own = [r for r in told.replicas if r.variant == seen.variant and r.phase is ReplicaPhase.PENDING]
    oldest = min(own, key=lambda r: r.waits_since_s, default=None)
    reason = oldest.reason if oldest is not None and oldest.reason else "Pending"
    return StockOut(seen.variant, reason.partition(":")[0], told.tick.at_s - (seen.oldest_pending_s or 0.0))


def stock_out_words(out: StockOut) -> str:
    """E.g. "variant h100 Unschedulable since 2026-01-05T13:53Z; next try at 2026-01-05T14:05Z"."""
    since = "" if out.since_s is None else f" since {clock_words(out.since_s)}"
    later = "" if out.until_s is None else f"; next try at {clock_words(out.until_s)}"
    return f"variant {out.variant} {out.reason}{since}{later}"


def _counted(told: Told, phase: ReplicaPhase, reason: str | None = None) -> str:
    """Replicas of a phase (and reason) by variant, since when and why; empty where there are none."""
    own = [r for r in told.replicas if r.phase is phase and reason in (None, r.reason)]
    return _listed(_count_words([r for r in own if r.variant == name]) for name in sorted({r.variant for r in own}))


def _count_words(own: Sequence[Replica]) -> str:
    reasons = "/".join(sorted({r.reason or r.phase.value for r in own}))
    return f"{len(own)} of {own[0].variant} {reasons}, the oldest from {clock_words(min(r.created_at_s for r in own))}"


def scaling(told: Told) -> Finding:
    """Whether what is decided is also done; if not, what keeps it."""
    tick, kind = told.tick, ConditionType.SCALING
    decision, target = tick.decision, tick.inputs.target
    if target.policy.mode is not Mode.LIVE:
        words = f"mode is {target.policy.mode}, so nothing is patched; {decision.reason}"
        return _finding(kind, False, target.policy.mode.value, words)
    failed = [a for a in tick.actuations if a.result in FAILED_RESULTS]
    if failed:
        words = _listed(f"{a.variant} {a.replicas_from} -> {a.replicas_to} {a.result}: {a.detail}" for a in failed)
        return _finding(kind, False, FAILED_RESULTS[failed[0].result], words)
    if decision.verdict in (Verdict.UP, Verdict.DOWN):
        return _finding(kind, True, "AsDecided", decision.reason)
    held = [r for r in decision.trail if _held(r)]
    if held:
        return _finding(kind, False, HELD_REASONS.get(held[-1].rule, "Held"), held[-1].reason)
    return _finding(kind, True, "AsPlanned", decision.reason)


def _held(ruling: Ruling) -> bool:
    """Whether it kept a change from happening. Bounds that clip a wish are the wish of whoever set them, for good; an
    override or a freeze is somebody's for a time, and whoever reads a status must find it."""
    if says(ruling):
        return True
    return ruling.effect in (RulingEffect.HOLD, RulingEffect.ABSTAIN) or (
        ruling.effect is RulingEffect.LIMIT and ruling.rule == "rate"
    )


def conflicted(told: Told) -> Finding:
    """Whether somebody else says how many replicas there are, and what to do about it."""
    target, rivals = told.tick.inputs.target, told.tick.inputs.surroundings.conflicts
    kind = ConditionType.CONFLICTED
    if not rivals:
        return _finding(kind, False, "NoRival", "nobody else scales the target's objects")
    if target.policy.takeover and target.policy.mode is not Mode.LIVE:
        words = _listed(f"{_who(rival)} scales {rival.variant}" for rival in rivals)
        return _finding(kind, False, "LeftToRival", f"{words}, and may: nothing is patched in {target.policy.mode}")
    if target.policy.takeover:
        words = _listed(f"{_who(rival)} scales {rival.variant} too" for rival in rivals)
        return _finding(kind, False, "TakenOver", f"{words}; it is overridden, since takeover is true")
    words = _listed(_rival_words(target, rival) for rival in rivals)
    tail = "" if target.policy.mode is Mode.LIVE else f"; nothing is patched in {target.policy.mode}"
    return _finding(kind, True, rivals[0].kind.value, f"{words}{tail}")


_MENDING = {
    ConflictKind.HPA: "delete it or set takeover: true",
    ConflictKind.SCALED_OBJECT: "delete it or set takeover: true",
    ConflictKind.AUTOSCALER: "leave the object to one of the two",
    ConflictKind.FIELD_MANAGER: "stop it or set takeover: true",
    ConflictKind.GITOPS: "have it ignore spec.replicas or set takeover: true",
}
_SHORT = {ConflictKind.HPA: "HPA", ConflictKind.FIELD_MANAGER: "field manager", ConflictKind.GITOPS: "GitOps tool"}


def _rival_words(target: Target, rival: Conflict) -> str:
    """E.g. "HPA chat scales the same Deployment chat-h100; delete it or set takeover: true"."""
    refs = [v.ref for v in target.variants if v.name == rival.variant]
    scaled = f"{refs[0].kind} {refs[0].name}" if refs else f"object of {rival.variant}"
    detail = f" ({rival.detail})" if rival.detail else ""
    return f"{_who(rival)} scales the same {scaled}{detail}; {_MENDING[rival.kind]}"


def _who(rival: Conflict) -> str:
    return f"{_SHORT.get(rival.kind, rival.kind.value)} {rival.name}"


def clock_words(at_s: float) -> str:
    """A time of day in UTC, with the day: `2026-01-05T14:05Z`."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%MZ")


def _finding(kind: ConditionType, holds: bool, reason: str, message: str) -> Finding:
    return Finding(kind, ConditionStatus.TRUE if holds else ConditionStatus.FALSE, reason, message)


def _listed(words: Iterable[str]) -> str:
    """The first few, and how many more there are."""
    whole = list(words)
    more = f"; and {len(whole) - SHOWN} more" if len(whole) > SHOWN else ""
    return "; ".join(whole[:SHOWN]) + more
