"""What people said, as the loop goes by it: from the ledger, and from a local file while that is away."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from controlplane.domain.directives import DirectiveSet, ScopedFreeze
from controlplane.domain.ports import (
    ClusterState,
    Directives,
    DirectiveSnapshot,
    SnapshotUnavailable,
)
from controlplane.domain.target import Freeze, FreezeDirection
from controlplane.planning.directives import directed

BLIND_S = 3600.0
"""A freeze for want of knowledge needs an end; it is made anew at every tick while the want lasts."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Directing:
    """Keeps what people said, and puts it on the targets of a tick.

    Freezes and overrides begin and end by the clock, so an outage changes nothing of what is known. Where nothing is
    known, since the ledger is away and no snapshot can be read, nothing goes down: there may be a freeze.
    """

    directives: Directives
    snapshot: DirectiveSnapshot
    known: DirectiveSet | None = None
    _kept: DirectiveSet | None = None
    _lack: str = ""
    """Why nothing is known, as it was said last."""

    def read(self, now_s: float) -> None:
        """Take up what the ledger says, and keep it in the snapshot where it changed.

        Raises:
            LedgerUnavailable: if it does not answer; what is known stays.
        """
        self.known = self.directives.current(now_s)
        if self.known != self._kept:
            self._keep(self.known)

    def applied(self, state: ClusterState, now_s: float) -> ClusterState:
        """The cluster with every target, and every candidate beside one, as people want it at `now_s`."""
        if self.known is None:
            self._recall()
        known = self.known if self.known is not None else _blind(now_s)
        return replace(
            state,
            targets=tuple(directed(target, known, now_s) for target in state.targets),
            candidates=tuple(replace(c, target=directed(c.target, known, now_s)) for c in state.candidates),
        )

    def _recall(self) -> None:
        """After a start during an outage: what the process before knew."""
        lack = "there is no snapshot yet"
        try:
            self.known = self._kept = self.snapshot.load()
        except SnapshotUnavailable as error:
            lack = str(error)
        if self.known is not None:
            _log.warning("overrides and freezes are those of the snapshot until the ledger is back")
        elif lack != self._lack:
            _log.error("what people said is not known, so nothing goes down: %s", lack)
            self._lack = lack

    def _keep(self, known: DirectiveSet) -> None:
        try:
            self.snapshot.save(known)
            self._kept = known
        except SnapshotUnavailable as error:
            _log.error("a restart while the ledger is away would forget what people said: %s", error)


def _blind(now_s: float) -> DirectiveSet:
    reason = "the ledger is away and there is no snapshot, so what people said is not known"
    freeze = Freeze(FreezeDirection.DOWN, now_s, now_s + BLIND_S, "tidegate", reason)
    return DirectiveSet(freezes=(ScopedFreeze(None, None, freeze),))
