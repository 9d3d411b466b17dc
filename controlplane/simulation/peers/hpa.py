"""Kubernetes' HorizontalPodAutoscaler v2 (pkg/controller/podautoscaler, 1.36): its proposals and its behavior.

The sum and the limits are separate things: a proposal comes from one metric, and the behavior turns proposals into
replicas by stabilisation windows, rate limits and bounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from controlplane.domain.target import ScalingPolicyType, ScalingRules, SelectPolicy
from controlplane.simulation.peers.workload import Bounds

_Pick = Callable[[Sequence[int]], int]

TOLERANCE = 0.1
"""--horizontal-pod-autoscaler-tolerance: within 10 % of the target nothing changes."""


def pods_proposal(
    values: Sequence[float | None], pending: int, current: int, target: float, tolerance: float = TOLERANCE
) -> int | None:
    """Replicas for a metric of type Pods whose mean should be `target`; None where no pod has it.

    `values` are of the running pods, None for one without the metric; `pending` pods have none yet. For safety's
    sake those are then counted: at 0 where it would go up, and missing ones at the target where it would go down.
    """
    had = [value for value in values if value is not None]
    if not had:
        return None
    missing = len(values) - len(had)
    ratio = sum(had) / len(had) / target
    count_pending = pending > 0 and ratio > 1.0
    if not missing and not count_pending:
        return current if _within(ratio, tolerance) else _ceil(ratio * len(had))
    filled = [*had, *([target if ratio < 1.0 else 0.0] * missing), *([0.0] * (pending if count_pending else 0))]
    return _cautious(ratio, sum(filled) / len(filled) / target, len(filled), current, tolerance)


def _cautious(ratio: float, filled_ratio: float, pods: int, current: int, tolerance: float) -> int:
    """With assumed values in it, a proposal must neither turn round nor go against the direction."""
    turned = (ratio < 1.0 < filled_ratio) or (ratio > 1.0 > filled_ratio)
    if _within(filled_ratio, tolerance) or turned:
        return current
    wanted = _ceil(filled_ratio * pods)
    against = (filled_ratio < 1.0 and wanted > current) or (filled_ratio > 1.0 and wanted < current)
    return current if against else wanted


def average_value_proposal(total: float, current: int, target: float, tolerance: float = TOLERANCE) -> int:
    """Replicas for an External metric of type AverageValue, which is what KEDA asks for: `total / target`."""
    if current and _within(total / (target * current), tolerance):
        return current
    return _ceil(total / target)


def _within(ratio: float, tolerance: float) -> bool:
    return 1.0 - tolerance <= ratio <= 1.0 + tolerance


def _ceil(value: float) -> int:
    """Go computes in integer thousandths: what is beyond them is rounding, and must not add a replica."""
    return math.ceil(round(value, 6))


class Behavior:
    """`spec.behavior` with its memory: proposals and changes of the past."""

    def __init__(self, bounds: Bounds, up: ScalingRules, down: ScalingRules) -> None:
        self._bounds = bounds
        self._up, self._down = up, down
        self._proposals: list[tuple[float, int]] | None = None
        self._changes: list[tuple[float, int]] = []

    def step(self, now_s: float, current: int, proposal: int) -> int:
        """Replicas from now on. Bounds come first; then the windows; then the limits. Nought replicas is 'disabled'."""
        if self._proposals is None:
            self._proposals = [(now_s, current)]
        if current == 0 and self._bounds.low > 0:
            return 0
        if self._bounds.clamp(current) != current:
            return self._changed(now_s, current, self._bounds.clamp(current))
        return self._changed(now_s, current, self._limited(now_s, current, self._stable(now_s, current, proposal)))

    def _stable(self, now_s: float, current: int, proposal: int) -> int:
        """Up no further than the lowest proposal of the up window, down no further than the highest of the down one."""
        past = self._proposals or []
        up_s, down_s = self._up.stabilization_window_s, self._down.stabilization_window_s
        lowest = min([proposal, *(n for at_s, n in past if at_s > now_s - up_s)])
        highest = max([proposal, *(n for at_s, n in past if at_s > now_s - down_s)])
        kept = [(at_s, n) for at_s, n in past if at_s > now_s - max(up_s, down_s)]
        self._proposals = [*kept, (now_s, proposal)]
        return min(max(current, lowest), highest)

    def _limited(self, now_s: float, current: int, wanted: int) -> int:
        if wanted > current:
            return min(wanted, max(current, self._up_limit(now_s, current)), self._bounds.high)
        if wanted < current:
            return max(wanted, min(current, self._down_limit(now_s, current)), self._bounds.low)
        return current

    def _up_limit(self, now_s: float, current: int) -> int:
        starts = [(p, self._at_start(now_s, p.period_s, current)) for p in self._up.policies]
        limits = [
            n + p.value if p.type is ScalingPolicyType.PODS else _ceil(n * (1.0 + p.value / 100.0)) for p, n in starts
        ]
        return _selected(self._up.select_policy, limits, current, largest=max, smallest=min)

    def _down_limit(self, now_s: float, current: int) -> int:
        starts = [(p, self._at_start(now_s, p.period_s, current)) for p in self._down.policies]
        limits = [
            n - p.value if p.type is ScalingPolicyType.PODS else int(n * (1.0 - p.value / 100.0)) for p, n in starts
        ]
        return _selected(self._down.select_policy, limits, current, largest=min, smallest=max)

    def _at_start(self, now_s: float, period_s: float, current: int) -> int:
        """Replicas at the beginning of a policy's period."""
        return current - sum(change for at_s, change in self._changes if at_s > now_s - period_s)

    def _changed(self, now_s: float, current: int, wanted: int) -> int:
        longest_s = max((p.period_s for p in (*self._up.policies, *self._down.policies)), default=0.0)
        self._changes = [(at_s, n) for at_s, n in self._changes if at_s > now_s - longest_s]
        if wanted != current:
            self._changes.append((now_s, wanted - current))
        return wanted


def _selected(select: SelectPolicy, limits: Sequence[int], current: int, largest: _Pick, smallest: _Pick) -> int:
    """`largest` and `smallest` pick by the size of the change."""
    if select is SelectPolicy.DISABLED or not limits:
        return current
    return largest(limits) if select is SelectPolicy.MAX else smallest(limits)
