"""llm-d's SLO-aware formula by hand."""

from __future__ import annotations

import pytest

from controlplane.domain.observation import Histogram
from controlplane.simulation.peers.keda_slo import DEFAULTS, KedaSloScaler, desired_replicas, saturation
from controlplane.simulation.scenario import load_scenario
from tests.simulation.peers.views import T0, sample, seen

TEN = Histogram((1.0, 2.0, 4.0), (0.0, 10.0, 10.0), 15.0, 10.0)
"""Ten observations between 1 and 2 s: their 90th percentile is 1.9 s."""


@pytest.mark.parametrize(
    ("provisioned", "ready", "smoothed", "expected"),
    [
        (4, 4, 0.66, 5),  # 4 + ceil(4 * (0.66 / 0.55 - 1)) = 4 + ceil(0.8)
        (4, 4, 2.0, 15),  # 4 + ceil(4 * 2.636) = 4 + 11
        (6, 4, 1.10, 8),  # credit 4/6: 6 + ceil(6 * (1.1 * 2/3 / 0.55 - 1)) = 6 + ceil(2)
        (8, 4, 0.66, 5),  # more is on its way than is needed: 8 + ceil(8 * (0.6 - 1)) = 8 - 3
        (4, 4, 0.50, 4),  # between the thresholds
        (4, 4, 0.30, 3),  # 4 - floor(4 * (1 - 0.75))
        (4, 4, 0.35, 4),  # 4 - floor(0.5)
        (4, 2, 0.20, 2),  # no credit on the way down: 4 - floor(2)
    ],
)
def test_the_formula(provisioned: int, ready: int, smoothed: float, expected: int) -> None:
    assert desired_replicas(DEFAULTS, provisioned, ready, smoothed) == expected


def test_the_signal_is_the_worst_share_and_clamped() -> None:
    assert saturation(DEFAULTS, ((TEN, 2.0), (None, 0.1))) == pytest.approx(0.95)
    assert saturation(DEFAULTS, ((TEN, 4.0), (TEN, 2.0))) == pytest.approx(0.95)
    assert saturation(DEFAULTS, ((TEN, 0.5),)) == 2.0
    assert saturation(DEFAULTS, ((None, 2.0),)) == 0.0


def test_the_signal_is_smoothed_over_three_scrapes() -> None:
    """TTFT 0.5 s lies in the bucket of 0.1 to 1 s: the quantile is 0.1 + 0.9 * 0.9 = 0.91 s. TPOT 0.02 s lies in that of
    0.01 to 0.1 s: 0.091 s, of 0.1 s the larger share. Means of 0.91 and the noughts before: 0, 0.455, 0.607, 0.91."""
    scaler = KedaSloScaler(load_scenario("chat-8b").workloads[0], DEFAULTS)
    found = []
    for tick in range(4):
        page = sample(finished=100.0 * tick, at_s=T0 + 15.0 * tick)
        scaler.step(seen(T0 + 15.0 * tick, [page]))
        found.append(scaler._signal.mean(T0 + 15.0 * tick))
    assert found == pytest.approx([0.0, 0.455, 0.91 * 2 / 3, 0.91])


def test_it_goes_up_after_half_a_minute() -> None:
    """s = 0.607 asks two of one: ceil(0.607 / 0.55 - 1) = 1 more; but 30 s of proposals have to agree."""
    scaler = KedaSloScaler(load_scenario("chat-8b").workloads[0], DEFAULTS)
    wanted = []
    for tick in range(6):
        now_s = T0 + 15.0 * tick
        wanted.append(scaler.step(seen(now_s, [sample(finished=100.0 * tick, at_s=now_s)])))
    assert wanted == [1, 1, 1, 2, 2, 2]
