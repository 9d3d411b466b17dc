"""The local spool: a file of JSON lines, fsynced, that holds every tick from its intent until the ledger has it.

A line is `{"kind": "intent"|"record", "tick": ...}`. An intent whose record is missing after a restart becomes a record
whose actuations are `unknown`: the PATCH may or may not have gone through, and the ledger says just that.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from controlplane.domain.decision import Actuation, ActuationResult, Tick
from controlplane.domain.ports import SpoolUnavailable

_TICK = TypeAdapter(Tick)
_Kind = Literal["intent", "record"]
COMPACT_ABOVE_BYTES = 8 * 1024 * 1024
"""The file is rewritten without what the ledger has once it is longer than this: a few hundred ticks."""


class FileSpool:
    """`IntentLog` in one append-only file in `directory`; one process at a time (the holder of the lease) writes it."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "ticks.jsonl"
        self._records: dict[str, Tick] = {}
        self._torn = False
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._recover()
        except OSError as error:
            raise SpoolUnavailable(f"the spool {self._path} cannot be read: {error}") from error

    def writable(self) -> bool:
        """Whether a line can be kept now, found out by writing and syncing a byte beside the file."""
        probe = self._path.with_suffix(".probe")
        try:
            _write_synced(probe, "w", "\n")
            with self._path.open("a"):
                return True
        except OSError:
            return False

    def intend(self, ticks: Sequence[Tick]) -> None:
        """Keep ticks before their PATCH; see `IntentLog`."""
        self._append("intent", ticks)

    def record(self, ticks: Sequence[Tick]) -> None:
        """Keep finished ticks. They stay pending in memory even where the file cannot take them; see `IntentLog`."""
        self._records.update((tick.id, tick) for tick in ticks)
        self._append("record", ticks)

    def pending(self) -> list[Tick]:
        """Recorded ticks that the ledger does not have yet, oldest first."""
        return list(self._records.values())

    def acknowledge(self, tick_ids: Sequence[str]) -> None:
        """Forget ticks that the ledger has."""
        for tick_id in tick_ids:
            self._records.pop(tick_id, None)
        if not self._path.exists() or self._path.stat().st_size < (COMPACT_ABOVE_BYTES if self._records else 1):
            return
        try:
            self._compact()
        except OSError:
            # Nothing is lost: the ledger ignores ticks that it has, and the next acknowledgement compacts again.
            return

    def _append(self, kind: _Kind, ticks: Sequence[Tick]) -> None:
        text = "".join(_line(kind, tick) for tick in ticks)
        try:
            # A write that failed half-way (a full disk) may have left half a line: the next one must not continue it.
            _write_synced(self._path, "a", f"\n{text}" if self._torn else text)
            self._torn = False
        except OSError as error:
            self._torn = True
            raise SpoolUnavailable(f"the spool {self._path} cannot be written: {error}") from error

    def _compact(self) -> None:
        fresh = self._path.with_suffix(".new")
        _write_synced(fresh, "w", "".join(_line("record", tick) for tick in self._records.values()))
        os.replace(fresh, self._path)

    def _recover(self) -> None:
        if not self._path.exists():
            return
        intents: dict[str, Tick] = {}
        for kind, tick in _entries(self._path.read_text(encoding="utf-8").splitlines()):
            if kind == "intent":
                intents[tick.id] = tick
            else:
                self._records[tick.id] = tick
        for tick_id, tick in intents.items():
            if tick_id not in self._records:
                self._records[tick_id] = replace(tick, actuations=_unknown(tick))
        self._records = dict(sorted(self._records.items(), key=lambda item: item[1].at_s))
        self._compact()


class MemorySpool:
    """`IntentLog` in memory; set `broken` to make it unwritable."""

    def __init__(self) -> None:
        self.broken = False
        self.log: list[tuple[_Kind, Tick]] = []
        self._records: dict[str, Tick] = {}

    def writable(self) -> bool:
        """Not while `broken`."""
        return not self.broken

    def intend(self, ticks: Sequence[Tick]) -> None:
        """As `FileSpool.intend`."""
        self._keep("intent", ticks)

    def record(self, ticks: Sequence[Tick]) -> None:
        """As `FileSpool.record`."""
        self._records.update((tick.id, tick) for tick in ticks)
        self._keep("record", ticks)

    def pending(self) -> list[Tick]:
        """As `FileSpool.pending`."""
        return list(self._records.values())

    def acknowledge(self, tick_ids: Sequence[str]) -> None:
        """As `FileSpool.acknowledge`."""
        for tick_id in tick_ids:
            self._records.pop(tick_id, None)

    def _keep(self, kind: _Kind, ticks: Sequence[Tick]) -> None:
        if self.broken:
            raise SpoolUnavailable("the spool is broken on purpose")
        self.log.extend((kind, tick) for tick in ticks)


def _line(kind: _Kind, tick: Tick) -> str:
    return json.dumps({"kind": kind, "tick": _TICK.dump_python(tick, mode="json")}, separators=(",", ":")) + "\n"


def _entries(lines: Iterable[str]) -> Iterable[tuple[str, Tick]]:
    for line in lines:
        try:
            entry = json.loads(line)
            yield entry["kind"], _TICK.validate_python(entry["tick"])
        except (ValueError, KeyError, TypeError, ValidationError):
            # The line that was being written when the machine died; its PATCH had not been sent (intent first).
            continue


def _unknown(tick: Tick) -> tuple[Actuation, ...]:
    moved = ((name, tick.decision.current.get(name, 0), to) for name, to in tick.decision.desired.items())
    detail = "the controller stopped between the PATCH and the record"
    return tuple(
        Actuation(name, before, to, ActuationResult.UNKNOWN, detail) for name, before, to in moved if before != to
    )


def _write_synced(path: Path, mode: Literal["a", "w"], text: str) -> None:
    with path.open(mode, encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
