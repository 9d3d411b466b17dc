"""What this process knows of itself and of its targets, for its own page and for autoscalers that ask it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import Histogram

from controlplane.domain.decision import Tick
from controlplane.domain.ports import Clock
from controlplane.domain.status import DesiredCount, TargetStatus, Told

STALE_INTERVALS = 3.0
"""A count this many intervals old is not acted on: two ticks may be lost, three mean that nobody decides."""
STALE_REAL_S = 60.0
"""And never before this many real seconds: a controller that takes over needs 15 of them."""

DURATION_BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0)
"""Around a second is usual; 15 s, the interval of a tick, and beyond are late."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One target as it was last told."""

    told: Told
    status: TargetStatus


class Board:
    """`DesiredCounts` of the ticks that this process made, and what it counted on the way."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._shown: dict[str, Shown] = {}
        self._changed = asyncio.Event()
        self.faults: Counter[tuple[str, ...]] = Counter()
        """Metrics pages' faults by namespace, name and kind."""
        self.actuations: Counter[tuple[str, ...]] = Counter()
        """Changes of replica counts by namespace, name and result."""
        self.verdicts: Counter[tuple[str, ...]] = Counter()
        """Decisions by namespace, name and verdict."""
        words = "Real seconds from the start of a group's scrape to the end of its last patch."
        self.durations = Histogram("tidegate_tick_duration_seconds", words, buckets=DURATION_BUCKETS_S, registry=None)

    @property
    def shown(self) -> Mapping[str, Shown]:
        """By target key."""
        return self._shown

    def show(self, told: Told, status: TargetStatus) -> None:
        """Note a tick and its status."""
        tick = told.tick
        self._shown[tick.inputs.target.key] = Shown(told, status)
        key = (tick.inputs.target.namespace, tick.inputs.target.name)
        self.faults.update((*key, fault.kind.value) for fault in tick.inputs.observation.faults)
        self.actuations.update((*key, actuation.result.value) for actuation in tick.actuations)
        self.verdicts[*key, tick.decision.verdict.value] += 1
        self._wake()

    def took(self, duration_s: float) -> None:
        """Note how long a group's tick took, real seconds."""
        self.durations.observe(duration_s)

    def keep(self, keys: Collection[str]) -> None:
        """Forget targets that are not among `keys`: a gauge of what is gone would stand for ever."""
        if self._shown.keys() <= set(keys):
            return
        self._shown = {key: shown for key, shown in self._shown.items() if key in keys}
        for counter in (self.faults, self.actuations, self.verdicts):
            for labels in [labels for labels in counter if f"{labels[0]}/{labels[1]}" not in keys]:
                del counter[labels]
        self._wake()

    def counts(self) -> Sequence[DesiredCount]:
        """See `DesiredCounts`."""
        return [count for shown in self._shown.values() for count in _counts(shown.told.tick, self._clock.speed)]

    async def changed(self) -> None:
        """See `DesiredCounts`."""
        await self._changed.wait()

    def _wake(self) -> None:
        """Wake those who wait now; who comes later waits for the next change."""
        self._changed.set()
        self._changed = asyncio.Event()


def _counts(tick: Tick, speed: float) -> list[DesiredCount]:
    target = tick.inputs.target
    fresh_s = max(STALE_INTERVALS * target.policy.interval_s, STALE_REAL_S * speed)
    return [
        DesiredCount(
            target.namespace,
            target.name,
            variant.name,
            variant.accelerator,
            variant.ref.name,
            tick.decision.desired[variant.name],
            tick.at_s,
            tick.at_s + fresh_s,
        )
        for variant in target.variants
        if variant.name in tick.decision.desired
    ]
