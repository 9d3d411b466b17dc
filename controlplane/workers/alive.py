"""Whether the worker or beat of this container still turns: `python -m controlplane.workers.alive`, an exec probe.

`celery inspect ping` would do, but it loads all of Celery and needs the broker, so that an outage of the broker would
restart every worker. Here the process touches a file from its own loop, and the probe reads the file's age in a few
milliseconds.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from controlplane.adapters.clock import real_now_s

FILE_VARIABLE = "TIDEGATE_HEARTBEAT_FILE"
"""Environment variable with the file's path; without it nothing is touched."""
BEAT_EVERY_S = 10.0
"""Real seconds between touches."""
STALE_AFTER_S = 90.0
"""Real seconds. Nine touches: a loop that was merely busy has come round by then."""


def problem(file: Path, now_s: float) -> str | None:
    """Why the process that touches `file` does not turn; None where it does, or waits for its broker (no file).

    `now_s` is real unix seconds, as the file system's clock.
    """
    try:
        age_s = now_s - file.stat().st_mtime
    except FileNotFoundError:
        return None
    if age_s <= STALE_AFTER_S:
        return None
    return f"no heartbeat for {age_s:.0f} s (allowed: {STALE_AFTER_S:.0f} s)"


def main() -> int:
    """The exit code of the probe."""
    path = os.environ.get(FILE_VARIABLE)
    found = problem(Path(path), real_now_s()) if path else f"{FILE_VARIABLE} is not set"
    if found:
        print(found, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
