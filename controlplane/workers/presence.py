"""Signs of life of workers and of beat: a thread of their own, since a worker that plays a replay is busy, not dead."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from typing import Any

from celery.signals import beat_init, worker_ready
from celery.utils.log import get_task_logger
from celery.worker import state

from controlplane import __version__
from controlplane.domain.ports import LedgerUnavailable
from controlplane.domain.presence import SAID_EVERY_S, Process, ProcessKind, Roll
from controlplane.settings import SettingsError, settings_from
from controlplane.store.engine import make_engine
from controlplane.store.presence import Processes

_log = get_task_logger(__name__)


class Presence:
    """Says again and again that this process is there, until it is told to stop."""

    def __init__(self, roll: Roll, now: Callable[[], Process], every_s: float = SAID_EVERY_S) -> None:
        self._roll, self._now, self._every_s = roll, now, every_s
        self._ended = threading.Event()

    def start(self) -> None:
        """In a thread that ends with the process."""
        threading.Thread(target=self.run, name="presence", daemon=True).start()

    def stop(self) -> None:
        """Say no more."""
        self._ended.set()

    def run(self) -> None:
        """Until stopped. A database that is away misses it."""
        while not self._ended.is_set():
            try:
                self._roll.say(self._now())
            except LedgerUnavailable as error:
                _log.debug("the database misses a sign of life: %s", error)
            self._ended.wait(self._every_s)


def _name(kind: ProcessKind) -> str:
    return f"{kind.value.lower()}@{socket.gethostname()}_{os.getpid()}"


def _worker() -> Process:
    return Process(_name(ProcessKind.WORKER), ProcessKind.WORKER, __version__, busy=len(state.active_requests))


def _beat() -> Process:
    return Process(_name(ProcessKind.BEAT), ProcessKind.BEAT, __version__)


def _begin(now: Callable[[], Process]) -> None:
    try:
        url = settings_from(os.environ).database_url
    except SettingsError as error:
        _log.warning("nobody is told that this process is there: %s", error)
        return
    Presence(Processes(make_engine(url)), now).start()


def _worker_began(**_: Any) -> None:
    _begin(_worker)


def _beat_began(**_: Any) -> None:
    _begin(_beat)


def install() -> None:
    """Begin where Celery begins: once a worker is ready, once beat has its schedule."""
    worker_ready.connect(_worker_began)
    beat_init.connect(_beat_began)
