"""What pages say of LoRA adapters: the states that one page tells, and from those of some minutes how they are used.

vLLM tells adapters in labels: each set that ever ran or waited together is a series of its own, which stays on the page
with the moment at which it was last so. So one page tells of the last quarter of an hour, whatever was scraped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from controlplane.domain.observation import LoraPage, LoraUse, Sample

LATELY_S = 900.0
"""Adapters count for a quarter of an hour after their last request: what is remembered elsewhere fades as fast."""
REAL_CLOCK_S = 1e9
ADDED_UP = 1.5
"""Several API servers behind one page add their moments up: twice the unix time is in 2080. A set's age is not known
then. Clocks from nought (simulators) may well hold moments that are so far apart."""

_HALVINGS = 20
"""Of p: to a millionth of the adapters' even share."""

State = tuple[float, int, tuple[str, ...]]
"""When it was last so (seconds, by the engine's clock), slots, adapters."""


def lora_page(states: Sequence[State]) -> LoraPage | None:
    """The newest state, and all adapters of those within `LATELY_S` before it; None where they cannot be dated.

    `states` is not empty; their order on the page does not matter.
    """
    newest_s = max(at_s for at_s, _, _ in states)
    oldest_s = min(at_s for at_s, _, _ in states)
    if oldest_s > REAL_CLOCK_S and newest_s > ADDED_UP * oldest_s:
        return None
    now = [(slots, adapters) for at_s, slots, adapters in states if at_s == newest_s]
    lately = {one for at_s, _, adapters in states if at_s > newest_s - LATELY_S for one in adapters}
    slots = min(slots for slots, _ in now)
    return LoraPage(slots, _named(one for _, adapters in now for one in adapters), _named(lately))


def lora_use(histories: Iterable[Sequence[Sample]]) -> LoraUse | None:
    """How replicas of one variant use adapters, from the last minutes' samples of each, oldest first; None where the
    newest of none tells.

    Moments without a request are left out: an idle engine leaves its last state standing.
    """
    telling = [history for history in histories if history and history[-1].lora is not None]
    if not telling:
        return None
    slots = min(history[-1].lora.slots for history in telling if history[-1].lora is not None)
    adapters = max(len(_seen(history)) for history in telling)
    moments = [moment for history in telling for one in history if (moment := _moment(one)) is not None]
    if not moments:
        return LoraUse(slots, adapters)
    at_once = sum(count for count, _ in moments) / len(moments)
    return LoraUse(slots, adapters, at_once, _share(adapters, at_once, [requests for _, requests in moments]))


def _share(adapters: int, at_once: float, requests: Sequence[float]) -> float:
    """p at which batches of so many `requests` touch `at_once` of the adapters in the mean, `A(1 - (1 - p)^n)` each.

    Not from the mean of the requests: in five minutes that hold a queue and a lull, the lull alone tells of p.
    """
    sizes = np.array(requests)
    low, high = 0.0, 1.0 / adapters if adapters else 0.0
    if adapters < 2 or float(np.mean(-np.expm1(sizes * np.log1p(-high)))) * adapters <= at_once:
        return high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        touched = float(np.mean(-np.expm1(sizes * np.log1p(-middle)))) * adapters
        low, high = (middle, high) if touched < at_once else (low, middle)
    return high


def _seen(history: Sequence[Sample]) -> set[str]:
    """Every adapter that one replica was asked for of late."""
    return {name for one in history if one.lora is not None for name in one.lora.lately}


def _moment(sample: Sample) -> tuple[int, float] | None:
    """Different adapters, and requests; None where the page does not say both, or there is no request."""
    if sample.lora is None or sample.running is None:
        return None
    requests = sample.running + (sample.waiting or 0.0)
    return (len(sample.lora.now), requests) if requests > 0 else None


def _named(names: Iterable[str]) -> tuple[str, ...]:
    """Each once, in an order that does not depend on hashes."""
    return tuple(sorted(set(names)))
