"""The supervisor with real, tiny children: it restarts, gives up, stops, and leaves nobody behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controlplane.embedded.children import StartError, spawn, stop
from controlplane.embedded.processes import identity
from controlplane.embedded.supervisor import DEATHS_ALLOWED, GaveUp, Part, Supervisor

SLEEP = "import time; time.sleep(60)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
LAUNCHER = """
import subprocess, sys, time
from controlplane.embedded.children import spawn
child = spawn([sys.executable, "-c", "import time; time.sleep(60)"], subprocess.DEVNULL)
print(child.pid, flush=True)
time.sleep(60)
"""


class House:
    """A supervisor, what it said, and the pids that it last knew."""

    def __init__(self, folder: Path) -> None:
        self.said: list[str] = []
        self.pids: dict[str, int] = {}
        self.folder = folder
        self.supervisor = Supervisor(self.said.append, self._changed, back_off_s=(0.0,))

    def _changed(self, pids: dict[str, int]) -> None:
        self.pids = pids

    def part(self, name: str, code: str, ready: Callable[[], bool] = lambda: True) -> Part:
        log = self.folder / f"{name}.log"

        def launch() -> subprocess.Popen[bytes]:
            with log.open("ab") as out:
                return spawn([sys.executable, "-c", code], out)

        return Part(name, launch, ready, str(log))

    def up(self, name: str) -> bool:
        return "up" in (self.folder / f"{name}.log").read_text(encoding="utf-8")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.supervisor.stop_all(0.0)


def _until(condition: Callable[[], bool], within_s: float = 10.0) -> None:
    deadline_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline_s, "it did not happen in time"
        time.sleep(0.01)


def test_a_child_that_is_killed_is_restarted_with_a_word(house: House) -> None:
    house.supervisor.launch(house.part("api", SLEEP))
    house.supervisor.launch(house.part("worker", SLEEP))
    before = dict(house.pids)
    os.kill(before["api"], signal.SIGKILL)

    def restarted() -> bool:
        house.supervisor.watch()
        return house.pids["api"] != before["api"]

    _until(restarted)
    assert house.said == ["api died (signal 9, SIGKILL); restarting it"]
    assert house.pids["worker"] == before["worker"]
    assert identity(house.pids["api"])


def test_a_child_that_keeps_dying_is_given_up_with_its_log(house: House) -> None:
    house.supervisor.launch(house.part("api", "raise SystemExit(3)"))

    def watch_on() -> bool:
        house.supervisor.watch()
        return False

    with pytest.raises(GaveUp, match=rf"api died \(exit code 3\) {DEATHS_ALLOWED + 1} times .*api\.log"):
        _until(watch_on)
    assert len(house.said) == DEATHS_ALLOWED


def test_deaths_long_ago_are_forgiven(house: House) -> None:
    part = house.part("api", "raise SystemExit(3)")
    part.deaths = [time.monotonic() - 1000.0] * DEATHS_ALLOWED
    house.supervisor.launch(part)

    def died() -> bool:
        house.supervisor.watch()
        return bool(house.said)

    _until(died)
    assert len(part.deaths) == 1


def test_readiness_is_waited_for(house: House) -> None:
    part = house.part("api", f"print('up', flush=True); {SLEEP}", lambda: house.up("api"))
    house.supervisor.launch(part)
    house.supervisor.wait_ready(part, lambda: False)
    assert house.up("api")


def test_a_child_that_ends_before_it_is_ready_is_named_with_its_log(house: House) -> None:
    part = house.part("api", "raise SystemExit(7)", lambda: False)
    house.supervisor.launch(part)
    with pytest.raises(StartError, match=r"api ended with code 7; see .*api\.log"):
        house.supervisor.wait_ready(part, lambda: False)


def test_waiting_ends_when_somebody_wants_to_stop(house: House) -> None:
    part = house.part("api", SLEEP, lambda: False)
    house.supervisor.launch(part)
    house.supervisor.wait_ready(part, lambda: True)


def test_everybody_is_stopped_and_the_servers_last(house: House) -> None:
    note = "open({path!r}, 'a').write({name!r})"
    code = (
        "import signal, sys, time\n"
        "def bye(*_):\n    time.sleep({wait_s}); {note}; sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, bye); print('up', flush=True); time.sleep(60)"
    )
    path = house.folder / "order"
    for name in ("database", "api", "controller"):
        said = note.format(path=str(path), name=name[0])
        wait_s = 0.0 if name == "database" else 0.3  # were it asked with the rest, it would be the first
        part = house.part(name, code.format(note=said, wait_s=wait_s), lambda name=name: house.up(name))  # type: ignore[misc]
        house.supervisor.launch(part)
        house.supervisor.wait_ready(part, lambda: False)
    house.supervisor.stop_all(10.0, last=["database"])
    order = path.read_text(encoding="utf-8")
    assert order[-1] == "d"
    assert sorted(order) == ["a", "c", "d"]
    assert not any(identity(pid) for pid in house.pids.values())


@pytest.mark.parametrize(("grace_s", "hurry"), [(0.2, False), (60.0, True)], ids=["grace is over", "second Ctrl-C"])
def test_a_child_that_does_not_listen_is_killed(house: House, grace_s: float, hurry: bool) -> None:
    part = house.part("worker", DEAF, lambda: house.up("worker"))
    house.supervisor.launch(part)
    house.supervisor.wait_ready(part, lambda: False)
    began_s = time.monotonic()
    house.supervisor.stop_all(grace_s, lambda: hurry)
    assert time.monotonic() - began_s < 5.0
    assert part.process is not None
    assert part.process.returncode == -signal.SIGKILL


def test_what_a_stopped_child_leaves_behind_is_killed_too(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time\n"
        "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid, flush=True)\n"
        "time.sleep(60)"
    )
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = spawn([sys.executable, "-c", code], out)
    _until(lambda: log.read_text(encoding="utf-8").endswith("\n"))
    stop(process, grace_s=5.0)
    _until(lambda: identity(int(log.read_text(encoding="utf-8"))) == "")


def test_a_child_has_a_session_of_its_own(house: House) -> None:
    house.supervisor.launch(house.part("api", SLEEP))
    assert os.getsid(house.pids["api"]) == house.pids["api"] != os.getsid(0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children that their parent is gone")
def test_children_end_when_the_launcher_is_killed() -> None:
    launcher = subprocess.Popen([sys.executable, "-c", LAUNCHER], stdout=subprocess.PIPE, text=True)
    assert launcher.stdout is not None
    child = int(launcher.stdout.readline())
    assert identity(child)
    launcher.kill()
    launcher.communicate()
    _until(lambda: identity(child) == "")
