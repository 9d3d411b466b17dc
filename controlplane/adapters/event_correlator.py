"""Which Events are new, which only count one up, and which are too many. Pure: `now_s` is an argument.

After client-go's EventCorrelator: the same Event again is a count on the one that there is, and each object has a
bucket of tokens, so that something that is always unwell does not fill etcd.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from controlplane.domain.status import Notice

WINDOW_S = 3600.0
"""The same words within an hour are the same Event: as long as an API server keeps one (`--event-ttl`)."""
BURST = 25
"""Events of one object at once; client-go's `defaultSpamBurst`."""
REFILL_S = 300.0
"""One more every five minutes; client-go's `defaultSpamQPS`."""
CAPACITY = 4096
"""Events and objects that are remembered, the least recently used forgotten first; client-go's `maxLruCacheEntries`."""

_Key = tuple[str, bool, str, str]


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An Event to write. `count` above 1: the Event of that name says it already, so only count and time move."""

    name: str
    count: int
    first_s: float
    last_s: float


class EventCorrelator:
    """Remembers what was said of whom, and how often."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._said: OrderedDict[_Key, Occurrence] = OrderedDict()
        self._tokens: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._serial = 0

    def correlate(self, namespace: str, name: str, notice: Notice, now_s: float) -> Occurrence | None:
        """What to write of `notice` about `namespace/name`; None: too many were said of it."""
        key = f"{namespace}/{name}"
        if not self._take_token(key, now_s):
            return None
        identity = (key, notice.warning, notice.reason, notice.message)
        last = self._said.get(identity)
        if last is None or now_s - last.last_s > WINDOW_S:
            self._serial += 1
            # As client-go names them: the object, then what makes it unique; the serial, where a clock stands still.
            found = Occurrence(f"{name}.{int(now_s * 1e6):x}{self._serial & 0xFFFF:04x}", 1, now_s, now_s)
        else:
            found = Occurrence(last.name, last.count + 1, last.first_s, now_s)
        self._said[identity] = found
        self._said.move_to_end(identity)
        while len(self._said) > self._capacity:
            self._said.popitem(last=False)
        return found

    def forget(self, namespace: str, name: str, notice: Notice) -> None:
        """The Event is gone from the server: the next one is new."""
        self._said.pop((f"{namespace}/{name}", notice.warning, notice.reason, notice.message), None)

    def _take_token(self, key: str, now_s: float) -> bool:
        tokens, at_s = self._tokens.get(key, (float(BURST), now_s))
        tokens = min(float(BURST), tokens + max(0.0, now_s - at_s) / REFILL_S)
        taken = tokens >= 1.0
        self._tokens[key] = (tokens - 1.0 if taken else tokens, now_s)
        self._tokens.move_to_end(key)
        while len(self._tokens) > self._capacity:
            self._tokens.popitem(last=False)
        return taken
