"""Waits in closed form: against hand-worked numbers, and against a small simulation of replicas that share a queue."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.planning.queues import Room, kept_out, shared_wait


def test_one_replica_is_pollaczek_and_khinchines_queue() -> None:
    waits, mean = shared_wait(busy=0.8, replicas=1.0, spread=2.0)
    assert waits == pytest.approx(0.8)  # sqrt(4) - 1 = 1
    assert mean == pytest.approx(5.0)  # of M/M/1: 1/(1 - 0.8) services
    assert waits * mean == pytest.approx(4.0)  # busy/(1 - busy)
    assert shared_wait(0.8, 1.0, 1.0)[1] == pytest.approx(2.5)  # equal services: half of it


def test_seven_replicas_share_their_queue() -> None:
    waits, mean = shared_wait(busy=0.9, replicas=7.0, spread=2.0)
    assert waits == pytest.approx(0.9**3)  # sqrt(2*8) - 1 = 3
    assert mean == pytest.approx(2.0 / (2 * 7 * 0.1))


@given(busy=st.floats(0.05, 0.95), replicas=st.floats(1.0, 100.0), spread=st.floats(1.0, 5.0))
def test_more_replicas_wait_less(busy: float, replicas: float, spread: float) -> None:
    few, many = shared_wait(busy, replicas, spread), shared_wait(busy, replicas + 1.0, spread)
    assert many[0] <= few[0]
    assert many[1] <= few[1]


def test_the_mean_wait_of_twelve_servers_with_one_queue() -> None:
    busy, servers, services = 0.85, 12, np.random.default_rng(5)
    free_s, at_s, waited = np.zeros(servers), 0.0, []
    for gap, service in zip(
        services.exponential(1.0 / (busy * servers), 60_000), services.exponential(1.0, 60_000), strict=True
    ):
        at_s += gap
        place = int(free_s.argmin())
        begins_s = max(at_s, float(free_s[place]))
        free_s[place] = begins_s + service
        waited.append(begins_s - at_s)
    waits, mean = shared_wait(busy, servers, 2.0)
    assert waits * mean == pytest.approx(float(np.mean(waited)), rel=0.2)


ROOM = Room(kv_tokens=100_000.0, sequences=256.0, replicas=4.0)


def out(
    sequences: float = 50.0, context: float = 1800.0, spread: float = 2.0, limit_s: float = 2.0, room: Room = ROOM
) -> float:
    return kept_out(room, sequences, context, spread, gain=2.0, stay_s=10.0, limit_s=limit_s)


def test_a_cache_that_is_half_full_keeps_nobody_out() -> None:
    assert out(sequences=25.0) < 1e-4


def test_the_share_of_time_that_a_cache_is_full() -> None:
    # 90,000 of 100,000 tokens in the mean; relative variance (2/4 + 1)/50 = 0.03: a gamma of shape 33.3, whose share
    # above 1/0.9 of its mean is about that of a normal above 0.64 deviations.
    full = out(limit_s=0.0)
    assert full == pytest.approx(0.25, abs=0.02)


def test_the_wait_is_the_excess_of_a_stay() -> None:
    # Of the time that it is full, the fill is some 10 % above; ten seconds of stay and a gain of two make 2 s of wait.
    longer = out(limit_s=2.0) / out(limit_s=0.0)
    assert 2.0 / -math.log(longer) == pytest.approx(2.0, rel=0.15)


def test_contexts_that_differ_keep_more_out_and_more_replicas_fewer() -> None:
    assert out(spread=3.0) > out(spread=2.0) > out(spread=2.0, room=Room(100_000.0, 256.0, 40.0))


def test_a_full_batch_keeps_out_whatever_the_cache() -> None:
    room = Room(1e9, 60.0, 4.0)
    assert out(room=room) > 10 * out(sequences=40.0, room=room)


def test_nobody_is_kept_out_where_nobody_comes() -> None:
    assert out(sequences=0.0) == 0.0
