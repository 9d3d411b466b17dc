"""Policies of the API, as the loop goes by them: from the ledger, and from a local file while that is away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from controlplane.controller.shadows import Shadows
from controlplane.controller.trials import Trials
from controlplane.domain.governed import Governed, PolicyManifests, ShadowTick, manifests
from controlplane.domain.policy_life import Stage
from controlplane.domain.ports import Clock, ClusterState, LedgerUnavailable, PolicySnapshot, PolicySource

READ_EVERY_REAL_S = 2.0
"""Real seconds between looks at the policies: who promotes one sees it at the next tick; a look is one transaction."""
BACK_OFF_REAL_S = 5.0
"""Real seconds to leave a ledger alone that did not answer: each try may cost its connect timeout."""
REMIND_EVERY_REAL_S = 300.0
"""Real seconds after which it is noted anew who is named, in case somebody else noted otherwise in between."""

_log = logging.getLogger(__name__)


class NoPolicies:
    """`PolicySource` and `PolicySnapshot` of somebody who has none."""

    def governed(self) -> tuple[Governed, ...]:
        """None."""
        return ()

    def note_present(self, keys: Sequence[str], now_s: float) -> None:
        """Nothing is kept."""

    def append(self, ticks: Sequence[ShadowTick]) -> None:
        """Nothing is kept."""

    def save(self, known: tuple[Governed, ...]) -> None:
        """Nothing is kept."""

    def load(self) -> tuple[Governed, ...] | None:
        """None."""
        return None


def _no_time() -> float:
    return 0.0


@dataclass(slots=True)
class Governing:
    """What is known of policies, and those of their versions that run beside. `now_s` is on the controller's clock,
    `real_s` gives real seconds."""

    source: PolicySource = field(default_factory=NoPolicies)
    snapshot: PolicySnapshot = field(default_factory=NoPolicies)
    clock: Clock | None = None
    real_s: Callable[[], float] = _no_time
    known: tuple[Governed, ...] | None = None
    trials: Trials = field(default_factory=Trials)
    shadows: Shadows = field(default_factory=Shadows)
    _kept: tuple[Governed, ...] | None = None
    _due_s: float = 0.0
    _away_until_s: float = 0.0
    _present: tuple[frozenset[str], float] | None = None

    def manifests(self) -> PolicyManifests:
        """The custom resources that the policies stand for now."""
        if not self.known or self.clock is None:
            return PolicyManifests()
        return manifests(self.known, self.clock.now_s())

    async def refresh(self) -> None:
        """Take up what the ledger says, and keep a copy where it changed; while it is away what is known stays."""
        real_s = self.real_s()
        if real_s < max(self._due_s, self._away_until_s):
            return
        try:
            known = await asyncio.to_thread(self.source.governed)
        except LedgerUnavailable as error:
            self._away_until_s = real_s + BACK_OFF_REAL_S
            await asyncio.to_thread(self._recall, error)
            return
        self._due_s = real_s + READ_EVERY_REAL_S
        self._take(known)
        if known != self._kept:
            await asyncio.to_thread(self._keep, known)

    async def note_present(self, state: ClusterState) -> None:
        """Bring to the ledger who is named, and what versions would have done; what it does not take waits."""
        if self.real_s() < self._away_until_s or self.clock is None:
            return
        rows = self.shadows.take()
        keys = frozenset(t.key for t in state.targets) | {f"{p.namespace}/{p.name}" for p in state.problems}
        try:
            if self._is_news(keys):
                await asyncio.to_thread(self.source.note_present, sorted(keys), self.clock.now_s())
                self._present = keys, self.real_s()
            if rows:
                await asyncio.to_thread(self.source.append, rows)
        except LedgerUnavailable:
            self.shadows.give_back(rows)
            self._away_until_s = self.real_s() + BACK_OFF_REAL_S

    def forget(self) -> None:
        """Another has led since: what versions remember of the time before is out of date."""
        self.trials.forget()
        self.shadows.keep(set())
        self._present, self._due_s = None, 0.0

    def _is_news(self, keys: frozenset[str]) -> bool:
        if self._present is None:
            return True
        before, at_s = self._present
        return keys != before or self.real_s() > at_s + REMIND_EVERY_REAL_S

    def _take(self, known: tuple[Governed, ...]) -> None:
        self.known = self.trials.known = known
        beside = (Stage.SHADOW, Stage.CANARY, Stage.LIVE)
        self.shadows.keep({one.version_id for one in known if one.stage in beside})

    def _recall(self, error: LedgerUnavailable) -> None:
        if self.known is not None:
            return
        try:
            found = self.snapshot.load()
        except (OSError, ValueError) as broken:
            _log.error("policies are not known until the ledger answers: %s", broken)
            return
        if found is not None:
            _log.warning("the ledger is away (%s): policies are those of the local copy", error)
            self._kept = found
            self._take(found)

    def _keep(self, known: tuple[Governed, ...]) -> None:
        try:
            self.snapshot.save(known)
            self._kept = known
        except OSError as error:
            _log.error("a restart while the ledger is away would forget the policies: %s", error)
