"""How many sequences a replica's batch takes at most, from replicas that stood still at it.

No engine's page tells its limit (vLLM's `--max-num-seqs`, SGLang's `--max-running-requests`), nor a gateway's that
sends a replica no more than so many at a time. But while others wait, a full batch is at the very same number again and
again, on every replica alike; one that anything else keeps small breathes, and is hardly ever twice at its own maximum.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from controlplane.domain.observation import Sample

LEAST_MOMENTS = 8
"""Scrapes of replicas that must have shown the number: two of each of four replicas, or two minutes of one."""
LEAST_SEQUENCES = 8
"""Fewer are often as many as before."""
BELOW, OVER_BELOW = 3, 2.0
"""The number must have been shown so many times as often as the three below it together. In an independent simulator
a limit of 64 is shown 4 to 20 times as often, and without one the maximum hardly twice in five minutes of ten
replicas."""
CACHE_FULL = 0.9
"""Use of the KV cache from which on that may be what keeps others out."""


def full_batch(histories: Iterable[Sequence[Sample]]) -> float | None:
    """Sequences at which the replicas of one variant stood still while requests waited in them and their caches had
    room, from the last minutes' samples of each; None where they did not."""
    samples = [s for history in histories for s in history if s.running is not None]
    queued = [s.running or 0.0 for s in samples if s.waiting and (s.kv_usage or 0.0) < CACHE_FULL]
    return _stood_at(queued, max((s.running or 0.0 for s in samples), default=0.0))


def pinned_batch(histories: Iterable[Sequence[Sample]]) -> float | None:
    """Requests that each replica of one variant held at a time, waiting ones included, and never more, from the last
    minutes' samples; None where what they held changed as it comes. It is a limit where others wait at a gateway, which
    no page tells."""
    held = [s.running + (s.waiting or 0.0) for history in histories for s in history if s.running is not None]
    return _stood_at(held, max(held, default=0.0))


def _stood_at(numbers: Sequence[float], most: float) -> float | None:
    """`most`, where so many of the numbers are it that it is no chance."""
    there = sum(one == most for one in numbers)
    below = sum(most - BELOW <= one < most for one in numbers)
    stood = most >= LEAST_SEQUENCES and there >= LEAST_MOMENTS and there >= OVER_BELOW * below
    return most if stood else None
