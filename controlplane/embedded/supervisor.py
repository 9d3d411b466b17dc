"""Keeps children running: restarts one that dies, with a word, and gives up when it keeps dying."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from signal import SIGTERM, Signals

from controlplane.embedded.children import StartError, kill_group, wait

DEATHS_ALLOWED, DEATHS_WINDOW_S = 5, 120.0
"""A child that dies so often in so many real seconds will not be mended by one more start. The window holds six starts
of a child that takes ten seconds to fail on a busy machine, back-off included."""
BACK_OFF_S = (0.2, 1.0, 3.0, 10.0)
"""Real seconds before the first, second... restart within the window."""
START_TIMEOUT_S = 60.0
POLL_S = 0.05


class GaveUp(Exception):
    """A child keeps dying; the message names it and its log."""


@dataclass(slots=True)
class Part:
    """One child. `launch` starts it; `ready` says whether it serves; `log` is where a person should look."""

    name: str
    launch: Callable[[], subprocess.Popen[bytes]]
    ready: Callable[[], bool]
    log: str
    polite: Signals = SIGTERM
    process: subprocess.Popen[bytes] | None = None
    deaths: list[float] = field(default_factory=list)
    restart_at_s: float | None = None


class Supervisor:
    """Call it from the main thread alone. `say` hears a line for every event that a person should know."""

    def __init__(
        self,
        say: Callable[[str], None],
        changed: Callable[[dict[str, int]], None],
        back_off_s: Sequence[float] = BACK_OFF_S,
    ) -> None:
        self.parts: list[Part] = []
        self._say = say
        self._changed = changed
        self._back_off_s = back_off_s

    def launch(self, part: Part) -> None:
        """Start it without waiting."""
        part.process = part.launch()
        self.adopt(part)

    def adopt(self, part: Part) -> None:
        """Look after a part whose process runs already."""
        if part not in self.parts:
            self.parts.append(part)
        self._changed({p.name: p.process.pid for p in self.parts if p.process is not None})

    def wait_ready(self, part: Part, interrupted: Callable[[], bool]) -> None:
        """Until it serves, or somebody wants to stop; `interrupted` is asked at every look.

        Raises:
            StartError: if it ends first, or takes too long; names its log.
        """
        deadline = time.monotonic() + START_TIMEOUT_S
        while not part.ready():
            assert part.process is not None
            if interrupted():
                return
            if part.process.poll() is not None:
                raise StartError(f"{part.name} ended with code {part.process.returncode}; see {part.log}")
            if time.monotonic() > deadline:
                raise StartError(f"{part.name} did not get ready in {START_TIMEOUT_S:.0f} s; see {part.log}")
            time.sleep(POLL_S)

    def watch(self) -> None:
        """Look after every child once.

        Raises:
            GaveUp: if one keeps dying.
        """
        now_s = time.monotonic()
        for part in self.parts:
            if part.restart_at_s is not None:
                if now_s >= part.restart_at_s:
                    part.restart_at_s = None
                    self.launch(part)
            elif part.process is not None and part.process.poll() is not None:
                self._died(part, now_s)

    def _died(self, part: Part, now_s: float) -> None:
        assert part.process is not None
        kill_group(part.process.pid)  # what it left behind would be in the way of the next one
        part.deaths = [at_s for at_s in part.deaths if at_s > now_s - DEATHS_WINDOW_S] + [now_s]
        words = f"{part.name} died ({_ending(part.process.returncode)})"
        if len(part.deaths) > DEATHS_ALLOWED:
            raise GaveUp(f"{words} {len(part.deaths)} times within {DEATHS_WINDOW_S:.0f} s; see {part.log}")
        wait_s = self._back_off_s[min(len(part.deaths), len(self._back_off_s)) - 1]
        part.restart_at_s = now_s + wait_s
        self._say(f"{words}; restarting it")

    def stop_all(self, grace_s: float, hurried: Callable[[], bool] = lambda: False, last: Collection[str] = ()) -> None:
        """Stop every child: all are asked at once, but for those named in `last`, which are asked when the rest is
        gone.

        A child that has not ended `grace_s` real seconds after it was asked, or when somebody is in a hurry, is killed.
        """
        living = [p for p in reversed(self.parts) if p.process is not None]
        for group in ([p for p in living if p.name not in last], [p for p in living if p.name in last]):
            for part in group:
                assert part.process is not None
                if part.process.poll() is None:
                    part.process.send_signal(part.polite)
            deadline_s = time.monotonic() + grace_s
            for part in group:
                assert part.process is not None
                wait(part.process, deadline_s - time.monotonic(), hurried)
                kill_group(part.process.pid)
                part.process.wait()


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {-code}, {Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
