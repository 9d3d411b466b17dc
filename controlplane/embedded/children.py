"""Starting a child process so that it never outlives its launcher, and stopping it."""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

STOP_GRACE_S = 10.0
"""Real seconds from the polite signal to SIGKILL."""
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class StartError(Exception):
    """A part that cannot be started; the message says which, why, and what to do."""


def unprivileged() -> dict[str, object]:
    """Arguments for `Popen` that make a child of root run as `nobody`; nothing where we are not root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def spawn(
    command: Sequence[str | Path],
    log: IO[bytes] | int,
    environment: Mapping[str, str] | None = None,
    as_nobody: bool = False,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own: Ctrl-C reaches the launcher alone, which stops its children in order.

    Call it from the main thread: the kernel's "parent died" is about the thread that forked.
    """
    process: subprocess.Popen[bytes] = subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=dict(environment) if environment is not None else None,
        start_new_session=True,
        preexec_fn=_die_with_parent,
        cwd=cwd,
        **(unprivileged() if as_nobody else {}),  # type: ignore[call-overload]
    )
    return process


def _die_with_parent() -> None:
    """On Linux the kernel tells a child when its launcher is gone, even by SIGKILL."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def stop(
    process: subprocess.Popen[bytes], polite: signal.Signals = signal.SIGTERM, grace_s: float = STOP_GRACE_S
) -> None:
    """Ask it to end, then make its whole process group."""
    if process.poll() is None:
        process.send_signal(polite)
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    try:
        os.killpg(process.pid, signal.SIGKILL)  # what it may have left behind
    except (ProcessLookupError, PermissionError):
        return


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_taken(host: str, port: int) -> bool:
    """Whether nobody else could listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False
