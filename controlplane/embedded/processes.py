"""Who a pid is: a pid alone may be somebody else's by now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_PROC = Path("/proc")
_STATE, _START_TICKS = 0, 19
"""Fields of /proc/PID/stat after the name in brackets (proc_pid_stat(5) counts them as 3 and 22)."""


def identity(pid: int) -> str:
    """What tells this process from a later one with its pid; empty where none runs.

    On Linux the boot and the tick of it at which the process began (no `ps` in slim images); elsewhere what `ps` says.
    """
    if sys.platform != "linux":
        command = ["ps", "-o", "lstart=", "-p", str(pid)]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    try:
        # The name may hold spaces and brackets: the fields begin after the last one.
        fields = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[_STATE] in "ZX" else f"{boot} {fields[_START_TICKS]}"


def arguments(pid: int) -> list[str] | None:
    """The command line of a process; None where it cannot be read."""
    try:
        content = (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return None
    return [part.decode("utf-8", "replace") for part in content.split(b"\0") if part]
