"""LoRA adapters: how many requests fit into a batch that may hold only some of them, and who waits for a slot.

vLLM schedules a request only if its adapter is among at most `--max-loras` different ones of the running batch; else it
is passed over until one of those has no request left (`vllm/v1/core/sched/scheduler.py`). Requests of the adapters that
are in go on being admitted meanwhile, so an adapter leaves only in a lull of its own.

Each adapter has a share of the requests, as far as pages tell (`observing.adapter_use`): those asked for most, of which
there are as many as slots, have one, and the others a smaller one. Where that is not known all have an even share, and
no request is of the base model: of all shares even ones make a batch touch the most adapters (`1 - (1 - p)^n` is
concave in p from a batch of one on). A batch of n touches `D(n)`, the sum of these, in the mean.

* Capacity. Where D passes the slots, the rest is not served: the adapters asked for least wait for lulls of the others.
* Tail. An adapter is busy for `q = 1 - (1 - p)^n` of the time: an M/G/infinity queue of load `x = -ln(1 - q)`, whose
  busy periods last `(e^x - 1)/x` stays. A request is deferred where its own adapter is not in and as many others are as
  there are slots; slots fall free at the pace of the busy periods' ends, less those taken by others that wait.

benchmarks/lora_slots.py holds both beside a Monte Carlo of the scheduler's rule; docs/capacity.md has its table.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import bdtr, bdtrc

from controlplane.domain.decision import Calibration, TargetInputs
from controlplane.domain.observation import LoraUse

MEMORY_S = 900.0
"""For so long adapters count that no page tells of any more: pages of engines that were just started tell nothing."""
CONTENTION = 0.8
"""Of the slots that fall free, what others that wait take where all are in use, less by the square of their use.
Fitted to the Monte Carlo, which benchmarks/lora_slots.py repeats; a constant half gives up to 5 times too few late."""
LONGEST_LOAD = 50.0
"""Of one adapter, beyond which its busy period has no end anyhow (and `exp` none either)."""
MOST_BATCH = 1e6
_HALVINGS = 60


@dataclass(frozen=True, slots=True)
class Crowd:
    """More adapters than slots. `share` is the part of a replica's requests that is of any one of the `slots` adapters
    asked for most, `rest` that of any one of the others, above 0."""

    slots: int
    adapters: int
    share: float
    rest: float

    @classmethod
    def of(cls, use: LoraUse | None) -> Crowd | None:
        """None where every adapter has a slot, or hardly a request is of the others: nothing binds."""
        if use is None or use.adapters <= use.slots or use.slots < 1:
            return None
        even = 1.0 / use.adapters
        share, rest = (even, even) if use.share is None or use.rest is None else (use.share, use.rest)
        return cls(use.slots, use.adapters, min(share, 1.0 / use.slots), min(rest, even)) if rest > 0 else None

    @property
    def others(self) -> int:
        """Adapters beyond the slots."""
        return self.adapters - self.slots

    @property
    def starving(self) -> float:
        """Share of the requests that is never served where the slots never fall free: those of the others."""
        return self.others * self.rest

    def touched(self, sequences: float) -> float:
        """D: different adapters in a batch of that size, in the mean."""
        return self.slots * _busy(self.share, sequences) + self.others * _busy(self.rest, sequences)

    def most_sequences(self) -> float:
        """The batch that touches as many adapters as there are slots, in the mean."""
        low, high = 0.0, MOST_BATCH
        for _ in range(_HALVINGS):
            middle = (low + high) / 2.0
            low, high = (middle, high) if self.touched(middle) < self.slots else (low, middle)
        return high

    def late(self, sequences: float, stay_s: float, limit_s: float) -> float:
        """Share of all requests that wait longer than `limit_s` for a slot, where `sequences` are in the batch in the
        mean, each for `stay_s`. Beyond `most_sequences` also of what is never served."""
        if self.touched(sequences) <= self.slots:
            return self._late(sequences, stay_s, limit_s)
        most = self.most_sequences()
        return max(self._late(most, stay_s, limit_s), self.starving * (1.0 - most / sequences))

    def _late(self, sequences: float, stay_s: float, limit_s: float) -> float:
        busy, rare = _busy(self.share, sequences), _busy(self.rest, sequences)
        touched = self.slots * busy + self.others * rare
        if touched <= 0.0:
            return 0.0
        # Of a slot in use: how often it falls free, by whose it is.
        ends = (self.slots * busy * _ends(busy) + self.others * rare * _ends(rare)) / touched / stay_s
        freed_per_s = self.slots * ends * (1.0 - CONTENTION * min(touched / self.slots, 1.0) ** 2)
        mine = self.slots * self.share * (1.0 - busy) * self._taken(self.slots - 1, busy, self.others, rare)
        theirs = self.starving * (1.0 - rare) * self._taken(self.slots, busy, self.others - 1, rare)
        return (mine + theirs) * math.exp(-limit_s * freed_per_s)

    def _taken(self, many: int, busy: float, few: int, rare: float) -> float:
        """P(all slots are in use), by `many` adapters that are busy so often and `few` that are so much less."""
        counts = np.arange(self.slots)
        exactly = np.diff(bdtr(counts, many, busy), prepend=0.0)[: many + 1]
        rest = np.where(self.slots - 1 - counts < few, bdtrc(self.slots - 1 - counts, max(few, 1), rare), 0.0)
        every = 1.0 - float(exactly.sum())
        return min(1.0, max(0.0, every + float(np.dot(exactly, rest[: len(exactly)]))))


def with_lora(inputs: TargetInputs, known: Mapping[str, Calibration]) -> dict[str, Calibration]:
    """The calibrations with what pages say of adapters now, or said up to `MEMORY_S` ago.

    A variant of which no page tells of requests is taken to be used as the target's others are: it would take the same
    ones, and must not look better than they do for want of a page.
    """
    told = {name: _one(inputs, name, one) for name, one in known.items()}
    newest = max((one for one in told.values() if one.lora_at_s is not None), key=_told_at_s, default=None)
    if newest is None:
        return told
    silent = {n for n, one in told.items() if one.lora is None and not _is_busy(inputs, n)}
    return {n: replace(one, lora=newest.lora) if n in silent else one for n, one in told.items()}


def _told_at_s(known: Calibration) -> float:
    return known.lora_at_s or 0.0


def _is_busy(inputs: TargetInputs, name: str) -> bool:
    """Whether its pages tell of requests: they would tell of adapters too."""
    seen = inputs.observation.variant(name)
    return seen is not None and bool(seen.running or seen.finished_rps)


def _one(inputs: TargetInputs, name: str, known: Calibration) -> Calibration:
    seen, now_s = inputs.observation.variant(name), inputs.observation.at_s
    if seen is not None and seen.lora is not None:
        return replace(known, lora=seen.lora, lora_at_s=now_s)
    if known.lora_at_s is not None and known.lora_at_s > now_s - MEMORY_S:
        return known
    return known if known.lora is None else replace(known, lora=None, lora_at_s=None)


def _busy(share: float, sequences: float) -> float:
    """q: the share of time in which an adapter with that share of the requests has one."""
    return 1.0 if share >= 1.0 else -math.expm1(sequences * math.log1p(-share))


def _ends(busy: float) -> float:
    """Busy periods that end in a stay, of an adapter that is busy for that share of the time."""
    load = LONGEST_LOAD if busy >= 1.0 else min(-math.log1p(-busy), LONGEST_LOAD)
    return load / math.expm1(load) if load > 0.0 else 1.0
