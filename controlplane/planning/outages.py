"""What cannot be had: variants whose replicas find no node, or fail, and how long they are left alone.

A stock-out is remembered, since the plan would else ask for the same replicas again as soon as it has taken them back;
and it is tried again ever more seldom, since each try keeps a replica pending, and holds its role's downs, until the
deadline.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from controlplane.domain.decision import Outage, OutageKind, TargetInputs
from controlplane.domain.observation import VariantObservation

FIRST_BACK_OFF_S = 120.0
"""Two minutes after the first strike: a node that was about to come has come by then, and no user waits longer for the
cheaper variant than it takes to start the dearer one."""
LONGEST_BACK_OFF_S = 1800.0
"""Half an hour: spot markets and reservations change by the hour, and a try costs little then."""
FORGOTTEN_AFTER_S = 3600.0
"""Strikes are forgotten an hour after the last back-off ended without trouble: it is another market."""


@dataclass(frozen=True, slots=True)
class Cap:
    """At most so many replicas of a variant can be had, and why, in words."""

    most: int
    words: str


def back_off_s(strikes: int) -> float:
    """Seconds to leave a variant alone: 2, 4, 8, 16, 30 minutes."""
    return float(min(FIRST_BACK_OFF_S * 2.0 ** min(strikes - 1, 10), LONGEST_BACK_OFF_S))


def outages(inputs: TargetInputs, now_s: float) -> dict[str, Outage]:
    """The outages that memory holds, brought up to date with what is seen now."""
    known = inputs.memory.outages
    updated = ((v.name, _updated(inputs, v.name, known.get(v.name), now_s)) for v in inputs.target.variants)
    return {name: outage for name, outage in updated if outage is not None}


def caps(inputs: TargetInputs, known: Mapping[str, Outage], now_s: float) -> dict[str, tuple[Cap, ...]]:
    """What limits how many replicas of each variant can be had at `now_s`: outages, quotas and nodes."""
    around = inputs.surroundings
    found: dict[str, tuple[Cap, ...]] = {}
    for variant in inputs.target.variants:
        limits = []
        if variant.name in known:
            limits.append(_cap(inputs, variant.name, known[variant.name], now_s))
        if variant.name in around.most_replicas:
            most = around.most_replicas[variant.name]
            why = around.limits.get(variant.name) or "quotas and nodes"
            limits.append(Cap(max(0, most), f"{most} of {variant.name} at the most: {why}"))
        if limits:
            found[variant.name] = tuple(limits)
    return found


def standing(inputs: TargetInputs, known: Mapping[str, Outage], current: Mapping[str, int]) -> dict[str, int]:
    """What a hold holds, by variant: what is wanted now, less replicas that were asked for and find no node."""
    held = dict(current)
    for name, outage in known.items():
        seen = inputs.observation.variant(name)
        if seen is not None and name in held and outage.kind is OutageKind.STOCK_OUT:
            held[name] = min(held[name], served(seen) + _coming(inputs, seen))
    return held


def left_to_recover(inputs: TargetInputs, known: Mapping[str, Outage]) -> dict[str, int]:
    """Failing replicas, by variant, that are neither counted on nor taken away yet: until a second strike a crash may
    have been only one, and a restart is faster than a new replica."""
    seen = {name: inputs.observation.variant(name) for name, one in known.items() if one.kind is OutageKind.FAILED}
    return {n: one.failed for n, one in seen.items() if one is not None and one.failed and known[n].strikes == 1}


def served(seen: VariantObservation) -> int:
    """Ready replicas, a rollout's surge left out: it goes again by itself."""
    return min(seen.ready, seen.desired)


def lost(seen: VariantObservation) -> int:
    """Replicas that were Ready, did not come back by the deadline and are still counted among those that are wanted: a
    Deployment makes another one in place of a Pod that was evicted, and none in place of one that crashes."""
    return min(seen.crashed, max(0, seen.desired - seen.ready - seen.pending)) if seen.ready else 0


def is_overdue(inputs: TargetInputs, seen: VariantObservation) -> bool:
    """Whether one waits since before the pending deadline: then none of its kind is counted on."""
    return seen.pending > 0 and (seen.oldest_pending_s or 0.0) > inputs.target.policy.pending_deadline_s


def clock_words(at_s: float) -> str:
    """A time of day as an operator reads it."""
    return f"{datetime.fromtimestamp(at_s, UTC):%H:%M} UTC"


def _updated(inputs: TargetInputs, name: str, known: Outage | None, now_s: float) -> Outage | None:
    seen = inputs.observation.variant(name)
    if seen is None:
        return known
    if known is not None and seen.ready > known.ready:
        known = None  # one more came, so they can come
    elif known is not None:
        known = replace(known, ready=min(known.ready, _had(seen)))
    trouble = _trouble(inputs, seen)
    if trouble is None:
        gone = known is not None and now_s > known.until_s + FORGOTTEN_AFTER_S
        return None if gone else known
    if known is not None and known.kind is trouble and now_s < known.until_s:
        return known
    strikes = known.strikes + 1 if known is not None and known.kind is trouble else 1
    return Outage(trouble, now_s + back_off_s(strikes), strikes, _had(seen), _reason(seen, trouble))


def _trouble(inputs: TargetInputs, seen: VariantObservation) -> OutageKind | None:
    # What served and crashed beside others that serve says nothing of whether new ones can come.
    if seen.failed > seen.crashed or (seen.crashed and not seen.ready):
        return OutageKind.FAILED
    if not is_overdue(inputs, seen) or seen.ready >= seen.desired:
        return None
    return OutageKind.FAILED if seen.unschedulable == 0 else OutageKind.STOCK_OUT


def _had(seen: VariantObservation) -> int:
    """Replicas that are Ready, or were and restart: when those are back none has come that was not there."""
    return seen.ready + seen.restarting


def _reason(seen: VariantObservation, trouble: OutageKind) -> str:
    if trouble is OutageKind.STOCK_OUT:
        return ""
    return (seen.failing or "its replicas failed") if seen.failed else "not Ready by the pending deadline"


def _coming(inputs: TargetInputs, seen: VariantObservation) -> int:
    """Pending replicas that may still become Ready: beside one that waits in vain, none of its kind does."""
    return 0 if is_overdue(inputs, seen) else seen.pending


def _cap(inputs: TargetInputs, name: str, outage: Outage, now_s: float) -> Cap:
    seen = inputs.observation.variant(name)
    ready, coming = (0, 0) if seen is None else (served(seen), _coming(inputs, seen))
    is_out = outage.kind is OutageKind.STOCK_OUT
    if now_s < outage.until_s:
        what = "is stocked out" if is_out else f"fails ({outage.reason})"
        words = f"{name} {what}, so no more is asked for until {clock_words(outage.until_s)} (strike {outage.strikes})"
        return Cap(ready + coming, words)
    what = "was stocked out" if is_out else f"failed ({outage.reason})"
    return Cap(ready + max(1, coming), f"{name} {what}; one replica is asked for as a try")
