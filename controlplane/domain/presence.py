"""Which processes there are: each says so of itself, again and again."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

SAID_EVERY_S = 10.0
"""Real seconds between a process' signs of life."""
GONE_AFTER_S = 45.0
"""Real seconds of silence after which it is taken for gone: four signs missed are no busy moment."""


class ProcessKind(StrEnum):
    """What it does."""

    CONTROLLER = "Controller"
    WORKER = "Worker"
    BEAT = "Beat"


@dataclass(frozen=True, slots=True)
class Process:
    """One process, in its own words. `leads`: whether a controller holds the lease. `busy`: tasks that a worker plays
    now. `spooled`: ticks of a controller that the database lacks. None where it does not apply."""

    name: str
    kind: ProcessKind
    version: str
    leads: bool | None = None
    busy: int | None = None
    spooled: int | None = None


class Roll(Protocol):
    """Where signs of life are kept."""

    def say(self, process: Process) -> None:
        """Keep one.

        Raises:
            LedgerUnavailable: if the database does not answer.
        """
        ...


class RememberedRoll:
    """`Roll` that only remembers."""

    def __init__(self) -> None:
        self.said: list[Process] = []

    def say(self, process: Process) -> None:
        """See `Roll`."""
        self.said.append(process)
