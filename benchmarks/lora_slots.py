"""What LoRA slots do to waits, by a Monte Carlo of vLLM's rule, beside the planner's closed form:
`python -m benchmarks.lora_slots`.

Poisson requests of A adapters on one replica, each of whom stays in the batch for a lognormal time; nothing else holds
them back. A request is admitted if its adapter is in the batch or a slot is free; a slot that falls free goes to the
adapter that has waited longest, with all of its requests (FCFS that passes over, as the scheduler does). The closed
form is told what a page tells: how many adapters there are, and how many of them each of 400 batches touched.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from controlplane.domain.observation import LoraPage, LoraUse, Sample
from controlplane.observing.adapter_use import lora_use
from controlplane.planning.adapters import Crowd

CASES = ((3, 2), (4, 2), (5, 4), (8, 4), (16, 4), (50, 4), (10, 8), (16, 8), (50, 8), (40, 16), (100, 16))
"""Adapters and slots."""
FILLS = (0.3, 0.5, 0.7, 0.85, 1.0)
"""Adapters that the batch touches in the mean, over the slots."""
LIMITS = (0.2, 0.4)
"""Waits that are counted, in stays."""
COUNTED = (0.002, 0.15)
"""Shares that are compared: below, a play has too few; above, nobody plans."""
REQUESTS = 40_000
LOOKS = 400
SPREAD = 0.3
"""Of the stays: the variance of their logarithm, so that the coefficient of variation is 0.6."""


@dataclass(slots=True)
class Replica:
    """One engine's batch and queue, by adapter. Times are in stays."""

    slots: int
    adapters: int
    running: list[int] = field(init=False)
    waiting: list[list[float]] = field(init=False)
    ends: list[tuple[float, int]] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.running = [0] * self.adapters
        self.waiting = [[] for _ in range(self.adapters)]

    def in_use(self) -> int:
        """Slots that are taken."""
        return self.adapters - self.running.count(0)

    def come(self, now: float, adapter: int, stays: Sequence[float]) -> None:
        """A request comes; `stays` are drawn from one after the other as requests start."""
        while self.ends and self.ends[0][0] <= now:
            ended, left = heapq.heappop(self.ends)
            self.running[left] -= 1
            while self.in_use() < self.slots and any(self.waiting):
                first = min((w, one) for one, w in enumerate(self.waiting) if w)[1]
                for came in self.waiting[first]:
                    self._start(ended, came, first, stays)
                self.waiting[first] = []
        if self.running[adapter] or self.in_use() < self.slots:
            self._start(now, now, adapter, stays)
        else:
            self.waiting[adapter].append(now)

    def look(self, now: float) -> Sample:
        """What a page would tell."""
        every = [str(one) for one in range(self.adapters)]
        runs = tuple(name for name, count in zip(every, self.running, strict=True) if count)
        stuck = tuple(n for n, w, r in zip(every, self.waiting, self.running, strict=True) if w and not r)
        batch, queued = float(sum(self.running)), float(sum(map(len, self.waiting)))
        page = LoraPage(self.slots, (*runs, *stuck), tuple(every), stuck)
        return Sample("r", "v", now, batch, queued, finished_total=len(self.waits) - batch, lora=page)

    def _start(self, now: float, came: float, adapter: int, stays: Sequence[float]) -> None:
        self.running[adapter] += 1
        self.waits.append(now - came)
        heapq.heappush(self.ends, (now + stays[len(self.waits) % len(stays)], adapter))


def played(slots: int, shares: np.ndarray, sequences: float, seed: int = 7) -> tuple[np.ndarray, LoraUse]:
    """Waits of all requests, in stays, where `sequences` would be in the batch if none waited; and what pages told."""
    random = np.random.default_rng(seed)
    at = np.cumsum(random.exponential(1.0 / sequences, REQUESTS)).tolist()
    stays = random.lognormal(-SPREAD / 2.0, math.sqrt(SPREAD), REQUESTS).tolist()
    adapters = random.choice(len(shares), REQUESTS, p=shares).tolist()
    replica, looks = Replica(slots, len(shares)), list[Sample]()
    for request, (now, adapter) in enumerate(zip(at, adapters, strict=True)):
        replica.come(now, adapter, stays)
        if request % (REQUESTS // LOOKS) == 0:
            looks.append(replica.look(now))
    told = lora_use([looks])
    assert told is not None
    never = [at[-1] - came for queue in replica.waiting for came in queue]
    return np.array(replica.waits + never), told


def sequences_for(shares: np.ndarray, touched: float) -> float:
    """The batch that touches so many adapters in the mean."""
    low, high = 0.0, 1e5
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = (middle, high) if float(np.sum(1.0 - (1.0 - shares) ** middle)) < touched else (low, middle)
    return low


def mixes(adapters: int) -> dict[str, np.ndarray]:
    """Shares of requests: all alike, and by rank (Zipf's)."""
    ranks = 1.0 / np.arange(1, adapters + 1)
    return {"even": np.full(adapters, 1.0 / adapters), "zipf": ranks / ranks.sum()}


def main() -> None:
    """The table, and how far the closed form is off."""
    print("adapters slots  mix   in use  batch   late > 0.2 stay   late > 0.4 stay   most   told")
    ratios: dict[str, list[float]] = {"even": [], "zipf": []}
    for adapters, slots in CASES:
        for mix, shares in mixes(adapters).items():
            for fill in FILLS:
                sequences = sequences_for(shares, fill * slots)
                waits, told = played(slots, shares, sequences)
                crowd = Crowd.of(told)
                assert crowd is not None
                late = [float(np.mean(waits > limit)) for limit in LIMITS]
                model = [crowd.late(sequences, 1.0, limit) for limit in LIMITS]
                ratios[mix] += [m / p for m, p in zip(model, late, strict=True) if COUNTED[0] < p < COUNTED[1]]
                cells = "".join(f"  {p:7.2%} {m:7.2%} " for p, m in zip(late, model, strict=True))
                most = f"{sequences_for(shares, slots):6.1f} {crowd.most_sequences():6.1f}"
                print(f"{adapters:8} {slots:5}  {mix}  {fill:6.0%} {sequences:6.1f} {cells} {most}")
    for mix, found in ratios.items():
        median, high = np.exp(np.quantile(np.abs(np.log(found)), (0.5, 0.9)))
        low = np.mean(np.array(found) < 1)
        print(
            f"{mix}: {len(found)} shares of {COUNTED[0]:.1%} to {COUNTED[1]:.0%}; off by {median:.2f} times in the "
            f"median, {high:.2f} at the 90th percentile; {low:.0%} too few"
        )


if __name__ == "__main__":
    main()
