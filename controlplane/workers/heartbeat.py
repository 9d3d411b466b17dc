"""Heartbeats of Celery's own loops into the file that `controlplane.workers.alive` looks at."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from celery import Celery, bootsteps
from celery.beat import Scheduler

from controlplane.workers.alive import BEAT_EVERY_S, FILE_VARIABLE


def _file() -> Path | None:
    path = os.environ.get(FILE_VARIABLE)
    return Path(path) if path else None


class HeartbeatStep(bootsteps.StartStopStep):  # type: ignore[misc]
    """Touches the file from the worker's event loop while it is connected to the broker.

    Celery starts the step at each connection and stops it when the connection is lost; between them there is no file,
    for a worker that waits for its broker is not helped by a restart.
    """

    requires = ("celery.worker.consumer:Connection",)

    def __init__(self, consumer: Any, **kwargs: Any) -> None:
        super().__init__(consumer, **kwargs)
        self._timer: Any = None
        self._remove()  # what a killed predecessor in this container left

    def start(self, consumer: Any) -> None:
        """The broker is connected."""
        file = _file()
        if file is not None:
            file.touch()
            self._timer = consumer.timer.call_repeatedly(BEAT_EVERY_S, file.touch)

    def stop(self, _: Any) -> None:
        """The broker is gone, or the worker ends."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._remove()

    shutdown = stop

    @staticmethod
    def _remove() -> None:
        file = _file()
        if file is not None:
            file.unlink(missing_ok=True)


class BeatingScheduler(Scheduler):  # type: ignore[misc]
    """Beat's schedule in memory (every entry is a short interval: there is nothing to remember), with a heartbeat."""

    max_interval = BEAT_EVERY_S

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        """One turn of beat's loop; see Celery."""
        file = _file()
        if file is not None:
            file.touch()
        return super().tick(*args, **kwargs)


def install(app: Celery) -> Celery:
    """Make the workers of `app` show that they turn."""
    app.steps["consumer"].add(HeartbeatStep)
    return app
