"""Recorded runs under overload: their own arrivals, played on one replica.

The requests of a run share one engine, so a half of them cannot be played without the other: both play, but only one
half's latencies fit the coefficients and only the other's are compared. What a run tells of its engine's limits (the
batch's size; the KV cache where it binds) is taken from the run.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import least_squares

from benchmarks.measured_tables import MeasuredRequest
from controlplane.planning.roofline import StepCost
from controlplane.simulation.bench import play_arrivals
from controlplane.simulation.engine import EngineLimits
from controlplane.simulation.traffic import Arrivals

KV_TOKENS = tuple(range(30_000, 66_000, 3_000))
"""Tried where the batch never reached a round number, so that the cache bound it: a GPU of 24 GB with 16 GB of weights."""
BATCHES = (128, 256)
"""vLLM's `--max-num-seqs` of these runs: the batch stays at it."""
START = StepCost(0.02, 5e-5, 5e-5, 1e-8, 1e-10)
LOSS_SCALE = 0.1


def run_errors(
    run: Sequence[MeasuredRequest], known: Sequence[MeasuredRequest], unknown: Sequence[MeasuredRequest]
) -> np.ndarray:
    """log(played / measured) of TTFT and TPOT for the unknown requests of a run, fitted to the known ones."""
    rows = {id(request): row for row, request in enumerate(run)}
    own, others = ([rows[id(r)] for r in half] for half in (known, unknown))
    fits = [(limits, _fitted(run, own, limits)) for limits in _limits(run)]
    limits, cost = min(fits, key=lambda fit: float(np.abs(_errors(run, fit[1], fit[0])[own]).mean()))
    return _errors(run, cost, limits)[others]


def _limits(run: Sequence[MeasuredRequest]) -> list[EngineLimits]:
    """What the engine's limits may have been."""
    starts = np.array([r.arrived_s + r.queue_s for r in run])
    ends = np.array([r.arrived_s + r.e2e_s for r in run])
    most = max(int(((starts <= t) & (ends > t)).sum()) for t in starts)
    for batch in BATCHES:
        if 0.9 * batch <= most <= batch:
            return [EngineLimits(1_000_000, 100_000, batch)]
    return [EngineLimits(tokens // 16, 100_000, 256) for tokens in KV_TOKENS]


def _fitted(run: Sequence[MeasuredRequest], own: Sequence[int], limits: EngineLimits) -> StepCost:
    start = np.array(
        [START.a_s, START.b_s_per_token, START.c_s_per_sequence, START.d_s_per_token, START.e_s_per_token_pair]
    )

    def cost_of(logs: np.ndarray) -> StepCost:
        return StepCost(*(float(v) for v in start * np.exp(logs)))

    def residuals(logs: np.ndarray) -> np.ndarray:
        return np.concatenate([_errors(run, cost_of(logs), limits)[own].ravel(), 0.03 * logs])

    solved = least_squares(
        residuals, np.zeros(5), bounds=(-9.0, 9.0), loss="soft_l1", f_scale=LOSS_SCALE, diff_step=0.02, max_nfev=25
    )
    return cost_of(solved.x)


def _errors(run: Sequence[MeasuredRequest], cost: StepCost, limits: EngineLimits) -> np.ndarray:
    at_s = np.array([r.arrived_s for r in run])
    arrivals = Arrivals.of(at_s, np.array([r.input_tokens for r in run]), np.array([r.output_tokens for r in run]))
    played = play_arrivals(cost, limits, arrivals, float(at_s[-1]) + 36_000.0)
    measured = np.array([(r.ttft_s, r.tpot_s) for r in run])
    return np.asarray(np.log(np.column_stack((played.ttft_s, played.tpot_s)) / measured))
