"""How often the API server is asked, who goes first where there is a queue, and who writes one object."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import IntEnum

from controlplane.adapters.clock import monotonic_s

QPS, BURST = 20.0, 30
"""Requests per second in the long run, and at once; controller-runtime's defaults for one controller. A busy API server
has priority and fairness of its own on top of this."""


class Priority(IntEnum):
    """Who goes first. A lease's renewal does not queue at all, as in client-go, whose election has a client of its own:
    a burst of patches must not cost the leadership that they are sent under."""

    LEASE = 0
    SCALE = 1
    READ = 2
    STATUS = 3
    EVENT = 4


class Limiter:
    """A token bucket of `burst` tokens, refilled at `qps` per real second; the most urgent waiter gets the next one."""

    def __init__(self, qps: float = QPS, burst: int = BURST, real_s: Callable[[], float] = monotonic_s) -> None:
        if qps <= 0 or burst < 1:
            raise ValueError(f"qps is {qps!r} and burst {burst!r}; allowed: more than 0, and at least 1")
        self._qps = qps
        self._burst = float(burst)
        self._real_s = real_s
        self._tokens = float(burst)
        self._filled_at_s = real_s()
        self._paused_until_s = 0.0
        self._order = itertools.count()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._timer: asyncio.TimerHandle | None = None

    async def take(self, priority: Priority) -> None:
        """Wait for a token."""
        if priority is Priority.LEASE:
            return
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (priority, next(self._order), granted))
        self._grant()
        await granted

    def pause(self, seconds: float) -> None:
        """Give nobody a token for so long: the server has said that it is too busy."""
        self._paused_until_s = max(self._paused_until_s, self._real_s() + seconds)

    def _grant(self) -> None:
        now_s = self._real_s()
        self._tokens = min(self._burst, self._tokens + (now_s - self._filled_at_s) * self._qps)
        self._filled_at_s = now_s
        while self._waiting and self._tokens >= 1.0 and now_s >= self._paused_until_s:
            granted = heapq.heappop(self._waiting)[2]
            if not granted.done():  # done: its asker was cancelled
                self._tokens -= 1.0
                granted.set_result(None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            wait_s = max((1.0 - self._tokens) / self._qps, self._paused_until_s - now_s, 0.001)
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._grant)


class Superseded(Exception):
    """A newer write of the same object came while this one waited; it says all that this one would have said."""


class OneWriter:
    """At most one write of an object at a time; of those that wait for it, only the newest goes on."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._newest: dict[str, int] = {}
        self._order = itertools.count()

    @asynccontextmanager
    async def turn(self, key: str) -> AsyncIterator[None]:
        """The turn to write the object `key`.

        Raises:
            Superseded: if somebody newer waits for it too.
        """
        ticket = next(self._order)
        self._newest[key] = ticket
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            if self._newest[key] != ticket:
                raise Superseded(f"a newer write of {key} took its place")
            try:
                yield
            finally:
                if self._newest[key] == ticket:  # nobody waits: forget the object, they come and go
                    self._locks.pop(key, None)
                    self._newest.pop(key, None)
