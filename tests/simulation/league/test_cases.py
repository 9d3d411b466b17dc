"""Cases: rate, window, cold start."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from controlplane.simulation.league.cases import STRIDE_S, Case, liveliest, prepared, with_cold_start
from controlplane.simulation.league.oracle import cheapest, replicas_of_work
from controlplane.simulation.scenario import load_scenario
from controlplane.simulation.traffic import Trace


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Two hours, flat but for ten minutes of four times the rate after the first hour."""
    flat = np.arange(0.0, 7200.0, 2.0)
    busy = np.arange(3600.5, 4200.0, 2.0 / 3.0)
    lines = [f"{t:.4f},1500,200" for t in np.sort(np.concatenate([flat, busy]))]
    (tmp_path / "day.csv").write_text("\n".join(["arrival_s,input_tokens,output_tokens", *lines]) + "\n")
    return tmp_path / "day.csv"


def test_the_rate_asks_for_twelve_replicas_in_the_mean(path: Path) -> None:
    scenario, trace = prepared(Case(path, "league-8b", 180.0, requests=None))
    (lead,) = cheapest(scenario, trace)
    assert float(replicas_of_work(lead, trace, scenario).mean()) == pytest.approx(12.0, rel=0.02)


def test_the_window_is_the_liveliest_of_the_whole(path: Path) -> None:
    whole = prepared(Case(path, "league-8b", 180.0, requests=None))[1]
    part = prepared(Case(path, "league-8b", 180.0, requests=len(whole) // 4))[1]
    expected = liveliest(whole, whole.duration_s * (len(whole) // 4) / len(whole))
    assert part.at_s.tolist() == expected.at_s.tolist()
    rates = np.histogram(part.at_s, np.arange(0.0, part.duration_s, STRIDE_S))[0]
    assert rates.max() > 3.0 * rates.min()


def test_a_trace_that_is_short_enough_is_played_whole(path: Path) -> None:
    whole = prepared(Case(path, "league-8b", 180.0, requests=None))[1]
    assert prepared(Case(path, "league-8b", 180.0, requests=len(whole)))[1].at_s.tolist() == whole.at_s.tolist()
    short = Trace(np.arange(100.0), np.full(100, 10), np.full(100, 10))
    assert liveliest(short, 50.0) is short


def test_cold_starts_have_the_asked_mean_and_keep_their_proportions() -> None:
    before = load_scenario("league-8b")
    for old, new in zip(before.workloads, with_cold_start(before, 420.0).workloads, strict=True):
        stages = new.cold_start
        assert stages.node_s + stages.image_s + stages.load_s + stages.warm_up_s == pytest.approx(420.0)
        assert stages.node_s / stages.load_s == pytest.approx(old.cold_start.node_s / old.cold_start.load_s)
