"""Server-sent events: one reader of the ledger for all who listen."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator

from pydantic import TypeAdapter

from controlplane.api.present import tick_summary
from controlplane.api.views import TickSummary
from controlplane.domain.ports import Clock, LedgerUnavailable
from controlplane.store.queries import Queries

POLL_S = 0.5
"""Real seconds between looks at the ledger: half of the shortest interval between ticks."""
HEARTBEAT_S = 2.0
"""Real seconds between heartbeats; a page that has heard none for a few of them calls itself stale."""
QUEUE_SIZE = 1000
"""Events that a slow listener may be behind; then it loses the oldest and reads the page anew."""
_SUMMARY = TypeAdapter(TickSummary)
_log = logging.getLogger(__name__)


class TickFeed:
    """Reads new ticks while somebody listens, and hands each to every listener."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries
        self._listeners: set[asyncio.Queue[str]] = set()
        self._sequence: int | None = None

    def listen(self) -> asyncio.Queue[str]:
        """A queue of ticks as JSON text, from now on."""
        queue: asyncio.Queue[str] = asyncio.Queue(QUEUE_SIZE)
        self._listeners.add(queue)
        return queue

    def leave(self, queue: asyncio.Queue[str]) -> None:
        """Stop filling that queue."""
        self._listeners.discard(queue)

    async def run(self) -> None:
        """Until cancelled. A ledger that is away is asked again."""
        while True:
            await asyncio.sleep(POLL_S)
            if not self._listeners:
                self._sequence = None
                continue
            try:
                await self._look()
            except LedgerUnavailable as error:
                _log.warning("no live updates: %s", error)
                await asyncio.sleep(HEARTBEAT_S)

    async def _look(self) -> None:
        if self._sequence is None:
            self._sequence = await asyncio.to_thread(self._queries.newest_sequence)
        ticks, self._sequence = await asyncio.to_thread(self._queries.since_sequence, self._sequence)
        for tick in ticks:
            text = _SUMMARY.dump_json(tick_summary(tick)).decode()
            for queue in self._listeners:
                if queue.full():
                    queue.get_nowait()
                queue.put_nowait(text)


async def event_stream(feed: TickFeed, clock: Clock) -> AsyncIterator[str]:
    """The text of one listener's stream."""
    queue = feed.listen()
    try:
        while True:
            now = json.dumps({"now_s": clock.now_s(), "speed": clock.speed})
            yield f"event: heartbeat\ndata: {now}\n\n"
            deadline = asyncio.get_running_loop().time() + HEARTBEAT_S
            while (left := deadline - asyncio.get_running_loop().time()) > 0:
                try:
                    yield f"event: tick\ndata: {await asyncio.wait_for(queue.get(), left)}\n\n"
                except TimeoutError:
                    break
    finally:
        feed.leave(queue)
