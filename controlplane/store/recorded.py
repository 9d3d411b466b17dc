"""What was recorded around one decision: those decided together with it, and those that came after."""

from __future__ import annotations

import math
from collections.abc import Iterator

from controlplane.domain.decision import Tick
from controlplane.store.queries import Queries, TickFilter

PIECE_S = 3600.0
"""Ticks of an hour are read at a time, so that a long window is neither one long statement nor silent."""
LATER_TICKS = 400
"""Enough for a horizon of an hour and a half at an interval of 15 s; longer ones are thinned."""
_JUST_AFTER_S = 1e-3


class Recorded:
    """Reads the ledger's ticks by way of `Queries`, which knows how they are written."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    def together(self, tick: Tick) -> list[Tick]:
        """The ticks that were decided together with one, itself included."""
        return self._queries.together(tick)

    def after(self, tick: Tick, until_s: float) -> list[Tick]:
        """A target's ticks after one, up to a time, oldest first; at most `LATER_TICKS`."""
        wanted = TickFilter(tick.inputs.target.key, (), tick.at_s + _JUST_AFTER_S, until_s)
        return self._queries.thinned(wanted, LATER_TICKS)

    def window(self, target: str, since_s: float, until_s: float, most: int) -> Iterator[list[Tick]]:
        """A target's ticks of `[since_s, until_s)`, oldest first, in pieces of an hour; at most about `most`, evenly
        thinned where there are more."""
        pieces = max(1, math.ceil((until_s - since_s) / PIECE_S))
        for place in range(pieces):
            start_s = since_s + place * PIECE_S
            wanted = TickFilter(target, (), start_s, min(start_s + PIECE_S, until_s))
            yield self._queries.thinned(wanted, max(1, math.ceil(most / pieces)))

    def newest_first(self, target: str, until_s: float | None, most: int) -> Iterator[Tick]:
        """A target's ticks, newest first, at most so many; read in pages."""
        cursor: str | None = None
        for _ in range(math.ceil(most / 100)):
            page, cursor = self._queries.tick_page(TickFilter(target, until_s=until_s), cursor, 100)
            yield from page
            if cursor is None:
                return
