"""The data directory: who runs in it, where its clock stands, and who may have been left behind."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import platformdirs

from controlplane.embedded.children import StartError, kill_group
from controlplane.embedded.processes import identity

ROOT_DATA_DIR = Path("/var/lib/tidegate")
"""Where root keeps its data: PostgreSQL runs as `nobody`, who cannot reach a home of root's."""


def default_data_dir() -> Path:
    """`TIDEGATE_DATA_DIR`, or the usual place for a user's data."""
    chosen = os.environ.get("TIDEGATE_DATA_DIR")
    if chosen:
        return Path(chosen).expanduser().resolve()
    return ROOT_DATA_DIR if os.geteuid() == 0 else Path(platformdirs.user_data_dir("tidegate"))


ORPHAN_GRACE_S = 5.0
"""Real seconds that a child left behind has to end by itself."""
CLOCK_SAVE_EVERY_S = 1.0
"""Real seconds between saves of the clock."""
CLOCK_AHEAD_S = 5.0
"""Real seconds by which the saved clock is ahead of the running one: a launcher that is killed saves nothing more, and
what its children recorded until then must not lie in the next run's future. Covers a late save on a busy machine."""


@dataclass(frozen=True, slots=True)
class Paths:
    """Where everything is in a data directory."""

    root: Path

    @property
    def run(self) -> Path:
        """Files of the present run."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        """One log per child."""
        return self.root / "logs"

    @property
    def clock(self) -> Path:
        """The clock's anchor, for every child."""
        return self.run / "clock.json"

    @property
    def kubeconfig(self) -> Path:
        """The simulated cluster's kubeconfig."""
        return self.run / "kubeconfig"

    @property
    def connection(self) -> Path:
        """The database's URL and the API's, for commands beside the run."""
        return self.run / "connection.json"

    def make(self) -> None:
        """Make the directories.

        Raises:
            StartError: if they cannot be made.
        """
        try:
            for path in (self.root, self.run, self.logs):
                if not path.is_dir():
                    path.mkdir(parents=True)
                    path.chmod(0o755)  # PostgreSQL may run as somebody else; what is secret has a mode of its own
            with tempfile.TemporaryFile(dir=self.run):
                pass  # it can be written
        except OSError as error:
            raise StartError(
                f"the data directory {self.root} cannot be used: {error}. Choose another: --data-dir"
            ) from error


class Lock:
    """One run per data directory. The kernel lets go of it when the process ends, however it ends."""

    def __init__(self, paths: Paths) -> None:
        self._path = paths.root / "lock"
        self._file: IO[str] | None = None

    def take(self, url: str) -> str:
        """Take it; returns a word about a run before that did not end properly, or nothing.

        Raises:
            StartError: naming the process that holds it.
        """
        file = self._path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _read(self._path)
            file.close()
            raise StartError(
                f"Tidegate is already running in {self._path.parent} (pid {holder.get('pid', 'unknown')}, "
                f"{holder.get('url', 'starting')}). Stop it, or choose another: --data-dir"
            ) from None
        before = _read(self._path)
        self._file = file
        self._write({"pid": os.getpid(), "url": url})
        stale = before.get("pid")
        return f"the run before (pid {stale}) ended without saying so; taking over" if stale else ""

    def release(self) -> None:
        """Say that this run ended properly, and let go."""
        if self._file is not None:
            self._write({})
            self._file.close()
            self._file = None

    def _write(self, content: dict[str, Any]) -> None:
        assert self._file is not None
        self._file.seek(0)
        self._file.truncate()
        self._file.write(json.dumps(content))
        self._file.flush()


class Children:
    """The pids of a run's children, so that the next run finds those that outlived it."""

    def __init__(self, paths: Paths) -> None:
        self._path = paths.run / "children.json"

    def write(self, pids: dict[str, int]) -> None:
        """Keep them with their start times: a pid alone may be somebody else's by now."""
        content = {name: {"pid": pid, "identity": identity(pid)} for name, pid in pids.items()}
        write_whole(self._path, json.dumps(content))

    def stop_orphans(self, grace_s: float = ORPHAN_GRACE_S) -> list[str]:
        """Stop those that still run, the last started first, and wait until they are gone; returns their names."""
        living = [(name, pid, mark) for name, pid, mark in self._kept() if mark and identity(pid) == mark]
        for _, pid, _ in living:
            os.kill(pid, signal.SIGTERM)
        for _, pid, mark in reversed(living):
            if not _gone(pid, mark, grace_s):
                kill_group(pid)
                _gone(pid, mark, grace_s)
        return [name for name, _, _ in living]

    def _kept(self) -> list[tuple[str, int, str]]:
        entries = [(name, entry) for name, entry in _read(self._path).items() if isinstance(entry, dict)]
        return [(name, int(entry.get("pid", 0)), str(entry.get("identity", ""))) for name, entry in entries]


def _gone(pid: int, mark: str, within_s: float) -> bool:
    deadline_s = time.monotonic() + within_s
    while identity(pid) == mark:
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.02)
    return True


def saved_clock(paths: Paths) -> float | None:
    """Where the clock stood when it was last saved; None before the first run."""
    value = _read(paths.root / "clock-saved.json").get("virtual_at_s")
    return float(value) if value is not None else None


def save_clock(paths: Paths, virtual_at_s: float) -> None:
    """Save where the next run's clock begins. While a run lasts that is a little ahead of now, see `CLOCK_AHEAD_S`."""
    write_whole(paths.root / "clock-saved.json", json.dumps({"virtual_at_s": virtual_at_s}))


def played_before(paths: Paths) -> str | None:
    """What the run before played, in words; None before the first run."""
    value = _read(paths.root / "played.json").get("played")
    return str(value) if value is not None else None


def save_played(paths: Paths, played: str) -> None:
    """Keep what this run plays, in words."""
    write_whole(paths.root / "played.json", json.dumps({"played": played}))


def write_whole(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file whole or not at all."""
    fresh = path.with_suffix(".new")
    fresh.touch(mode)
    fresh.write_text(text, encoding="utf-8")
    os.replace(fresh, path)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
