"""HPA v2 against sums made by hand, and its laws."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.domain.target import (
    DEFAULT_SCALE_UP,
    HPA_SCALE_DOWN,
    ScalingPolicy,
    ScalingPolicyType,
    ScalingRules,
    SelectPolicy,
)
from controlplane.simulation.peers.hpa import Behavior, average_value_proposal, pods_proposal
from controlplane.simulation.peers.hpa_peers import KV, QUEUE, HpaScaler
from controlplane.simulation.peers.workload import Bounds
from controlplane.simulation.scenario import load_scenario
from tests.simulation.peers.views import T0, sample, seen


@pytest.mark.parametrize(
    ("values", "pending", "current", "expected"),
    [
        ([12.0, 8.0], 0, 2, 4),  # mean 10, ratio 2: ceil(2 * 2)
        ([5.4, 5.4], 0, 2, 2),  # ratio 1.08, within 10 %
        ([5.6, 5.6], 0, 2, 3),  # ratio 1.12: ceil(2.24)
        ([1.0, 1.0, 1.0], 0, 3, 1),  # ratio 0.2: ceil(0.6)
        ([12.0], 1, 2, 3),  # ratio 2.4; the pending pod at 0: mean 6, ratio 1.2, ceil(2.4)
        ([1.0], 1, 2, 1),  # going down the pending pod is not counted: ceil(0.2)
        ([12.0, None], 0, 2, 3),  # going up a missing metric is 0: as the pending pod
        ([1.0, 1.0, None], 0, 3, 2),  # going down it is the target: (1 + 1 + 5) / 15 = 0.467, ceil(1.4)
        ([6.0, None, None], 0, 3, 3),  # ratio 1.2, with zeroes 0.4: turned round, so nothing
        ([7.0], 2, 3, 3),  # ratio 1.4, with zeroes 0.47: the same
        ([None, None], 0, 2, None),  # no metric, no proposal
    ],
)
def test_a_metric_of_type_pods(values: list[float | None], pending: int, current: int, expected: int | None) -> None:
    assert pods_proposal(values, pending, current, target=5.0) == expected


@pytest.mark.parametrize(
    ("total", "current", "expected"),
    [(21.0, 20, 20), (23.0, 20, 23), (2.2, 2, 2), (2.3, 2, 3), (3.0, 0, 3), (0.0, 4, 0)],
)
def test_an_external_average_value(total: float, current: int, expected: int) -> None:
    """21 of 20 is 5 % off and stays; 23 is 15 % off; 2.2 of 2 is 10 %, which is still within."""
    assert average_value_proposal(total, current, target=1.0) == expected


def behavior(low: int = 1, high: int = 100, up: ScalingRules = DEFAULT_SCALE_UP) -> Behavior:
    return Behavior(Bounds(low, high), up, HPA_SCALE_DOWN)


def test_up_is_the_larger_of_four_pods_and_doubling_a_period() -> None:
    hpa = behavior()
    assert hpa.step(T0, 2, 50) == 6  # max(2 + 4, 2 * 2)
    assert hpa.step(T0 + 10, 6, 50) == 6  # 4 were added within 15 s: the period began with 2
    assert hpa.step(T0 + 15, 6, 50) == 12  # max(6 + 4, 6 * 2)
    assert hpa.step(T0 + 30, 12, 50) == 24
    assert hpa.step(T0 + 45, 24, 50) == 48
    assert hpa.step(T0 + 60, 48, 50) == 50


def test_down_waits_for_five_minutes_of_agreement() -> None:
    hpa = behavior()
    assert hpa.step(T0, 10, 10) == 10
    for tick in range(1, 20):
        assert hpa.step(T0 + 15.0 * tick, 10, 2) == 10
    assert hpa.step(T0 + 300, 10, 2) == 2  # the 10 of T0 is now 300 s old


def test_a_higher_proposal_in_the_window_holds_down_at_itself() -> None:
    hpa = behavior()
    hpa.step(T0, 10, 7)
    for tick in range(1, 21):
        wanted = hpa.step(T0 + 15.0 * tick, 10, 3)
    assert wanted == 3
    other = behavior()
    other.step(T0, 10, 10)
    other.step(T0 + 60, 10, 7)
    assert other.step(T0 + 300, 10, 3) == 7  # the 10 is forgotten, the 7 is not


def test_bounds_come_first_and_nought_is_disabled() -> None:
    assert behavior(low=3).step(T0, 1, 1) == 3
    assert behavior(high=5).step(T0, 9, 9) == 5
    assert behavior(low=1).step(T0, 0, 7) == 0


def test_selecting_the_smallest_change_or_none() -> None:
    policies = DEFAULT_SCALE_UP.policies
    least = ScalingRules(0.0, policies, SelectPolicy.MIN)
    assert behavior(up=least).step(T0, 10, 50) == 14  # min(10 + 4, 20)
    assert behavior(up=ScalingRules(0.0, policies, SelectPolicy.DISABLED)).step(T0, 10, 50) == 10


def test_one_pod_in_two_minutes() -> None:
    slow = ScalingRules(0.0, (ScalingPolicy(ScalingPolicyType.PODS, 1, 120.0),))
    hpa = Behavior(Bounds(1, 10), DEFAULT_SCALE_UP, slow)
    assert hpa.step(T0, 6, 2) == 5
    assert hpa.step(T0 + 60, 5, 2) == 5
    assert hpa.step(T0 + 120, 5, 2) == 4


def test_the_scaler_reads_its_signal() -> None:
    workload = load_scenario("chat-8b").workloads[0]
    pages = [sample("a", waiting=12.0, kv_usage=0.2), sample("b", waiting=8.0, kv_usage=0.2)]
    assert HpaScaler(workload, QUEUE).step(seen(T0, pages)) == 4  # mean 10 of 5
    # KV: 0.2 of 0.8 asks for ceil(0.25 * 2) = 1, which five minutes have to agree to.
    assert HpaScaler(workload, KV).step(seen(T0, pages)) == 2
    blind = [sample("a", waiting=None), sample("b", waiting=None)]
    assert HpaScaler(workload, QUEUE).step(seen(T0, blind)) == 2


PROPOSALS = st.lists(st.integers(0, 60), min_size=1, max_size=60)


@given(PROPOSALS, st.integers(1, 5), st.integers(5, 30), st.integers(1, 30))
def test_it_never_leaves_its_bounds(proposals: list[int], low: int, high: int, start: int) -> None:
    hpa, current = behavior(low, high), start
    for tick, proposal in enumerate(proposals):
        current = hpa.step(T0 + 15.0 * tick, current, proposal)
        assert low <= current <= high


@given(PROPOSALS, st.integers(1, 30), st.sampled_from([5.0, 7.5, 15.0, 30.0]))
def test_it_never_grows_by_more_than_the_limit_in_any_period(proposals: list[int], start: int, tick_s: float) -> None:
    hpa, counts = behavior(1, 1000), [(T0 - 1000.0, start)]
    for tick, proposal in enumerate(proposals):
        now_s, current = T0 + tick_s * tick, counts[-1][1]
        at_start = [n for at_s, n in counts if at_s <= now_s - 15.0][-1]
        wanted = hpa.step(now_s, current, proposal)
        assert wanted <= max(current, 2 * at_start, at_start + 4)
        counts.append((now_s, wanted))


@given(PROPOSALS, st.integers(1, 30))
def test_it_never_falls_below_the_highest_proposal_of_five_minutes(proposals: list[int], start: int) -> None:
    hpa, current = behavior(1, 100), start
    past: list[tuple[float, int]] = [(T0, start)]
    for tick, proposal in enumerate(proposals):
        now_s = T0 + 15.0 * tick
        past.append((now_s, proposal))
        wanted = hpa.step(now_s, current, proposal)
        highest = max(n for at_s, n in past if at_s > now_s - 300.0)
        assert wanted >= min(current, max(1, highest))
        current = wanted
