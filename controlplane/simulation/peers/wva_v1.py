"""WVA's saturation analyzer V1 (llm-d-workload-variant-autoscaler): spare share, one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReplicaLoad:
    """One replica's worst minute: share of KV in use and requests in its queue. `kv_tokens` is its KV capacity."""

    variant: str
    kv_usage: float
    queue: float
    kv_tokens: float | None = None


@dataclass(frozen=True, slots=True)
class VariantState:
    """One variant of a model in one role. `desired` is what was last decided, None before the first decision."""

    name: str
    usd_per_hour: float
    current: int
    ready: int
    low: int
    high: int
    desired: int | None = None

    @property
    def pending(self) -> int:
        """Replicas that are wanted and not Ready."""
        return max(0, self.current - self.ready)

    def clamp(self, replicas: int) -> int:
        """The nearest number within the bounds."""
        return max(self.low, min(self.high, replicas))


@dataclass(frozen=True, slots=True)
class V1Thresholds:
    """Defaults of deploy/configmap-saturation-scaling.yaml."""

    kv_cache: float = 0.80
    """kvCacheThreshold: a replica above is saturated."""
    queue_length: float = 5.0
    """queueLengthThreshold: a replica above is saturated."""
    kv_spare: float = 0.10
    """kvSpareTrigger."""
    queue_spare: float = 3.0
    """queueSpareTrigger."""


def decide(
    replicas: Sequence[ReplicaLoad], variants: Sequence[VariantState], thresholds: V1Thresholds
) -> dict[str, int]:
    """Replicas by variant: one more of the cheapest, one less of the dearest, or as it is.

    While one variant's replicas are on their way, or a decision is not carried out yet, nothing moves.
    """
    if not replicas:
        return {v.name: v.current for v in variants}
    if any(_in_transition(v) for v in variants if any(r.variant == v.name for r in replicas)):
        return {v.name: v.desired or v.current for v in variants}
    wanted = {v.name: v.current for v in variants}
    up, down = _directions(replicas, thresholds)
    if up:
        wanted[min(variants, key=lambda v: (v.usd_per_hour, v.name)).name] += 1
    elif down and any(v.current > 1 for v in variants):
        dearest = max((v for v in variants if v.current > 1), key=lambda v: (v.usd_per_hour, v.name))
        wanted[dearest.name] -= 1
    return {v.name: v.clamp(wanted[v.name]) for v in variants}


def _in_transition(variant: VariantState) -> bool:
    undone = variant.desired is not None and variant.desired not in (0, variant.current)
    return undone or variant.pending > 0


def _directions(replicas: Sequence[ReplicaLoad], thresholds: V1Thresholds) -> tuple[bool, bool]:
    """(up, down is safe). Spare is the healthy replicas' mean; down is safe if one fewer would leave the triggers."""
    healthy = [r for r in replicas if r.kv_usage < thresholds.kv_cache and r.queue < thresholds.queue_length]
    count = len(healthy)
    if not count:
        return True, False
    kv_used = sum(r.kv_usage for r in healthy) / count
    queue_used = sum(r.queue for r in healthy) / count
    kv_low = thresholds.kv_cache - kv_used < thresholds.kv_spare
    queue_low = thresholds.queue_length - queue_used < thresholds.queue_spare
    if kv_low or queue_low or count < 2:
        return kv_low or queue_low, False
    crowding = count / (count - 1)
    kv_left = thresholds.kv_cache - kv_used * crowding >= thresholds.kv_spare
    queue_left = thresholds.queue_length - queue_used * crowding >= thresholds.queue_spare
    return False, kv_left and queue_left
