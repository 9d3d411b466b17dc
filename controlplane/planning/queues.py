"""Waits in closed form: prompts behind a router that sends to the shortest queue, and sequences for a full cache."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import gammaincc

from controlplane.planning.adapters import Crowd


@dataclass(frozen=True, slots=True)
class Room:
    """What one replica holds at a time, and how many such replicas share the load."""

    kv_tokens: float
    sequences: float
    replicas: float = 1.0
    crowd: Crowd | None = None
    """LoRA adapters, where there are more than slots for them."""


def shared_wait(busy: float, replicas: float, spread: float) -> tuple[float, float]:
    """The share of requests that wait, and how many mean services those wait: a queue that `replicas` share.

    Sakasegawa (1977) for Poisson arrivals: `busy^(sqrt(2(n+1)) - 1)` wait, for `spread / (2n(1 - busy))` services in
    the mean, with `spread` = E[x^2]/E[x]^2 of the services. One replica is Pollaczek and Khinchine's queue. `busy` is
    below 1.
    """
    waits = busy ** (math.sqrt(2.0 * (replicas + 1.0)) - 1.0)
    return waits, spread / (2.0 * replicas * (1.0 - busy))


def kept_out(
    room: Room,
    sequences: float,
    context: float,
    context_spread: float,
    gain: float,
    stay_s: float,
    limit_s: float,
) -> float:
    """Share of sequences that wait longer than `limit_s` until the cache, the batch and the LoRA slots have room.

    There are `sequences` in the batch in the mean, of `context` tokens each, for `stay_s`. `gain` is 1/(1 - r*S): how
    far a batch that is larger lasts longer and so grows. The router makes the replicas' batches alike, so one n-th is
    left of their number's variance; it does not see contexts, so all of theirs is.
    """
    if sequences <= 0:
        return 0.0
    counted = gain / room.replicas / sequences
    held = counted + max(context_spread - 1.0, 0.0) / sequences
    cache = _full(sequences * context / room.kv_tokens, held, stay_s * gain, limit_s)
    places = _full(sequences / room.sequences, counted, stay_s * gain, limit_s)
    slots = 0.0 if room.crowd is None else room.crowd.late(sequences, stay_s, limit_s)
    return min(1.0, cache + places + slots)


def _full(share: float, variance: float, stay_s: float, limit_s: float) -> float:
    """P(wait > limit) where the fill is gamma distributed about `share` with that relative variance. Who comes while it
    is above 1 waits until the excess has left; the excess of its tail, in the mean, leaves in that share of a stay."""
    shape = 1.0 / max(variance, 1e-6)
    full = float(gammaincc(shape, shape / share))
    if full <= 1e-12:
        return 0.0
    excess = share * float(gammaincc(shape + 1.0, shape / share)) / full - 1.0
    return full * math.exp(-limit_s / max(excess * stay_s, 1e-9))
