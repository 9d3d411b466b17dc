"""What autoscalers read of a replica's metrics page, and averages of it over time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from enum import StrEnum

from controlplane.domain.observation import Sample


class Signal(StrEnum):
    """One number of a vLLM page: requests in the queue, requests in the queue and the batch, share of KV in use."""

    WAITING = "Waiting"
    CONCURRENCY = "Concurrency"
    KV = "Kv"


def read(signal: Signal, sample: Sample) -> float | None:
    """The signal of one replica; None where the page does not say."""
    if signal is Signal.WAITING:
        return sample.waiting
    if signal is Signal.KV:
        return sample.kv_usage
    if sample.running is None or sample.waiting is None:
        return None
    return sample.running + sample.waiting


def known(signal: Signal, samples: Iterable[Sample]) -> list[float]:
    """The signal of those replicas that say it."""
    return [value for value in (read(signal, sample) for sample in samples) if value is not None]


class GaugeWindow:
    """A gauge over the last `length_s` seconds, as an autoscaler's ring of buckets or Prometheus' `*_over_time`."""

    def __init__(self, length_s: float) -> None:
        self._length_s = length_s
        self._values: deque[tuple[float, float]] = deque()

    def add(self, now_s: float, value: float) -> None:
        """Note a value, and forget those that are `length_s` old or older."""
        self._values.append((now_s, value))
        while self._values[0][0] <= now_s - self._length_s:
            self._values.popleft()

    def mean(self, now_s: float, length_s: float | None = None) -> float | None:
        """Mean of the values younger than `length_s` (the whole window by default); None where there is none."""
        values = self._younger(now_s, length_s)
        return sum(values) / len(values) if values else None

    def peak(self, now_s: float, length_s: float | None = None) -> float | None:
        """The largest of the values younger than `length_s`; None where there is none."""
        return max(self._younger(now_s, length_s), default=None)

    def _younger(self, now_s: float, length_s: float | None) -> list[float]:
        from_s = now_s - (self._length_s if length_s is None else length_s)
        return [value for at_s, value in self._values if at_s > from_s]
