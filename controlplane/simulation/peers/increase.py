"""What a pool of replicas did over a time: differences of their counters, summed, as Prometheus' `sum(increase())`."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from controlplane.domain.observation import Histogram, Sample
from controlplane.observing.histograms import difference, mean, total
from controlplane.observing.window import Delta, SampleWindow, delta


@dataclass(frozen=True, slots=True)
class Increase:
    """A pool's counters, or what they grew by. Histograms are None before the first request."""

    arrivals: float = 0.0
    """By flow conservation: completions and the change of running + waiting."""
    finished: float = 0.0
    prompt_tokens: float = 0.0
    """Read by the engines; the lengths below are of requests that ended."""
    iterations: float = 0.0
    """Engine steps."""
    ttft_s: Histogram | None = None
    tpot_s: Histogram | None = None
    itl_s: Histogram | None = None
    prompt_lengths: Histogram | None = None
    output_lengths: Histogram | None = None

    @property
    def input_tokens(self) -> float | None:
        """Mean prompt of the requests that ended; None where none did."""
        return mean(self.prompt_lengths)

    @property
    def output_tokens(self) -> float | None:
        """Mean answer of the requests that ended; None where none did."""
        return mean(self.output_lengths)


class PoolCounters:
    """Running totals of a pool whose replicas come and go, kept for `keep_s` seconds."""

    def __init__(self, keep_s: float) -> None:
        self._keep_s = keep_s
        self._total = Increase()
        self._history: deque[tuple[float, Increase]] = deque()
        self._newest: dict[str, Sample] = {}

    def add(self, now_s: float, samples: Iterable[Sample]) -> None:
        """Note a scrape of the pool. A replica's first scrape counts if it was started after the scrape before."""
        fresh = {sample.replica: sample for sample in samples}
        for name, sample in fresh.items():
            before = self._newest.get(name)
            if before is not None or self._began_since(sample):
                self._grow(before, sample)
        self._newest = fresh
        self._history.append((now_s, self._total))
        while len(self._history) > 1 and self._history[1][0] <= now_s - self._keep_s:
            self._history.popleft()

    def since(self, from_s: float) -> Increase:
        """What happened since the scrape at or just before `from_s`; since the first one where that is later."""
        base = next((t for at_s, t in reversed(self._history) if at_s <= from_s), self._history[0][1])
        return _less(self._total, base)

    def _began_since(self, sample: Sample) -> bool:
        last_s = self._history[-1][0] if self._history else sample.at_s
        return sample.started_at_s is not None and sample.started_at_s >= last_s

    def _grow(self, before: Sample | None, now: Sample) -> None:
        pair = (now,) if before is None else (before, now)
        change = delta(SampleWindow({now.replica: pair}), now.replica, now.at_s, 0.0)
        if change is not None:
            self._total = _plus(self._total, change)


def _plus(base: Increase, change: Delta) -> Increase:
    return Increase(
        arrivals=base.arrivals + (change.arrivals or 0.0),
        finished=base.finished + (change.finished or 0.0),
        prompt_tokens=base.prompt_tokens + (change.prompt_tokens or 0.0),
        iterations=base.iterations + (change.iterations.count if change.iterations is not None else 0.0),
        ttft_s=total((base.ttft_s, change.ttft_s)),
        tpot_s=total((base.tpot_s, change.tpot_s)),
        itl_s=total((base.itl_s, change.itl_s)),
        prompt_lengths=total((base.prompt_lengths, change.prompt_lengths)),
        output_lengths=total((base.output_lengths, change.output_lengths)),
    )


def _less(newer: Increase, older: Increase) -> Increase:
    return Increase(
        arrivals=newer.arrivals - older.arrivals,
        finished=newer.finished - older.finished,
        prompt_tokens=newer.prompt_tokens - older.prompt_tokens,
        iterations=newer.iterations - older.iterations,
        ttft_s=_grown(newer.ttft_s, older.ttft_s),
        tpot_s=_grown(newer.tpot_s, older.tpot_s),
        itl_s=_grown(newer.itl_s, older.itl_s),
        prompt_lengths=_grown(newer.prompt_lengths, older.prompt_lengths),
        output_lengths=_grown(newer.output_lengths, older.output_lengths),
    )


def _grown(newer: Histogram | None, older: Histogram | None) -> Histogram | None:
    return None if newer is None else difference(newer, older)
