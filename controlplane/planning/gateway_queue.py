"""What a gateway's queue tells of what comes.

Requests are conserved: what comes is what the replicas took and what more waits for them outside. While nobody is
served, all that comes is how fast the queue grows; and where a gateway holds back what replicas have no room for, their
pages say what is served, however much more comes. A queue that is handed over is no arrival a second time: a fleet that
wakes gets in one instant what came in minutes, and looks three times as busy as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from controlplane.domain.observation import Load
from controlplane.observing.window import MIX_WINDOW_S, RATE_WINDOW_S

FIRST = 1.0
"""Request that ends a silence: it says that something comes, and the others how much. Of a Poisson count that is known
not to be nought, one is likeliest at a rate of nearly nothing, and many at one less than they are."""
FED_S = 30.0
"""Growth over so many seconds or more tells what feeds a queue; over one look it is a quarter of a minute's chance."""
KEPT_S = MIX_WINDOW_S
"""For so long the rate of before counts while pages do not tell the load yet: as long as they are asked for lengths.
Who has not told by then will not, and what came before says nothing any more."""


@dataclass(frozen=True, slots=True)
class GatewayQueue:
    """Requests that waited at a gateway over the last minute, and at the reading before: times, ascending, and counts.
    A reading that is missing is left out, which makes the time between two longer and nothing else."""

    at_s: tuple[float, ...] = ()
    requests: tuple[float, ...] = ()
    served_at_s: float | None = None
    """When a replica was last Ready."""
    unserved_at_s: float | None = None
    """When none was, and it was said what waited."""
    unserved_rps: float | None = None
    """What came then."""
    handed_over: float = 0.0
    """What waited then: those who are Ready next get it at once."""
    fed_rps: float = 0.0
    """What came at the most since nobody was served, as the queue's growth told it."""
    longest: float = 0.0
    """Requests that waited at the most since then."""

    def adding(self, queued: float | None, at_s: float, served: bool) -> GatewayQueue:
        """With one look: what waited, None where nobody says, and whether a replica was Ready. A reading that is not
        later than the last is left out."""
        found = replace(self, served_at_s=at_s, fed_rps=0.0, longest=0.0) if served else self
        if queued is None or (self.at_s and at_s <= self.at_s[-1]):
            return found
        first = max((i for i, t in enumerate(self.at_s) if t <= at_s - RATE_WINDOW_S), default=0)
        found = replace(found, at_s=(*self.at_s[first:], at_s), requests=(*self.requests[first:], queued))
        return found if served else found._unserved(queued, at_s)

    def arriving_rps(self, now_s: float) -> float | None:
        """Requests/s that come while no replica is Ready, or came then where none tells yet; None where that is not
        known, or too long ago."""
        if self.unserved_at_s is None or now_s - self.unserved_at_s > KEPT_S:
            return None
        return self.unserved_rps

    def completed(self, load: Load | None, now_s: float) -> Load | None:
        """What pages say came, with by how much more waits outside: over the same minute, since what goes from one
        place to the other must cancel. Without a reading in the last minute pages alone tell."""
        if load is None or not self.at_s or now_s - self.at_s[-1] > RATE_WINDOW_S:
            return load
        rate = self._with_growth(load.requests_per_s, self.growth_rps(self.at_s[-1] - RATE_WINDOW_S))
        rate = self._woken(rate, now_s)
        newest = load.newest_rps
        if newest is not None:
            newest = self._with_growth(newest, self.growth_rps(self.at_s[-2] if len(self.at_s) > 1 else self.at_s[-1]))
        # What is no more than the mean any longer was the queue, handed over.
        return replace(load, requests_per_s=rate, newest_rps=newest if newest is not None and newest > rate else None)

    def growth_rps(self, since_s: float) -> float | None:
        """By how much the queue grew in a second from the reading at or before `since_s`, else the oldest, to the
        newest; negative where it shrank, None where there are not two."""
        if len(self.at_s) < 2:
            return None
        base = max((i for i, t in enumerate(self.at_s[:-1]) if t <= since_s), default=0)
        return (self.requests[-1] - self.requests[base]) / (self.at_s[-1] - self.at_s[base])

    def _woken(self, rate: float, now_s: float) -> float:
        """In the first minute after a wake the rate of before it, as far as pages may be wrong: those of an engine that
        is new count what was handed over to it in full, or not at all, or spread over its minutes of loading."""
        if self.unserved_at_s is None or self.unserved_rps is None or now_s - self.unserved_at_s > RATE_WINDOW_S:
            return rate
        doubt = self.handed_over / RATE_WINDOW_S
        return min(max(self.unserved_rps, rate - doubt), rate + doubt)

    @staticmethod
    def _with_growth(pages_rps: float, growth_rps: float | None) -> float:
        """Less than nothing cannot come: clients gave up then, or the gateway was started anew, and pages alone
        tell."""
        return pages_rps if growth_rps is None or pages_rps + growth_rps < 0 else pages_rps + growth_rps

    def _unserved(self, queued: float, at_s: float) -> GatewayQueue:
        """With a look while nobody is served.

        Clients have time limits. A queue that no longer grows, since as many give up as come, is as long as before: by
        Little's law what comes is to the queue's length as it was while it grew. One that stands still to the request
        is fed by nobody.
        """
        known, longest = self._growth_unserved(), max(self.longest, queued)
        if known is None:
            return replace(self, unserved_at_s=at_s, unserved_rps=None, handed_over=queued, longest=longest)
        growth_rps, since_s = known
        fed_rps = max(self.fed_rps, growth_rps) if since_s >= FED_S else self.fed_rps
        lately = {n for t, n in zip(self.at_s, self.requests, strict=True) if t >= at_s - RATE_WINDOW_S}
        rate = max(growth_rps, fed_rps * queued / longest) if len(lately) > 1 and longest else growth_rps
        told = replace(self, unserved_at_s=at_s, unserved_rps=rate, handed_over=queued)
        return replace(told, fed_rps=fed_rps, longest=longest)

    def _growth_unserved(self) -> tuple[float, float] | None:
        """The growth over the last minute, but since the queue was last empty, and since somebody was last served; and
        over how many seconds that is. Clients that give up make no negative rate."""
        now_s, before = self.at_s[-1], list(zip(self.at_s[:-1], self.requests[:-1], strict=True))
        before = [(t, n) for t, n in before if self.served_at_s is None or t >= self.served_at_s]
        empty_s = max((t for t, n in before if n <= 0), default=None)
        if empty_s is not None and empty_s >= now_s - RATE_WINDOW_S:
            return max(0.0, self.requests[-1] - FIRST) / (now_s - empty_s), now_s - empty_s
        if not before:
            return None
        base = max((i for i, (t, _) in enumerate(before) if t <= now_s - RATE_WINDOW_S), default=0)
        since_s, waited = before[base]
        return max(0.0, (self.requests[-1] - waited) / (now_s - since_s)), now_s - since_s
