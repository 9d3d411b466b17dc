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
"""Tried where the batch stayed at no round number, so that the cache bound it: 24 GB of memory, 16 GB of weights."""
BATCHES = (128, 256)
"""`--max-num-seqs` of these runs: while requests wait, the batch stays at it."""
BUDGETS = (2048, 8192)
"""Tokens a step: vLLM's defaults by the size of the GPU."""
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
    kept = _usual_batch(run)
    for batch in BATCHES:
        if 0.95 * batch <= kept <= 1.05 * batch:
            return [EngineLimits(1_000_000, 100_000, batch, budget) for budget in BUDGETS]
    if kept > 0.8 * BATCHES[-1]:
        return [EngineLimits(1_000_000, 100_000, BATCHES[-1], budget) for budget in BUDGETS]
    return [EngineLimits(tokens // 16, 100_000, BATCHES[-1]) for tokens in KV_TOKENS]


def _usual_batch(run: Sequence[MeasuredRequest]) -> float:
    """The median of the batch while requests wait."""
    arrived = np.array([r.arrived_s for r in run])
    starts, ends = arrived + [r.queue_s for r in run], arrived + [r.e2e_s for r in run]
    times = np.arange(0.0, float(ends.max()), 1.0)
    batch = [((starts <= t) & (ends > t)).sum() for t in times if ((arrived <= t) & (starts > t)).sum() > 1]
    return float(np.median(batch))


def _fitted(run: Sequence[MeasuredRequest], own: Sequence[int], limits: EngineLimits) -> StepCost:
    step_s = min(run[i].tpot_s for i in own)
    token_s = min(run[i].ttft_s / run[i].input_tokens for i in own)
    start = np.array([0.9 * step_s, 0.5 * token_s, step_s / 300.0, 1e-8, token_s / 20_000.0])

    def cost_of(logs: np.ndarray) -> StepCost:
        return StepCost(*(float(v) for v in start * np.exp(logs)))

    def residuals(logs: np.ndarray) -> np.ndarray:
        return np.concatenate([_errors(run, cost_of(logs), limits)[own].ravel(), 0.03 * logs])

    solved = least_squares(
        residuals, np.zeros(5), bounds=(-9.0, 9.0), loss="soft_l1", f_scale=LOSS_SCALE, diff_step=0.02, max_nfev=40
    )
    return cost_of(solved.x)


def _errors(run: Sequence[MeasuredRequest], cost: StepCost, limits: EngineLimits) -> np.ndarray:
    at_s = np.array([r.arrived_s for r in run])
    arrivals = Arrivals.of(at_s, np.array([r.input_tokens for r in run]), np.array([r.output_tokens for r in run]))
    played = play_arrivals(cost, limits, arrivals, float(at_s[-1]) + 36_000.0)
    measured = np.array([(r.ttft_s, r.tpot_s) for r in run])
    return np.asarray(np.log(np.column_stack((played.ttft_s, played.tpot_s)) / measured))
