"""Step costs fitted through the simulator: the coefficients whose plays come nearest to the measured rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from benchmarks.measured_tables import Point
from controlplane.planning.roofline import StepCost
from controlplane.simulation.bench import ClosedLoad, play_closed_loop
from controlplane.simulation.engine import EngineLimits

Values = np.ndarray
PRIOR_WEIGHT = 0.03
"""Of a coefficient's distance from its start, in log units, beside the rows' log errors: it decides only where the rows
do not tell two coefficients apart."""
LOSS_SCALE = 0.1
"""Log error above which a row pulls less than its square: outliers of other builds of the engine."""
LEAST_SHARE = 1e-4
"""A coefficient may fall to this share of its start, which is nothing."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a table's rows were measured: requests per user, the spread of lengths, the engine's budget of tokens a step,
    and whether the tool reports means."""

    rounds: int = 10
    least_share: float = 1.0
    max_batched_tokens: int = 8192
    pause_s: float = 0.0
    means: bool = False
    attention: bool = True

    def limits(self) -> EngineLimits:
        """Of an engine with a KV cache and a batch that never bind: the tables do not say how large they were."""
        return EngineLimits(4_000_000, 1_000_000, 8192, self.max_batched_tokens)


def played(cost: StepCost, point: Point, protocol: Protocol) -> tuple[float, float]:
    """TTFT and TPOT of the row in the simulator, seconds."""
    load = ClosedLoad(
        users=point.users,
        requests=point.users * protocol.rounds,
        input_tokens=point.input_tokens,
        output_tokens=point.output_tokens,
        least_share=protocol.least_share,
        cached_tokens=point.cached_tokens,
        pause_s=protocol.pause_s,
    )
    latencies = play_closed_loop(cost, protocol.limits(), load)
    middle = np.mean if protocol.means else np.median
    return float(middle(latencies.ttft_s)), float(middle(latencies.tpot_s))


def errors(cost: StepCost, points: Sequence[Point], protocol: Protocol) -> Values:
    """log(played / measured) of TTFT and TPOT, a row a point; NaN where it was not measured."""
    rows = []
    for point in points:
        ttft_s, tpot_s = played(cost, point, protocol)
        rows.append(
            (
                np.log(ttft_s / point.ttft_s) if point.ttft_s else np.nan,
                np.log(tpot_s / point.tpot_s) if point.tpot_s else np.nan,
            )
        )
    return np.array(rows)


def fitted(points: Sequence[Point], protocol: Protocol) -> StepCost:
    """The step cost whose plays of these rows are nearest, from a start that the rows themselves give."""
    start = np.array(_start(points))
    free = 5 if protocol.attention else 4

    def cost_of(logs: Values) -> StepCost:
        return StepCost(*(float(v) for v in start[:free] * np.exp(logs)))

    def residuals(logs: Values) -> Values:
        error = errors(cost_of(logs), points, protocol).ravel()
        return np.concatenate([error[~np.isnan(error)], PRIOR_WEIGHT * logs])

    bound = np.full(free, -np.log(LEAST_SHARE))
    solved = least_squares(
        residuals,
        np.zeros(free),
        bounds=(-bound, bound),
        loss="soft_l1",
        f_scale=LOSS_SCALE,
        diff_step=0.02,
        max_nfev=25,
    )
    return cost_of(solved.x)


def _start(points: Sequence[Point]) -> tuple[float, float, float, float, float]:
    """The fastest decode step, the fastest reading of a token, and small shares of them for the rest."""
    steps = [p.tpot_s for p in points if p.tpot_s]
    reads = [
        p.ttft_s / (p.input_tokens * (1 if p.users < 8 else 2)) for p in points if p.ttft_s and not p.cached_tokens
    ]
    a_s = min(steps) if steps else min(p.ttft_s for p in points if p.ttft_s) / 2.0
    b_s = min(reads) / 2.0 if reads else a_s / 200.0
    return a_s * 0.9, b_s, a_s / 100.0, a_s / 300_000.0, b_s / 20_000.0
