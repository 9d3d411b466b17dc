"""What people said, in one file beside the spool, for a controller that starts while the database is away."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from controlplane.domain.directives import DirectiveSet
from controlplane.domain.ports import SnapshotUnavailable

_SET = TypeAdapter(DirectiveSet)
VERSION = 1
"""Raised when an older program could not read the file; one of another version is not guessed at."""


class SnapshotFile:
    """`DirectiveSnapshot` in a file: `{"version", "sha256", "body"}`, where `body` is the set's JSON as text."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def save(self, data: DirectiveSet) -> None:
        """Whole or not at all: written beside, synced, renamed over, and the rename synced; see `DirectiveSnapshot`."""
        body = _SET.dump_json(data).decode()
        text = json.dumps({"version": VERSION, "sha256": _digest(body), "body": body})
        fresh = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with fresh.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(fresh, self._path)
            _sync_directory(self._path.parent)
        except OSError as error:
            raise SnapshotUnavailable(f"the snapshot {self._path} cannot be written: {error}") from error

    def load(self) -> DirectiveSet | None:
        """See `DirectiveSnapshot`."""
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise SnapshotUnavailable(f"the snapshot {self._path} cannot be read: {error}") from error
        try:
            kept = json.loads(text)
            version, digest, body = kept["version"], kept["sha256"], kept["body"]
            if version != VERSION:
                raise SnapshotUnavailable(f"the snapshot {self._path} is of version {version}; allowed: {VERSION}")
            if digest != _digest(body):
                raise SnapshotUnavailable(f"the snapshot {self._path} is damaged: its checksum does not fit")
            return _SET.validate_json(body)
        except (ValueError, KeyError, TypeError, AttributeError, ValidationError) as error:
            raise SnapshotUnavailable(f"the snapshot {self._path} is damaged: {error}") from error


class MemorySnapshot:
    """`DirectiveSnapshot` in memory; set `broken` to make it unusable."""

    def __init__(self) -> None:
        self.broken = False
        self.kept: DirectiveSet | None = None
        self.saves = 0

    def save(self, data: DirectiveSet) -> None:
        """As `SnapshotFile.save`."""
        self._answer()
        self.kept, self.saves = data, self.saves + 1

    def load(self) -> DirectiveSet | None:
        """As `SnapshotFile.load`."""
        self._answer()
        return self.kept

    def _answer(self) -> None:
        if self.broken:
            raise SnapshotUnavailable("the snapshot is broken on purpose")


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
