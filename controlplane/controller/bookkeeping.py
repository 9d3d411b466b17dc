"""What the loop keeps and takes up again: the ledger, when it answers. A ledger that is away never stops a tick."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from controlplane.controller.directing import Directing
from controlplane.domain.decision import ColdStart, Memory
from controlplane.domain.observation import ManualScale, Replica, ReplicaPhase
from controlplane.domain.ports import (
    Clock,
    ClusterState,
    HistorySource,
    HistoryUnavailable,
    IntentLog,
    Ledger,
    LedgerUnavailable,
)
from controlplane.domain.target import Target
from controlplane.planning.load_history import BIN_S, MAX_BINS
from controlplane.planning.replay import memories_after
from controlplane.planning.stepper import GroupStepper
from forecasters.types import Series

FITS_EVERY_REAL_S = 5.0
"""Real seconds between looks for new fits and cold starts: workers make them every few tens of seconds."""
BACK_OFF_REAL_S = 5.0
"""Real seconds to leave a ledger alone that did not answer: each try may cost the tick its connect timeout."""
DRAIN_BATCH = 200
"""Ticks per transaction when the spool is drained after an outage."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Bookkeeping:
    """Reads and writes of the ledger around a tick. `real_s` gives real seconds."""

    ledger: Ledger
    clock: Clock
    real_s: Callable[[], float]
    directing: Directing
    past: HistorySource | None = None
    """Who may know a target's load of before the ledger did."""
    _measured: Mapping[str, Mapping[str, ColdStart]] = field(default_factory=dict)
    _memories: dict[str, Memory] | None = None
    _kept_replicas: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _saved_targets: dict[str, Target] = field(default_factory=dict)
    _read_at_s: float | None = None
    _away_until_s: float = 0.0
    _was_away: bool = False

    def forget(self) -> None:
        """Read anew at the next tick where targets were left: another may have led in between."""
        self._memories = None
        self._read_at_s = None

    def cold_starts(self, target: Target) -> Mapping[str, ColdStart]:
        """Measured cold starts of a target by variant."""
        return self._measured.get(target.key, {})

    @property
    def ledger_is_away(self) -> bool:
        """Whether the ledger did not answer when it was last asked."""
        return self._was_away

    async def before(self, state: ClusterState, stepper: Callable[[str], GroupStepper]) -> None:
        """Hear what people said, mirror targets, keep cold starts, take up memories and fits, for the coming tick."""
        if self.real_s() < self._away_until_s:
            return
        try:
            await asyncio.to_thread(self.directing.read, self.clock.now_s())
            await asyncio.to_thread(self._save_targets, state)
            await asyncio.to_thread(self._save_cold_starts, state)
            await self._take_up(state, stepper)
            await asyncio.to_thread(self._read, state, stepper)
        except LedgerUnavailable as error:
            self._note_away(error)

    async def people(self) -> dict[str, tuple[ManualScale, ...]]:
        """By target key, the counts that people had set by hand when the ledger last heard of it; none where it is
        away."""
        try:
            newest = await asyncio.to_thread(self.ledger.last_ticks)
        except LedgerUnavailable as error:
            self._note_away(error)
            return {}
        return {key: tick.inputs.surroundings.manual for key, tick in newest.items() if tick.inputs.surroundings.manual}

    async def after(self, spool: IntentLog) -> None:
        """Bring to the ledger, in order, what the spool holds."""
        if self.real_s() < self._away_until_s:
            return
        try:
            while batch := spool.pending()[:DRAIN_BATCH]:
                await asyncio.to_thread(self.ledger.append, batch)
                spool.acknowledge([tick.id for tick in batch])
        except LedgerUnavailable as error:
            self._note_away(error)
            return
        if self._was_away:
            self._was_away = False
            _log.warning("the ledger is back; nothing was lost")

    def _note_away(self, error: LedgerUnavailable) -> None:
        self._away_until_s = self.real_s() + BACK_OFF_REAL_S
        if not self._was_away:
            _log.error("the ledger is away, ticks wait in the spool: %s", error)
        self._was_away = True

    def _save_targets(self, state: ClusterState) -> None:
        """Only those that changed: a mirror of what stays the same is not news."""
        changed = [t for t in state.targets if self._saved_targets.get(t.key) != t]
        self.ledger.save_targets(changed, self.clock.now_s())
        self._saved_targets.update((t.key, t) for t in changed)

    def _save_cold_starts(self, state: ClusterState) -> None:
        for key, replicas in state.replicas.items():
            for replica in replicas:
                if replica.name not in self._kept_replicas[key] and _was_cold(replica):
                    self.ledger.save_cold_start(key, replica)
                    self._kept_replicas[key].add(replica.name)
            self._kept_replicas[key] &= {replica.name for replica in replicas}

    async def _take_up(self, state: ClusterState, stepper: Callable[[str], GroupStepper]) -> None:
        """A target that this process has not stepped yet goes on where the ledger says that it was left."""
        fresh = [t for t in state.targets if not stepper(t.group).knows(t.key)]
        if not fresh:
            return
        since_s = self.clock.now_s() - MAX_BINS * BIN_S
        kept = await asyncio.to_thread(self._kept_histories, fresh, since_s)
        for target in fresh:
            history = kept[target.key] or await self._backfill(target, since_s)
            stepper(target.group).remember(target.key, (self._memories or {}).get(target.key, Memory()), history)

    def _kept_histories(self, targets: Sequence[Target], since_s: float) -> dict[str, Mapping[str, Series]]:
        if self._memories is None:
            self._memories = memories_after(list(self.ledger.last_ticks().values()))
        return {target.key: self.ledger.load_history(target.key, since_s) for target in targets}

    async def _backfill(self, target: Target, since_s: float) -> Mapping[str, Series]:
        """What another knows of a target that the ledger never saw; a start does not wait for one that is away."""
        if self.past is None:
            return {}
        try:
            return await self.past.load_history(target, since_s, self.clock.now_s())
        except HistoryUnavailable as error:
            _log.warning("%s starts without history: %s", target.key, error)
            return {}

    def _read(self, state: ClusterState, stepper: Callable[[str], GroupStepper]) -> None:
        if self._read_at_s is not None and self.real_s() < self._read_at_s + FITS_EVERY_REAL_S:
            return
        self._measured = self.ledger.cold_starts()
        fits = self.ledger.fits()
        for target in state.targets:
            if target.key in fits:
                stepper(target.group).adopt(fits[target.key])
        self._read_at_s = self.real_s()


def _was_cold(replica: Replica) -> bool:
    """Whether its cold start was seen: a replica that was Ready at once tells nothing."""
    return (
        replica.phase is ReplicaPhase.READY
        and replica.ready_at_s is not None
        and replica.ready_at_s > replica.created_at_s
    )
