"""Knative's, Ray Serve's and AIBrix's sums by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.simulation.peers.aibrix import APA, KPA, AibrixScaler, Stabiliser, apa, kpa
from controlplane.simulation.peers.kpa import Kpa, KpaScaler, KpaSettings
from controlplane.simulation.peers.ray_serve import RayServe, RaySettings
from controlplane.simulation.peers.workload import Bounds
from controlplane.simulation.scenario import load_scenario
from tests.simulation.peers.views import T0, sample, seen

H100 = load_scenario("chat-8b").workloads[0]

# Knative: a target of 100 * 0.7 = 70 requests.


def test_kpa_panics_and_holds_its_highest_for_a_stable_window() -> None:
    scaler = Kpa(KpaSettings(), ready=1, now_s=T0)
    assert scaler.scale(T0, 1, stable=70.0, panic=350.0) == 5  # ceil(350 / 70) = 5, and 5 / 1 >= 2 is panic
    assert scaler.scale(T0 + 10, 5, stable=35.0, panic=35.0) == 5  # 1 is enough, but panic never goes down
    assert scaler.scale(T0 + 60, 5, stable=35.0, panic=35.0) == 5
    assert scaler.scale(T0 + 62, 5, stable=35.0, panic=35.0) == 2  # out of panic; 1, but at most halved: floor(5 / 2)
    assert scaler.scale(T0 + 64, 2, stable=35.0, panic=35.0) == 1


def test_kpa_without_panic_follows_the_stable_window() -> None:
    scaler = Kpa(KpaSettings(), ready=1, now_s=T0)
    assert scaler.scale(T0, 4, stable=281.0, panic=400.0) == 5  # ceil(281 / 70); ceil(400 / 70) / 4 = 1.5 is no panic


def test_kpa_begins_in_panic_with_more_than_one_pod() -> None:
    assert Kpa(KpaSettings(), ready=3, now_s=T0).scale(T0, 3, stable=0.0, panic=0.0) == 3
    assert Kpa(KpaSettings(), ready=1, now_s=T0).scale(T0, 1, stable=0.0, panic=0.0) == 0


def test_kpa_holds_the_most_of_its_scale_down_delay() -> None:
    scaler = Kpa(KpaSettings(scale_down_delay_s=100.0), ready=1, now_s=T0)
    assert scaler.scale(T0, 3, stable=200.0, panic=200.0) == 3
    assert scaler.scale(T0 + 99, 3, stable=70.0, panic=70.0) == 3
    assert scaler.scale(T0 + 100, 3, stable=70.0, panic=70.0) == 1


def test_kpa_averages_over_a_minute_and_over_six_seconds() -> None:
    """Thirty ticks of 70 requests, then three of 700: the minute has (27 * 70 + 3 * 700) / 30 = 133, two pods; the last
    six seconds 700, ten."""
    scaler = KpaScaler(H100, KpaSettings())
    for tick in range(30):
        assert scaler.step(seen(T0 + 2.0 * tick, [sample(running=60.0, waiting=10.0)])) == 1
    wanted = [scaler.step(seen(T0 + 2.0 * tick, [sample(running=250.0, waiting=450.0)])) for tick in (30, 31, 32)]
    assert wanted == [4, 7, 10]  # means of six seconds: 280, 490, 700


# Ray Serve: two requests a replica; a tick of five seconds.


def test_ray_goes_up_on_the_first_tick_after_the_delay() -> None:
    ray = RayServe(RaySettings(), Bounds(1, 100))
    # 10 requests / 2 = 5 replicas; more than int(30 / 5) = 6 ticks in a row.
    assert [ray.step(2, 2, 10.0) for _ in range(7)] == [2, 2, 2, 2, 2, 2, 5]


def test_one_equal_tick_begins_the_delay_anew() -> None:
    ray = RayServe(RaySettings(), Bounds(1, 100))
    wishes = [10.0] * 6 + [4.0] + [10.0] * 6
    assert all(ray.step(2, 2, requests) == 2 for requests in wishes)
    assert ray.step(2, 2, 12.0) == 6  # the last wish counts, not the first


def test_ray_goes_down_after_ten_minutes() -> None:
    ray = RayServe(RaySettings(), Bounds(1, 100))
    assert all(ray.step(5, 5, 2.0) == 5 for _ in range(120))
    assert ray.step(5, 5, 2.0) == 1


def test_a_small_factor_does_not_stick() -> None:
    """Five replicas, four needed, factor 0.5: ceil(5 - 0.5) = 5 would stay for ever, so it is one less."""
    ray = RayServe(RaySettings(downscaling_factor=0.5, downscale_delay_s=0.0), Bounds(1, 100))
    assert ray.step(5, 5, 8.0) == 4


def test_ray_from_nought() -> None:
    ray = RayServe(RaySettings(), Bounds(0, 100))
    assert ray.step(0, 0, 3.0) == 1
    assert ray.step(0, 0, 0.0) == 0
    assert RayServe(replace(RaySettings(), downscale_delay_s=0.0), Bounds(0, 10)).step(3, 3, 0.0) == 1
    assert RayServe(replace(RaySettings(), downscale_delay_s=0.0), Bounds(0, 10)).step(1, 1, 0.0) == 0


# AIBrix: half of the KV cache.


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.75, 6),  # ratio 1.5: ceil(4 * 1.5)
        (2.0, 8),  # ratio 4: 16, but at most doubled
        (0.54, 4),  # ratio 1.08 is within the tolerance
        (0.4, 4),  # ratio 0.8: ceil(3.2)
        (0.3, 3),  # ratio 0.6: ceil(2.4)
        (0.05, 2),  # ratio 0.1: 1, but at most halved
    ],
)
def test_apa(value: float, expected: int) -> None:
    assert apa(APA, 4, value) == expected


def test_kpa_divides_by_the_target_and_forgets_the_pods() -> None:
    settings = replace(KPA, target=10.0)
    assert kpa(settings, 3, stable=55.0, panic=55.0) == 6  # ceil(5.5); the rate allows 6
    assert kpa(settings, 3, stable=10.0, panic=45.0) == 5  # 45 / 10 > 2 is panic: ceil(4.5)
    assert kpa(settings, 3, stable=25.0, panic=45.0) == 3  # 1.8 is none: ceil(2.5)
    assert kpa(settings, 3, stable=0.0, panic=0.0) == 1  # nothing is panic as well; at most halved, floor(1.5)
    # With a mean per pod, full caches of eight pods ask for ceil(1 / 0.5) = 2: it shrinks under full load.
    assert kpa(KPA, 8, stable=1.0, panic=1.0) == 4


def test_the_stabiliser_as_shipped_takes_the_least_of_the_cooldown() -> None:
    wanted = {}
    for shipped in (True, False):
        stabiliser = Stabiliser(replace(APA, as_shipped=shipped))
        assert stabiliser.step(T0, 2, 2) == 2
        assert stabiliser.step(T0 + 10, 2, 6) == 6
        wanted[shipped] = stabiliser.step(T0 + 20, 6, 5)
    assert wanted == {True: 2, False: 6}  # the least, and HPA's most, of 2, 6 and 5


def test_apa_reads_the_mean_of_the_pods_and_never_waits_for_pending_ones() -> None:
    scaler = AibrixScaler(H100, APA)
    pages = [sample("a", kv_usage=1.0), sample("b", kv_usage=0.8)]
    assert scaler.step(seen(T0, pages)) == 4  # 0.9 / 0.5 * 2 = 3.6
    assert scaler.step(seen(T0 + 10, pages, pending=2)) == 8  # the same pages, four wanted: 7.2


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=40), st.booleans())
def test_aibrix_never_leaves_its_bounds_nor_more_than_doubles(usages: list[float], shipped: bool) -> None:
    scaler, current = AibrixScaler(H100, replace(APA, as_shipped=shipped)), 1
    for tick, usage in enumerate(usages):
        wanted = scaler.step(seen(T0 + 10.0 * tick, [sample(kv_usage=usage)], desired=current))
        assert 1 <= wanted <= H100.variant.max_replicas
        assert wanted <= 2 * current
        current = wanted
