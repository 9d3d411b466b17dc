"""The simulator against measured latencies, and a benchmark's closed loop against hand-worked numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.measured_tables import aggregated_points, dynamo_points, measured_requests, splitwise_points
from benchmarks.recorded_run import run_errors
from benchmarks.simulator_tables import AGGREGATED, ONE_WAVE, SEED, grouped, halves, held_out
from controlplane.planning.roofline import StepCost
from controlplane.simulation.bench import ClosedLoad, play_arrivals, play_closed_loop
from controlplane.simulation.engine import EngineLimits
from controlplane.simulation.traffic import Arrivals

PROFILES = Path(__file__).resolve().parents[2] / ".." / "shared" / "profiles"
COST = StepCost(0.01, 4e-5, 5e-5, 0.0, 0.0)
LIMITS = EngineLimits(kv_blocks=10_000, max_context_tokens=100_000)

measured = pytest.mark.skipif(not PROFILES.is_dir(), reason=f"no measured tables at {PROFILES}")


def relative(logs: np.ndarray) -> np.ndarray:
    return np.nanmedian(np.abs(np.exp(logs) - 1.0), axis=0)


def test_one_user_waits_for_nobody() -> None:
    played = play_closed_loop(COST, LIMITS, ClosedLoad(users=1, requests=3, input_tokens=1000, output_tokens=11))
    assert played.ttft_s == pytest.approx([0.05] * 3)
    assert played.tpot_s == pytest.approx([0.01005] * 3)
    assert played.arrived_s == pytest.approx([0.0, 0.1505, 0.301])


def test_a_pause_is_between_an_answer_and_the_next_question() -> None:
    load = ClosedLoad(users=1, requests=2, input_tokens=1000, output_tokens=11, pause_s=0.5)
    assert play_closed_loop(COST, LIMITS, load).arrived_s == pytest.approx([0.0, 0.6505])


def test_equal_requests_go_in_waves_whose_prompts_share_steps() -> None:
    load = ClosedLoad(users=4, requests=8, input_tokens=1024, output_tokens=2)
    played = play_closed_loop(COST, LIMITS, load)
    # The first step reads two prompts (2,048 tokens); the second gives them their last token and reads 2,046 tokens.
    first_s = 0.01 + 2048 * 4e-5
    second_s = 0.01 + 2046 * 4e-5 + 2 * 5e-5
    assert played.ttft_s[:2] == pytest.approx([first_s] * 2)
    assert played.ttft_s[2] == pytest.approx(first_s + second_s)
    assert sorted(played.arrived_s)[4:6] == pytest.approx([first_s + second_s] * 2)


def test_the_users_are_never_more_and_every_request_is_answered() -> None:
    load = ClosedLoad(users=7, requests=50, input_tokens=300, output_tokens=40, least_share=0.5)
    played = play_closed_loop(COST, LIMITS, load)
    ends_s = played.arrived_s + played.e2e_s
    inside = [int(((played.arrived_s <= t) & (ends_s > t)).sum()) for t in played.arrived_s]
    assert len(played.ttft_s) == 50
    assert max(inside) == 7
    assert played.input_tokens.min() >= 150
    assert played.input_tokens.max() <= 300


def test_a_request_that_never_fits_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="inputTokens \\+ outputTokens is 200000; allowed: 100000"):
        play_closed_loop(COST, LIMITS, ClosedLoad(1, 1, 199_999, 1))


def test_arrivals_are_played_at_their_own_times() -> None:
    arrivals = Arrivals.of(np.array([1.0, 5.0]), np.array([1000, 500]), np.array([1, 1]))
    played = play_arrivals(COST, LIMITS, arrivals, 10.0)
    assert played.arrived_s == pytest.approx([1.0, 5.0])
    assert played.ttft_s == pytest.approx([0.05, 0.03])


@measured
@pytest.mark.parametrize(
    "deployment",
    [
        ("Qwen/Qwen3-32B", "h100_sxm", "4"),
        ("moonshotai/Kimi-K2.5", "h200_sxm", "8"),
        ("meta-llama/Llama-3.1-70B", "b200_sxm", "2"),
    ],
)
def test_aggregated_vllm_rows_that_were_not_fitted(deployment: tuple[str, ...]) -> None:
    points = [p for p in aggregated_points(PROFILES) if p.deployment == deployment]
    _, logs = held_out(points, AGGREGATED, SEED)
    assert len(logs) >= 15
    assert (relative(logs) < 0.25).all(), relative(logs)


@measured
def test_dynamo_tables() -> None:
    _, logs = held_out(dynamo_points(PROFILES), ONE_WAVE, SEED)
    assert (relative(logs) < 0.1).all(), relative(logs)


@measured
def test_requests_of_an_overloaded_engine() -> None:
    run = next(
        r for r in grouped(measured_requests(PROFILES), lambda r: r.deployment) if r[0].deployment[0] == "Qwen3-32B"
    )
    logs = run_errors(run, *halves(run, SEED))
    assert (relative(logs) < 0.1).all(), relative(logs)


@measured
def test_every_row_of_the_tables_is_read() -> None:
    assert len(aggregated_points(PROFILES)) == 1012
    assert len(dynamo_points(PROFILES)) == 17 + 41
    assert len(splitwise_points(PROFILES)) == 228
    assert len(measured_requests(PROFILES)) == 1200
