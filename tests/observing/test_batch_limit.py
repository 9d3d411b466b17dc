"""How many sequences a batch takes at most, from pages that do not tell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from controlplane.domain.observation import Sample
from controlplane.observing.batch_limit import full_batch, pinned_batch


def history(running: Sequence[float], waiting: Sequence[float], kv_usage: float | None = 0.4) -> tuple[Sample, ...]:
    """One replica's scrapes, every 15 s."""
    pairs = zip(running, waiting, strict=True)
    return tuple(Sample("r", "h100", 15.0 * i, float(r), float(w), kv_usage) for i, (r, w) in enumerate(pairs))


def breathing(replicas: int, mean: float, most: float = 1e9, seed: int = 1) -> list[tuple[Sample, ...]]:
    """Batches of so many in the mean, cut off at `most`, where what is cut off waits; a prompt waits now and then."""
    chance = np.random.default_rng(seed)
    found = []
    for _ in range(replicas):
        wanted = chance.poisson(mean, 20).astype(float)
        passing = chance.random(20) < 0.3
        found.append(history(np.minimum(wanted, most).tolist(), (np.maximum(wanted - most, 0.0) + passing).tolist()))
    return found


@pytest.mark.parametrize("limit", [16.0, 64.0, 128.0])
def test_a_full_batch_stands_at_its_limit(limit: float) -> None:
    assert full_batch(breathing(10, limit, limit)) == limit


@pytest.mark.parametrize("mean", [12.0, 40.0, 64.0, 200.0])
@pytest.mark.parametrize("seed", range(5))
def test_one_that_breathes_has_none(mean: float, seed: int) -> None:
    free = breathing(12, mean, seed=seed)
    assert full_batch(free) is None
    assert pinned_batch(free) is None


def test_one_replica_shows_it_within_two_minutes_of_queueing() -> None:
    assert full_batch([history([50.0, 58.0] + [64.0] * 7, [0.0, 0.0] + [5.0] * 7)]) is None
    assert full_batch([history([50.0, 58.0] + [64.0] * 8, [0.0, 0.0] + [5.0] * 8)]) == 64.0


def test_what_stands_still_with_a_full_cache_waits_for_the_cache() -> None:
    full = [history([64.0] * 20, [5.0] * 20, kv_usage=0.97)]
    assert full_batch(full) is None
    assert full_batch([history([64.0] * 20, [5.0] * 20, kv_usage=None)]) == 64.0, "a page that does not tell its cache"


def test_without_a_queue_a_batch_is_as_large_as_what_comes() -> None:
    assert full_batch([history([64.0] * 20, [0.0] * 20)]) is None


def test_one_that_was_larger_within_the_minutes_is_not_full() -> None:
    assert full_batch([history([64.0] * 20, [5.0] * 20), history([90.0] + [64.0] * 19, [0.0] + [5.0] * 19)]) is None


def test_what_a_gateway_sends_at_most_is_held_always_and_waiting_ones_count() -> None:
    running = [64.0 - (i % 3) for i in range(20)]
    held = [history(running, [64.0 - one for one in running])] * 3
    assert pinned_batch(held) == 64.0
    assert pinned_batch([history([4.0] * 20, [0.0] * 20)]) is None, "few are often as many as before"
    assert pinned_batch([]) is None
    assert full_batch([]) is None


def test_pages_without_gauges_say_nothing() -> None:
    assert full_batch([(Sample("r", "h100", 0.0, None, 3.0),) * 20]) is None
    assert pinned_batch([(Sample("r", "h100", 0.0, None, 3.0),) * 20]) is None
