"""Signs of life: again and again, through an outage, until told to stop; and a real broker's queue."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from controlplane.adapters.spool import FileSpool
from controlplane.adapters.task_sender import CeleryTasks
from controlplane.controller.presence import Presence as ControllerPresence
from controlplane.controller.pulse import Pulse
from controlplane.domain.ports import LedgerUnavailable
from controlplane.domain.presence import Process, ProcessKind, RememberedRoll
from controlplane.embedded.valkey import EmbeddedValkey
from controlplane.workers.presence import Presence

WORKER = Process("w", ProcessKind.WORKER, "1.0", busy=0)


class Away(RememberedRoll):
    """A database that is away twice, then there."""

    def __init__(self, there: threading.Event) -> None:
        super().__init__()
        self.asked, self._there = 0, there

    def say(self, process: Process) -> None:
        self.asked += 1
        if self.asked <= 2:
            raise LedgerUnavailable("away")
        super().say(process)
        self._there.set()


@pytest.fixture
def there() -> threading.Event:
    return threading.Event()


def test_it_is_said_again_and_again_whatever_the_database_does(there: threading.Event) -> None:
    roll = Away(there)
    presence = Presence(roll, lambda: WORKER, every_s=0.001)
    presence.start()
    assert there.wait(10)
    presence.stop()
    assert roll.said[0] == WORKER


async def test_a_controller_says_whether_it_leads_and_what_it_holds(tmp_path: Path) -> None:
    roll, pulse = RememberedRoll(), Pulse()
    presence = ControllerPresence("host_1", roll, pulse, FileSpool(tmp_path))
    assert (presence.now().leads, presence.now().spooled) == (False, 0)
    pulse.turns(1.0)
    assert presence.now().leads is True


def test_how_many_tasks_wait_at_a_real_broker(valkey: EmbeddedValkey) -> None:
    tasks = CeleryTasks(valkey.url)
    before = tasks.waiting()
    assert before is not None
    assert tasks.send("tidegate.nobody_takes_this", "x")
    assert tasks.waiting() == before + 1
    assert CeleryTasks("redis://127.0.0.1:1/0").waiting() is None
