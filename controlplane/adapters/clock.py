"""Clocks: the wall's, one that runs faster, one that tests turn by hand; and real time for what must stay in it."""

from __future__ import annotations

import asyncio
import json
import math
import os
import time
from pathlib import Path

from controlplane.domain.ports import Clock

ANCHOR_FIELDS = ("virtual_at_s", "real_at_s", "speed")


class ClockError(ValueError):
    """An anchor that cannot be read; the message names the file, the field and what is allowed."""


def real_now_s() -> float:
    """Unix seconds of the wall: for leases, HTTP, token expiry and anchors alone."""
    return time.time()


def monotonic_s() -> float:
    """Seconds of a clock that only goes forward: for durations."""
    return time.monotonic()


class ScaledClock:
    """`speed` seconds per real second, counted from the moment at which it was `virtual_at_s` at `real_at_s`."""

    def __init__(self, virtual_at_s: float, real_at_s: float, speed: float) -> None:
        if not (math.isfinite(speed) and speed > 0):
            raise ClockError(f"speed is {speed!r}; allowed: a positive number")
        self._speed = speed
        # The wall is read once: afterwards a monotonic clock counts, so that a corrected wall never rewinds this one.
        self._start_s = virtual_at_s + max(0.0, real_now_s() - real_at_s) * speed
        self._counted_from_s = monotonic_s()

    @property
    def speed(self) -> float:
        """Seconds of this clock per real second."""
        return self._speed

    def now_s(self) -> float:
        """Unix seconds on this clock."""
        return self._start_s + (monotonic_s() - self._counted_from_s) * self._speed

    async def sleep(self, duration_s: float) -> None:
        """Sleep for that many seconds of this clock."""
        await asyncio.sleep(max(0.0, duration_s) / self._speed)


class WallClock(ScaledClock):
    """Life itself, never going back."""

    def __init__(self) -> None:
        now_s = real_now_s()
        super().__init__(now_s, now_s, 1.0)


class ManualClock:
    """A clock that stands until `advance`; sleepers wake when it passes their time."""

    def __init__(self, now_s: float = 0.0, speed: float = 1.0) -> None:
        self._now_s = now_s
        self._speed = speed
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    @property
    def speed(self) -> float:
        """As given."""
        return self._speed

    def now_s(self) -> float:
        """The time that it stands at."""
        return self._now_s

    async def sleep(self, duration_s: float) -> None:
        """Until somebody has advanced it by that much; a moment that has passed already is not waited for."""
        if duration_s <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._now_s + duration_s, future))
        await future

    def advance(self, seconds: float) -> None:
        """Go forward.

        Raises:
            ValueError: if `seconds` is negative.
        """
        if seconds < 0:
            raise ValueError(f"seconds is {seconds!r}; allowed: 0 or more, a clock never goes back")
        self._now_s += seconds
        due = [f for at_s, f in self._sleepers if at_s <= self._now_s]
        self._sleepers = [(at_s, f) for at_s, f in self._sleepers if at_s > self._now_s]
        for future in due:
            if not future.done():
                future.set_result(None)


def clock_from_anchor(path: str | Path | None) -> Clock:
    """The clock that an anchor file describes; the wall's where there is no path.

    Raises:
        ClockError: if the file cannot be read or a field is not a number; names both.
    """
    if path is None:
        return WallClock()
    try:
        anchor = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ClockError(f"clock anchor {path} cannot be read: {error}") from error
    if not isinstance(anchor, dict):
        raise ClockError(f"clock anchor {path} is {anchor!r}; allowed: an object of {', '.join(ANCHOR_FIELDS)}")
    return ScaledClock(*(_number(path, name, anchor.get(name)) for name in ANCHOR_FIELDS))


def _number(path: str | Path, name: str, value: object) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not isinstance(value, int | float) or not number or (name == "speed" and value <= 0):
        allowed = "a positive number" if name == "speed" else "a number of unix seconds"
        raise ClockError(f"clock anchor {path}: {name} is {value!r}; allowed: {allowed}")
    return float(value)


def write_anchor(path: Path, virtual_at_s: float, speed: float) -> None:
    """Say in `path` that it is `virtual_at_s` now, at that speed; whole or not at all."""
    fresh = path.with_suffix(".new")
    anchor = {"virtual_at_s": virtual_at_s, "real_at_s": real_now_s(), "speed": speed}
    fresh.write_text(json.dumps(anchor), encoding="utf-8")
    os.replace(fresh, path)
