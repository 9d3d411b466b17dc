"""Policies of the API in one file beside the spool, for a controller that starts while the database is away."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter

from controlplane.domain.governed import Governed, ShadowTick
from controlplane.domain.ports import LedgerUnavailable

_KNOWN = TypeAdapter(tuple[Governed, ...])
VERSION = 1
"""Raised when an older program could not read the file; one of another version is not guessed at."""


class PolicySnapshotFile:
    """`PolicySnapshot` in a file: `{"version", "sha256", "body"}`, where `body` is the versions' JSON as text."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def save(self, known: tuple[Governed, ...]) -> None:
        """Whole or not at all: written beside, synced, and renamed over; see `PolicySnapshot`."""
        body = _KNOWN.dump_json(known).decode()
        fresh = self._path.with_suffix(".new")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with fresh.open("w", encoding="utf-8") as file:
            json.dump({"version": VERSION, "sha256": _digest(body), "body": body}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, self._path)

    def load(self) -> tuple[Governed, ...] | None:
        """See `PolicySnapshot`."""
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            version, digest, body = kept["version"], kept["sha256"], kept["body"]
        except FileNotFoundError:
            return None
        except (KeyError, TypeError) as error:
            raise ValueError(f"{self._path} is no snapshot: {error!r}") from error
        if version != VERSION or digest != _digest(body):
            raise ValueError(f"{self._path} is damaged, or of version {version!r}; allowed: {VERSION}")
        return _KNOWN.validate_json(body)


class MemoryPolicies:
    """`PolicySource` and `PolicySnapshot` in memory; `away` makes the one unusable, as an outage does."""

    def __init__(self, *known: Governed) -> None:
        self.known = known
        self.away = False
        self.kept: tuple[Governed, ...] | None = None
        self.present: tuple[str, ...] = ()
        self.rows: list[ShadowTick] = []

    def governed(self) -> tuple[Governed, ...]:
        """`known`."""
        self._answer()
        return self.known

    def note_present(self, keys: Sequence[str], now_s: float) -> None:  # noqa: ARG002 (the port's)
        """Keeps them in `present`."""
        self._answer()
        self.present = tuple(keys)

    def append(self, ticks: Sequence[ShadowTick]) -> None:
        """Keeps them in `rows`."""
        self._answer()
        self.rows += ticks

    def save(self, known: tuple[Governed, ...]) -> None:
        """Keeps them in `kept`."""
        self.kept = known

    def load(self) -> tuple[Governed, ...] | None:
        """`kept`."""
        return self.kept

    def _answer(self) -> None:
        if self.away:
            raise LedgerUnavailable("away on purpose")


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()
