"""What pages say of LoRA adapters: the states that one page tells, and from those of some minutes how they are used.

vLLM tells adapters in labels: each set that ever ran or waited together is a series of its own, which stays on the page
with the moment at which it was last so. So one page tells of the last quarter of an hour, whatever was scraped.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from controlplane.domain.observation import LoraPage, LoraUse, Sample

LATELY_S = 900.0
"""Adapters count for a quarter of an hour after their last request: what is remembered elsewhere fades as fast."""
REAL_CLOCK_S = 1e9
ADDED_UP = 1.5
"""Several API servers behind one page add their moments up: twice the unix time is in the 2080s. A set's age is not
known then. Clocks from nought (simulators) may well hold moments that are so far apart."""

STUCK = 0.75
"""Of the moments at which an adapter has requests, with none in the batch: it starves, and how long its requests have
been there says nothing of how many they are."""
_HALVINGS = 20
"""Of a share: to a millionth of an even one."""

State = tuple[float, int, tuple[str, ...], tuple[str, ...]]
"""When it was last so (seconds, by the engine's clock), slots, adapters of requests that ran, of those that waited."""


def lora_page(states: Sequence[State]) -> LoraPage | None:
    """The newest state, and all adapters of those within `LATELY_S` before it; None where they cannot be dated.

    `states` is not empty; their order on the page does not matter.
    """
    newest_s, oldest_s = max(state[0] for state in states), min(state[0] for state in states)
    if oldest_s > REAL_CLOCK_S and newest_s > ADDED_UP * oldest_s:
        return None
    lately = {one for at_s, _, ran, waited in states if at_s > newest_s - LATELY_S for one in (*ran, *waited)}
    newest = [(slots, ran, waited) for at_s, slots, ran, waited in states if at_s == newest_s]
    running = {one for _, ran, _ in newest for one in ran}
    stuck = {one for _, _, waited in newest for one in waited} - running
    slots = min(slots for slots, _, _ in newest)
    return LoraPage(slots, tuple(sorted(running | stuck)), tuple(sorted(lately)), tuple(sorted(stuck)))


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
    looks = [look for history in telling if (look := _Looks.at(history)).requests]
    if not looks:
        return LoraUse(slots, adapters)
    counts = [count for one in looks for count in one.counts]
    at_once = sum(counts) / len(counts)
    if adapters <= slots:
        return LoraUse(slots, adapters, at_once)
    size = _batch(adapters, at_once, [requests for one in looks for requests in one.requests])
    each = [(_shares(one, size), len(one.counts) / len(counts)) for one in looks]  # who was seen longer weighs more
    top = sum(weight * sum(shares[:slots]) for shares, weight in each) / slots
    rest = sum(weight * sum(shares[slots:]) for shares, weight in each) / (adapters - slots)
    # Half an adapter at one of the moments is what they cannot tell.
    part = _part(at_once + 0.5 / len(counts), size, ((slots, top), (adapters - slots, rest)))
    return LoraUse(slots, adapters, at_once, part * top, part * rest)


@dataclass(frozen=True, slots=True)
class _Looks:
    """One replica at moments at which it had requests: how many, of how many adapters, and how often each was there."""

    requests: Sequence[float]
    counts: Sequence[int]
    times: Mapping[str, int]
    stuck: frozenset[str]
    """Adapters of which requests waited nearly all the time, and none ran."""
    stuck_share: float | None
    """Of the requests that came meanwhile, no less than are theirs; None: not known."""

    @classmethod
    def at(cls, history: Sequence[Sample]) -> _Looks:
        busy = [(one.lora, n) for one in history if one.lora is not None and (n := _requests(one)) > 0]
        times = Counter(name for page, _ in busy for name in page.now)
        every = {name: times.get(name, 0) for name in sorted(_seen(history))}
        held = Counter(name for page, _ in busy for name in page.stuck)
        stuck = frozenset(n for n, held_up in held.items() if held_up > STUCK * times[n] and 2 * times[n] > len(busy))
        came, waits = _came(history), history[-1].waiting
        share = min(waits / came, 1.0) if came is not None and came > 0.0 and waits is not None else None
        return cls([n for _, n in busy], [len(page.now) for page, _ in busy], every, stuck, share)


def _batch(adapters: int, at_once: float, requests: Sequence[float]) -> float:
    """The batch that stands for batches of so many `requests`: if each of A adapters had a share p of them, for which
    these touch `at_once` in the mean, it touches as many.

    It is not their mean: in five minutes that hold a queue and a lull, the lull alone tells of shares.
    """
    sizes, touched = np.array(requests), min(at_once, adapters - 0.5 / len(requests))
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        found = float(np.mean(-np.expm1(sizes * np.log1p(-middle)))) * adapters
        low, high = (middle, high) if found < touched else (low, middle)
    return math.log1p(-touched / adapters) / math.log1p(-low) if low > 0.0 and touched > 0.0 else float(sizes.mean())


def _part(at_once: float, size: float, shares: Sequence[tuple[int, float]]) -> float:
    """By which so many adapters with so much each are scaled, for a batch of that `size` to touch `at_once`; at most so
    that all have all requests.

    Shares that are made alike touch more adapters than they did: a few large ones among them took most of the batch.
    """
    whole = sum(count * share for count, share in shares)
    low, high = 0.0, 1.0 / whole if whole > 0.0 else 1.0
    for _ in range(_HALVINGS):
        part = (low + high) / 2.0
        touched = sum(-count * math.expm1(size * math.log1p(-min(part * share, 0.999))) for count, share in shares)
        low, high = (part, high) if touched < at_once else (low, part)
    return high


def _shares(looks: _Looks, size: float) -> list[float]:
    """Each adapter's share of one replica's requests, the largest first: what puts it into a batch of that `size` as
    often as it was there.

    Those that were always there tell no more than that: what is left of all requests is taken to be theirs, although
    it may be the base model's. Not so of those that starve: one request that waits is always there too.
    """
    moments, times = len(looks.requests), np.array(list(looks.times.values()), float)
    starve = np.array([name in looks.stuck and looks.stuck_share is not None for name in looks.times], bool)
    unlike, seen = _unlike(times[~starve] / moments, moments) if not starve.all() else (0.0, np.zeros(0))
    # Half a look more or less: who was never looked at is not without requests, and who always was not without end.
    shares = np.zeros(len(times))
    shares[~starve] = -np.expm1(np.log((moments * (1.0 - seen) + 0.5) / (moments + 1.0)) / size)
    shares[starve] = (looks.stuck_share or 0.0) / max(len(looks.stuck), 1)
    shares = shares / max(float(shares.sum()), 1.0)
    always = ~starve & (times == moments)
    if always.any():
        takers = unlike * always / always.sum() + (1.0 - unlike) * ~starve / (~starve).sum()
        shares = shares + takers * (1.0 - float(shares.sum()))
    return sorted(shares.tolist(), reverse=True)


def _unlike(seen: np.ndarray, moments: int) -> tuple[float, np.ndarray]:
    """How far adapters differ beyond what chance makes of so few moments (0 to 1), and how often each is there, drawn
    to their mean by the rest (James and Stein 1961): else the luckiest would pass for those asked for most."""
    spread = float(seen.var())
    chance = float((seen * (1.0 - seen)).mean()) / moments + 0.25 / moments**2
    part = max(0.0, 1.0 - chance / spread) if spread > 0.0 else 0.0
    return part, seen.mean() + part * (seen - seen.mean())


def _came(history: Sequence[Sample]) -> float | None:
    """Requests that came between the first and the last sample, by flow conservation."""
    first, last = history[0], history[-1]
    if first.finished_total is None or last.finished_total is None:
        return None
    return last.finished_total - first.finished_total + _requests(last) - _requests(first)


def _seen(history: Sequence[Sample]) -> set[str]:
    """Every adapter that one replica was asked for of late."""
    return {name for one in history if one.lora is not None for name in one.lora.lately}


def _requests(sample: Sample) -> float:
    """Those that run or wait; 0 where the page does not say."""
    return 0.0 if sample.running is None else sample.running + (sample.waiting or 0.0)
