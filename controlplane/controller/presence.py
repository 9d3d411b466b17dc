"""The controller's own signs of life, for the page that shows whether all is well. A database that is away misses
them, and nothing waits for it."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from controlplane import __version__
from controlplane.controller.pulse import Pulse
from controlplane.domain.ports import IntentLog, LedgerUnavailable
from controlplane.domain.presence import SAID_EVERY_S, Process, ProcessKind, Roll

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Presence:
    """Says that this process is there. `every_s` is in real seconds."""

    name: str
    roll: Roll
    pulse: Pulse
    spool: IntentLog
    every_s: float = SAID_EVERY_S

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.roll.say, self.now())
            except LedgerUnavailable as error:
                _log.debug("the database misses a sign of life: %s", error)
            await asyncio.sleep(self.every_s)

    def now(self) -> Process:
        """What is to be said now."""
        spooled = len(self.spool.pending())
        return Process(self.name, ProcessKind.CONTROLLER, __version__, leads=self.pulse.leads, spooled=spooled)
