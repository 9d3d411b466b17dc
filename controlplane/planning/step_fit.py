"""The cost of a step from measured runs: least squares, drawn to the roofline's prior where the runs say nothing.

At a load, the mean TPOT is the mean step: `a + b*p + c*n + d*k` with `p = r*ISL*TPOT` prompt tokens a step, `n =
r*OSL*TPOT` sequences that decode (Little's law) and `k = n*(ISL + OSL/2)` tokens of context. A replica that is nearly
idle answers a prompt in `a*chunks + b*ISL`. Residuals are relative, so that a run of 5 ms and one of 50 ms count alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import lsq_linear

from controlplane.domain.measurement import Measurement
from controlplane.planning.roofline import MAX_BATCHED_TOKENS, StepCost

MIN_POINTS = 3
"""Fewer equations than this say less than the prior does."""
PRIOR_WEIGHT = 0.1
"""A coefficient ten times off the prior costs as much as a run that is 90 % off: the runs win, gently."""
RANGE = (0.05, 20.0)
"""Each coefficient stays within this factor of its prior: beyond, two of them have only traded places."""
IDLE_CONCURRENCY = 1.5
"""Mean requests in flight up to which a TTFT is taken for that of an idle replica."""


class TooFewPoints(ValueError):
    """The runs do not have enough numbers to fit; the message says how many, and what a run needs."""


@dataclass(frozen=True, slots=True)
class FittedCost:
    """The coefficients, the root mean square of the relative errors, and the equations that they come from."""

    cost: StepCost
    relative_error: float
    equations: int


@dataclass(frozen=True, slots=True)
class _Equation:
    """`row . (a, b, c, d) = seconds`."""

    row: tuple[float, float, float, float]
    seconds: float


def fit_step_cost(measurements: Iterable[Measurement], prior: StepCost) -> FittedCost:
    """Coefficients of one model on one replica.

    Raises:
        TooFewPoints: with fewer than 3 equations.
    """
    runs = list(measurements)
    equations = [e for run in runs for e in (_decode(run), _prompt(run)) if e is not None]
    if len(equations) < MIN_POINTS:
        raise TooFewPoints(
            f"{len(runs)} runs give {len(equations)} equations; allowed: at least {MIN_POINTS}, from runs with "
            "request throughput, ISL, OSL and mean TPOT (or mean TTFT while nearly idle)"
        )
    scale = np.array([prior.a_s, prior.b_s_per_token, prior.c_s_per_sequence, prior.d_s_per_token])
    rows = np.array([np.array(e.row) * scale / e.seconds for e in equations])
    weight = PRIOR_WEIGHT * np.eye(4)
    solved = lsq_linear(
        np.vstack([rows, weight]), np.concatenate([np.ones(len(rows)), PRIOR_WEIGHT * np.ones(4)]), bounds=RANGE
    )
    errors = rows @ solved.x - 1.0
    a, b, c, d = (float(value) for value in solved.x * scale)
    return FittedCost(StepCost(a, b, c, d), float(np.sqrt(np.mean(errors**2))), len(equations))


def _decode(run: Measurement) -> _Equation | None:
    tpot_s = run.tpot.mean_s if run.tpot is not None else None
    rate, isl, osl = run.throughput_rps, run.input_tokens, run.output_tokens
    if not (tpot_s and rate and isl and osl and osl >= 2):
        return None
    sequences = rate * osl * tpot_s
    return _Equation((1.0, rate * isl * tpot_s, sequences, sequences * (isl + osl / 2.0)), tpot_s)


def _prompt(run: Measurement) -> _Equation | None:
    ttft_s = run.ttft.mean_s if run.ttft is not None else None
    if not (ttft_s and run.input_tokens) or run.concurrency is None or run.concurrency > IDLE_CONCURRENCY:
        return None
    return _Equation((float(math.ceil(run.input_tokens / MAX_BATCHED_TOKENS)), run.input_tokens, 0.0, 0.0), ttft_s)
