"""Server-sent events: one reader of the ledger for all who listen."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass

from pydantic import TypeAdapter

from controlplane.api.present import tick_summary
from controlplane.api.views import TickSummary
from controlplane.domain.ports import Clock, LedgerUnavailable
from controlplane.store.queries import Queries

POLL_S = 0.5
"""Real seconds between looks at the ledger: half of the shortest interval between ticks."""
HEARTBEAT_S = 2.0
"""Real seconds between heartbeats; a page that has heard none for a few of them calls itself stale."""
STREAM_S = 600.0
"""Real seconds that one stream lasts: who listens comes again by itself, and is then asked again who it is."""
QUEUE_SIZE = 1000
"""Events that a slow listener may be behind; then it loses the oldest and reads the page anew."""
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Content-Encoding": "identity"}
"""Of a stream: nobody on its way keeps it, gathers it or packs it."""
_SUMMARY = TypeAdapter(TickSummary)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """One tick as JSON text, and whose it is."""

    namespace: str
    text: str


class TickFeed:
    """Reads new ticks while somebody listens, and hands each to every listener."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries
        self._listeners: set[asyncio.Queue[Event]] = set()
        self._sequence: int | None = None

    def listen(self) -> asyncio.Queue[Event]:
        """A queue of ticks from now on."""
        queue: asyncio.Queue[Event] = asyncio.Queue(QUEUE_SIZE)
        self._listeners.add(queue)
        return queue

    def leave(self, queue: asyncio.Queue[Event]) -> None:
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
            event = Event(tick.inputs.target.namespace, text)
            for queue in self._listeners:
                if queue.full():
                    queue.get_nowait()
                queue.put_nowait(event)


async def event_stream(feed: TickFeed, clock: Clock, namespaces: frozenset[str] | None) -> AsyncIterator[str]:
    """The text of one listener's stream, of those namespaces alone (None: of every one)."""
    queue = feed.listen()
    loop = asyncio.get_running_loop()
    end = loop.time() + STREAM_S
    try:
        while loop.time() < end:
            now = json.dumps({"now_s": clock.now_s(), "speed": clock.speed})
            yield f"event: heartbeat\ndata: {now}\n\n"
            deadline = loop.time() + HEARTBEAT_S
            while (left := deadline - loop.time()) > 0:
                try:
                    event = await asyncio.wait_for(queue.get(), left)
                except TimeoutError:
                    break
                if namespaces is None or event.namespace in namespaces:
                    yield f"event: tick\ndata: {event.text}\n\n"
    finally:
        feed.leave(queue)
