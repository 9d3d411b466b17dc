"""Pools of counters, windows of gauges, and the policy that runs one scaler a variant."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlplane.simulation.peers import PEERS, peer_named
from controlplane.simulation.peers.increase import PoolCounters
from controlplane.simulation.peers.kpa import KpaSettings
from controlplane.simulation.peers.signals import GaugeWindow, Signal, known, read
from controlplane.simulation.peers.workload import Bounds, PerVariant, Seen, see, serving_bounds
from controlplane.simulation.scenario import load_scenario
from tests.builders import make_variant
from tests.simulation.peers.views import T0, FakeView, sample


def test_the_first_scrape_is_the_base() -> None:
    pool = PoolCounters(300.0)
    pool.add(T0, [sample("a", finished=100.0, running=5.0)])
    assert pool.since(T0 - 60).arrivals == 0.0
    pool.add(T0 + 15, [sample("a", at_s=T0 + 15, finished=130.0, running=9.0)])
    found = pool.since(T0)
    assert (found.finished, found.arrivals) == (30.0, 34.0)  # 30 ended, and 4 more are inside
    assert (found.input_tokens, found.output_tokens) == (1000.0, 200.0)


def test_a_replica_that_starts_counts_from_nought_and_one_that_goes_keeps_its_share() -> None:
    pool = PoolCounters(300.0)
    pool.add(T0, [sample("a", finished=100.0)])
    pool.add(
        T0 + 15,
        [sample("a", at_s=T0 + 15, finished=110.0), sample("b", at_s=T0 + 15, finished=7.0, started_at_s=T0 + 3)],
    )
    pool.add(T0 + 30, [sample("b", at_s=T0 + 30, finished=9.0, started_at_s=T0 + 3)])
    assert pool.since(T0).finished == 10.0 + 9.0
    assert pool.since(T0 + 15).finished == 2.0


def test_a_replica_that_was_missed_once_has_its_first_page_as_base() -> None:
    pool = PoolCounters(300.0)
    pool.add(T0, [sample("a", finished=100.0)])
    pool.add(T0 + 15, [sample("c", at_s=T0 + 15, finished=40.0, started_at_s=T0 - 100)])
    assert pool.since(T0).finished == 0.0


def test_a_reset_is_no_negative_growth() -> None:
    pool = PoolCounters(300.0)
    pool.add(T0, [sample("a", finished=100.0)])
    pool.add(T0 + 15, [sample("a", at_s=T0 + 15, finished=3.0)])
    assert pool.since(T0).finished == 0.0


def test_only_what_is_asked_for_is_kept() -> None:
    pool = PoolCounters(60.0)
    for tick in range(20):
        pool.add(T0 + 15.0 * tick, [sample("a", at_s=T0 + 15.0 * tick, finished=10.0 * tick)])
    assert pool.since(T0 + 15 * 15.0).finished == 40.0
    assert len(pool._history) <= 6


def test_gauges_over_time() -> None:
    window = GaugeWindow(30.0)
    assert window.mean(T0) is None
    for at_s, value in ((0, 1.0), (10, 5.0), (20, 3.0), (30, 4.0)):
        window.add(T0 + at_s, value)
    assert window.mean(T0 + 30) == 4.0  # the first is 30 s old
    assert window.mean(T0 + 30, 15.0) == 3.5
    assert window.peak(T0 + 30) == 5.0


def test_signals_are_none_where_the_page_does_not_say() -> None:
    page = sample(running=3.0, waiting=2.0, kv_usage=0.1)
    assert [read(signal, page) for signal in Signal] == [2.0, 5.0, 0.1]
    assert known(Signal.CONCURRENCY, [page, replace(page, waiting=None)]) == [5.0]


def test_bounds_leave_one_to_serve() -> None:
    assert serving_bounds(make_variant(low=0, high=10)) == Bounds(1, 10)
    assert serving_bounds(make_variant(low=3, high=10)) == Bounds(3, 10)
    assert serving_bounds(make_variant(low=0, high=0)) == Bounds(0, 0)


class Plus:
    """Five more than there are."""

    def step(self, seen: Seen) -> int:
        return seen.desired + 5


def test_one_scaler_a_variant_and_the_least_first() -> None:
    policy = PerVariant("plus", 15.0, load_scenario("chat-8b"), lambda _: Plus())
    assert policy.step(FakeView(T0, {"h100": 2, "l40s": 0})) == {"default/chat": {"h100": 7, "l40s": 1}}


def test_what_is_seen_of_a_variant() -> None:
    view = FakeView(T0, {"h100": 3, "l40s": 1}, ready={"h100": 2}, pages=[sample("h100-0"), sample("x", "l40s")])
    seen = see(view, "default/chat")
    assert (seen["h100"].desired, seen["h100"].ready, seen["h100"].pending) == (3, 2, 1)
    assert [s.replica for s in seen["l40s"].samples] == ["x"]


def test_the_names_that_there_are() -> None:
    scenario = load_scenario("chat-8b")
    assert peer_named("nobody", scenario) is None
    policy = peer_named("kpa", scenario, KpaSettings(concurrency=10.0))
    assert policy is not None
    assert policy.name == "kpa"
    with pytest.raises(TypeError, match="settings of kpa is a HpaSettings; allowed: KpaSettings"):
        peer_named("kpa", scenario, PEERS["hpa-kv"].defaults)


@pytest.mark.parametrize("name", PEERS)
def test_grids_are_small_and_say_something_else(name: str) -> None:
    peer = PEERS[name]
    assert 6 <= len(peer.grid) <= 12
    assert len(set(peer.grid)) == len(peer.grid)
    assert all(type(settings) is type(peer.defaults) for settings in peer.grid)
