"""Starting a child process so that it never outlives its launcher, and stopping it."""

from __future__ import annotations

import ctypes
import errno
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

STOP_GRACE_S = 10.0
"""Real seconds from the polite signal to SIGKILL."""
STOP_POLL_S = 0.02
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
    process: subprocess.Popen[bytes],
    polite: signal.Signals = signal.SIGTERM,
    grace_s: float = STOP_GRACE_S,
    hurried: Callable[[], bool] = lambda: False,
) -> None:
    """Ask it to end, then, when the grace is over or somebody is in a hurry, make its whole process group."""
    if process.poll() is None:
        process.send_signal(polite)
        wait(process, grace_s, hurried)
    kill_group(process.pid)  # itself, or what it may have left behind
    process.wait()


def wait(process: subprocess.Popen[bytes], grace_s: float, hurried: Callable[[], bool]) -> None:
    """Until it has ended, the grace is over, or somebody is in a hurry."""
    deadline_s = time.monotonic() + grace_s
    while process.poll() is None and time.monotonic() < deadline_s and not hurried():
        time.sleep(STOP_POLL_S)


def kill_group(pid: int) -> None:
    """SIGKILL to the process group that `spawn` gave to a child; nothing where it is gone."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_problem(host: str, port: int) -> str | None:
    """Why nobody could listen there now, in words that follow "port N of HOST"; None where one could."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError:
            return "may not be used by this user"
        except OSError as error:
            return "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror or error})"
    return None
