"""LoRA adapters: how many requests fit into a batch that may hold only some of them, and who waits for a slot.

vLLM schedules a request only if its adapter is among at most `--max-loras` different ones of the running batch; else it
is passed over until one of those has no request left (`vllm/v1/core/sched/scheduler.py`). Requests of the adapters that
are in go on being admitted meanwhile, so an adapter leaves only in a lull of its own.

Pages tell which adapters a replica was asked for, not how often. With A adapters that are all asked for alike, each by
a share p of the requests, a batch of n touches `D(n) = A(1 - (1 - p)^n)` of them. p is what makes D as large as it was
seen to be in the last minutes (`observing.adapter_use`). At most it is 1/A, where no request is of the base model: of
all shares even ones touch the most adapters (D is concave in each from a batch of one on), so they stand for what is
not known.

* Capacity. D(n) may not pass the slots, or the rest is never served: `n = ln(1 - slots/A) / ln(1 - p)`.
* Tail. Each adapter is busy for `q = 1 - (1 - p)^n` of the time: an M/G/infinity queue of load `x = -ln(1 - q)`, whose
  busy periods last `(e^x - 1)/x` stays. A request is deferred where its own adapter is not in and `slots` others are;
  slots fall free at the pace of the busy periods' ends, less those taken by others that wait.

benchmarks/lora_slots.py holds both beside a Monte Carlo of the scheduler's rule; docs/capacity.md has its table.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from scipy.special import bdtrc

from controlplane.domain.decision import Calibration, TargetInputs
from controlplane.domain.observation import LoraUse

MEMORY_S = 900.0
"""For so long adapters count that no page tells of any more: pages of engines that were just started tell nothing."""
CONTENTION = 0.8
"""Of the slots that fall free, what others that wait take where all are in use, less by the square of their use.
Fitted to the Monte Carlo: of 3 to 100 adapters on 2 to 16 slots, shares of 0.2 to 15 % that wait a fifth of a stay or
two come out within 1.3 times in the median and 1.9 at the 90th percentile; a constant half gives up to 5 times too
few."""
LONGEST_LOAD = 50.0
"""Of one adapter, beyond which its busy period has no end anyhow (and `exp` none either)."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """More adapters than slots. `share` is the part of a replica's requests that is of any one adapter, above 0."""

    slots: int
    adapters: int
    share: float

    @classmethod
    def of(cls, use: LoraUse | None) -> Crowd | None:
        """None where every adapter has a slot, or hardly a request has one: nothing binds."""
        if use is None or use.adapters <= use.slots or use.slots < 1:
            return None
        even = 1.0 / use.adapters
        share = even if use.share is None else min(use.share, even)
        return cls(use.slots, use.adapters, share) if share > 0 else None

    def touched(self, sequences: float) -> float:
        """D: different adapters in a batch of that size, in the mean."""
        return self.adapters * self._busy(sequences)

    def most_sequences(self) -> float:
        """The batch that touches as many adapters as there are slots, in the mean."""
        return math.log1p(-self.slots / self.adapters) / math.log1p(-self.share)

    def late(self, sequences: float, stay_s: float, limit_s: float) -> float:
        """Share of all requests that wait longer than `limit_s` for a slot, where `sequences` are in the batch in the
        mean, each for `stay_s`. Beyond `most_sequences` also what can never be served."""
        most = self.most_sequences()
        if sequences > most:
            return max(self.late(most, stay_s, limit_s), 1.0 - most / sequences)
        busy = self._busy(sequences)
        load = min(-math.log1p(-busy), LONGEST_LOAD)
        if load <= 0.0:
            return 0.0
        deferred = (1.0 - busy) * float(bdtrc(self.slots - 1, self.adapters - 1, busy))
        held_s = stay_s * math.expm1(load) / load
        freed_per_s = self.slots / held_s * (1.0 - CONTENTION * (self.adapters * busy / self.slots) ** 2)
        return self.adapters * self.share * deferred * math.exp(-limit_s * freed_per_s)

    def _busy(self, sequences: float) -> float:
        """q: the share of time in which one adapter has a request."""
        return -math.expm1(sequences * math.log1p(-self.share))


def with_lora(inputs: TargetInputs, known: Mapping[str, Calibration]) -> dict[str, Calibration]:
    """The calibrations with what pages say of adapters now, or said up to `MEMORY_S` ago.

    A variant of which no replica reports is taken to be used as the target's others are: it would take the same
    requests, and must not look better than they do for want of a page.
    """
    told = {name: _one(inputs, name, one) for name, one in known.items()}
    newest = max((one for one in told.values() if one.lora_at_s is not None), key=_told_at_s, default=None)
    if newest is None:
        return told
    silent = {n for n, one in told.items() if one.lora is None and not _reports(inputs, n)}
    return {n: replace(one, lora=newest.lora) if n in silent else one for n, one in told.items()}


def _told_at_s(known: Calibration) -> float:
    return known.lora_at_s or 0.0


def _reports(inputs: TargetInputs, name: str) -> bool:
    seen = inputs.observation.variant(name)
    return seen is not None and seen.reporting > 0


def _one(inputs: TargetInputs, name: str, known: Calibration) -> Calibration:
    seen, now_s = inputs.observation.variant(name), inputs.observation.at_s
    if seen is not None and seen.lora is not None:
        return replace(known, lora=seen.lora, lora_at_s=now_s)
    if known.lora_at_s is not None and known.lora_at_s > now_s - MEMORY_S:
        return known
    return known if known.lora is None else replace(known, lora=None, lora_at_s=None)
