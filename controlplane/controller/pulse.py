"""Whether the loop is alive, and whether it does its work. In real seconds."""

from __future__ import annotations

HEALTHY_INTERVALS = 3.0
"""Two slow ticks are a slow cluster; three intervals without one are a loop that hangs."""
HEALTHY_REAL_S = 60.0
"""However short the interval is: a tick may wait for a dozen requests that each time out after five seconds."""


class Pulse:
    """Noted by the loop, read by probes.

    A turn that failed is a turn: restarting a controller does not bring back an API server that is away. A process
    that waits for the lease does not turn and is alive: were its lease's task to end, the process would end with it.
    """

    def __init__(self) -> None:
        self.leads = False
        self.ticked_at_s: float | None = None
        """When a tick last went well."""
        self.failed = 0
        """Turns that did not go well."""
        self._turned_at_s: float | None = None
        self._interval_s = 0.0

    def waits(self) -> None:
        """The loop waits until it leads; where it does already, the next turn begins at once."""
        self.leads = False

    def turns(self, real_s: float) -> None:
        """A turn begins."""
        self.leads, self._turned_at_s = True, real_s

    def ticked(self, real_s: float, interval_s: float) -> None:
        """The turn went well; the next is due after `interval_s` seconds."""
        self.ticked_at_s, self._interval_s = real_s, interval_s

    def fails(self) -> None:
        """The turn did not go well."""
        self.failed += 1

    def alive(self, real_s: float) -> bool:
        """Whether the loop turns, or waits to lead."""
        return not self.leads or self._is_recent(self._turned_at_s, real_s)

    def ready(self, real_s: float) -> bool:
        """Whether it does its work: ticks go well, or another leads."""
        return not self.leads or self._is_recent(self.ticked_at_s, real_s)

    def _is_recent(self, at_s: float | None, real_s: float) -> bool:
        return at_s is not None and real_s - at_s <= max(HEALTHY_INTERVALS * self._interval_s, HEALTHY_REAL_S)
