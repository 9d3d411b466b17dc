"""Tidegate in NVIDIA's simulator: the bridge on hand-made ticks, and the simulator itself where it is installed."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.domain.target import Slo
from controlplane.simulation.nvidia.bridge import TidegateInNvidia
from controlplane.simulation.nvidia.meters import FleetMeter
from controlplane.simulation.nvidia.replay import ENGINES, PeersMissing, Sine, installed, replay, target
from controlplane.simulation.nvidia.snapshot import read_snapshot

SLO = Slo(ttft_s=0.5, tpot_s=0.05)


def worker_pass(worker: int, decoding: int = 8, queued: int = 0) -> dict[str, float]:
    return {
        "worker_id": worker,
        "dp_rank": 0,
        "wall_time": 0.007,
        "num_prefill_requests": 0,
        "sum_prefill_tokens": 0,
        "sum_prefill_kv_tokens": 0,
        "num_decode_requests": decoding,
        "sum_decode_kv_tokens": decoding * 3100,
        "num_queued_prefill": queued,
        "num_queued_decode": 0,
    }


def tick(
    at_s: float,
    arrived: int,
    finished: int,
    active: tuple[int, ...] = (0,),
    starting: tuple[int, ...] = (),
    draining: tuple[int, ...] = (),
    decoding: int = 8,
    queued: int = 0,
    seconds: float = 15.0,
) -> dict[str, object]:
    return {
        "tick_ordinal": 0,
        "now_ms": at_s * 1000.0,
        "prefill_fpm_snapshots": [],
        "decode_fpm_snapshots": [worker_pass(w, decoding, queued) for w in active],
        "active_decode_ids": list(active),
        "starting_decode_ids": list(starting),
        "draining_decode_ids": list(draining),
        "traffic": {
            "duration_s": seconds,
            "num_req": arrived,
            "avg_isl": 3000.0 if finished else 0.0,
            "avg_osl": 150.0 if finished else 0.0,
            "avg_ttft_ms": 100.0 if finished else 0.0,
            "avg_itl_ms": 10.0 if finished else 0.0,
            "shape_count": finished,
            "ttft_count": finished,
            "itl_count": finished,
            "accept_length_forward_count": finished * 150,
        },
    }


def test_what_was_not_counted_is_missing_and_not_zero() -> None:
    traffic = read_snapshot(tick(15.0, arrived=3, finished=0)).traffic
    assert traffic.arrived == 3.0
    assert (traffic.input_tokens, traffic.ttft_s, traffic.itl_s) == (None, None, None)


def test_a_draining_worker_takes_nothing_new() -> None:
    seen = read_snapshot(tick(15.0, 30, 20, active=(0, 1), draining=(1,)))
    assert (seen.active, seen.draining) == ((0,), (1,))


def test_a_worker_s_share_of_the_arrivals_is_what_it_finished_and_what_it_holds() -> None:
    meter = FleetMeter("worker", kv_tokens=1_000_000.0)
    meter.samples(read_snapshot(tick(15.0, 60, 44, active=(0, 1), decoding=8)), "w")
    one, other = meter.samples(read_snapshot(tick(30.0, 60, 50, active=(0, 1), decoding=10, queued=3)), "w")
    assert one.running == 10.0
    assert one.waiting == 3.0
    assert one.finished_total == pytest.approx(60.0 - 13.0)  # half of 120 came, 13 are still there
    assert one.finished_total == other.finished_total
    assert one.kv_usage == pytest.approx(10 * 3100 / 1_000_000.0)
    assert one.ttft_s is not None
    assert one.ttft_s.sum / one.ttft_s.count == pytest.approx(0.1)


def test_a_new_worker_s_counters_begin_when_it_was_last_not_there() -> None:
    meter = FleetMeter("worker", 1e6)
    meter.samples(read_snapshot(tick(15.0, 60, 44)), "w")
    _, new = meter.samples(read_snapshot(tick(30.0, 60, 50, active=(0, 1))), "w")
    assert new.replica == "w-1"
    assert new.started_at_s == 15.0
    assert new.finished_total == pytest.approx(30.0 - 8.0)


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 300)), min_size=1, max_size=20))
def test_counters_never_go_back(ticks: list[tuple[int, int]]) -> None:
    meter, before = FleetMeter("worker", 1e6), -1.0
    for place, (arrived, held) in enumerate(ticks):
        (sample,) = meter.samples(read_snapshot(tick(15.0 * (place + 1), arrived, 1, decoding=held)), "w")
        assert sample.finished_total is not None
        assert sample.finished_total >= max(before, 0.0)
        before = sample.finished_total


def test_the_bridge_sees_the_rate_and_the_replicas() -> None:
    bridge = TidegateInNvidia(target(SLO, most=8), 1e6)
    assert bridge.initial_tick_ms() == 15_000.0
    for place in range(1, 9):
        answer = bridge.on_tick(tick(15.0 * place, arrived=45, finished=45, starting=(1,)))
    row = bridge.timeline[-1]
    assert row.offered_rps == pytest.approx(3.0)
    assert row.observed_rps == pytest.approx(3.0)
    assert (row.ready, row.starting) == (1, 1)
    assert answer["next_tick_ms"] == 135_000.0
    assert answer["target_prefill"] is None
    assert answer["target_decode"] == row.desired


def test_the_bridge_measures_cold_starts_from_the_tick_that_asked() -> None:
    bridge = TidegateInNvidia(target(SLO, most=8), 1e6)
    bridge.on_tick(tick(15.0, 45, 45))
    for at_s in (30.0, 45.0, 60.0):
        bridge.on_tick(tick(at_s, 45, 45, starting=(1,)))
    bridge.on_tick(tick(75.0, 45, 45, active=(0, 1)))
    assert bridge.cold_starts()["worker"].p50_s == pytest.approx(60.0)  # asked at 15, seen ready at 75


def test_the_bridge_refuses_a_target_of_several_variants() -> None:
    one = target(SLO, most=8)
    two = type(one)(one.namespace, one.name, one.model, (*one.variants, *one.variants), one.policy)
    with pytest.raises(ValueError, match="2 variants; allowed: 1"):
        TidegateInNvidia(two, 1e6)


def test_the_sine_begins_at_its_lowest_and_peaks_half_a_period_later() -> None:
    sine = Sine(600.0, 1200.0)
    assert [sine.rate(t) for t in (0.0, 150.0, 300.0, 600.0)] == pytest.approx([2.0, 8.0, 14.0, 2.0])


def test_arrivals_follow_the_sine_and_the_seed() -> None:
    times = Sine(600.0, 1200.0, seed=3).arrivals_s()
    assert times == Sine(600.0, 1200.0, seed=3).arrivals_s()
    assert times != Sine(600.0, 1200.0, seed=4).arrivals_s()
    assert times == sorted(times)
    assert abs(len(times) - 9600) < 5 * math.sqrt(9600)
    quiet, busy = (sum(a <= t % 600 < b for t in times) for a, b in ((0, 60), (270, 330)))
    assert busy > 4 * quiet


def test_an_unknown_policy_is_named_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'hpa'; allowed: static:N, tidegate"):
        replay("hpa", Sine(60.0, 60.0), 10.0, ENGINES["polynomial"], SLO, tmp_path)


@pytest.mark.skipif(installed(), reason="NVIDIA's simulator is installed")
def test_without_the_extra_the_error_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(PeersMissing, match=r"tidegate\[peers\]"):
        replay("static:1", Sine(60.0, 60.0), 10.0, ENGINES["polynomial"], SLO, tmp_path)


needs_simulator = pytest.mark.skipif(not installed(), reason="needs ai-dynamo-runtime: pip install 'tidegate[peers]'")


@needs_simulator
def test_three_replicas_carry_the_peak_and_two_do_not(tmp_path: Path) -> None:
    sine = Sine(300.0, 300.0)
    two, three = (replay(f"static:{n}", sine, 60.0, ENGINES["polynomial"], SLO, tmp_path) for n in (2, 3))
    assert three.goodput > 0.9 > 0.6 > two.goodput
    assert three.gpu_hours == pytest.approx(3 * 300 / 3600, rel=0.02)


@needs_simulator
def test_tidegate_is_asked_until_the_end(tmp_path: Path) -> None:
    result = replay("tidegate", Sine(120.0, 120.0), 30.0, ENGINES["polynomial"], SLO, tmp_path)
    assert [row.at_s for row in result.timeline[:3]] == [15.0, 30.0, 45.0]
    assert result.requests > 0
    offered = sum(row.offered_rps * 15.0 for row in result.timeline)
    assert offered == pytest.approx(result.requests, rel=0.1)
