"""A trace that goes round: `python -m benchmarks.wave_trace --period 3600 --hours 3 wave.csv.gz`.

Poisson arrivals on a sine that begins at its mean, lengths of a chat, for `tidegate league --trace wave.csv.gz`. No
trace of the league's has such a wave, and a planner that is fitted to them may lose each of its rises.

With `--mix 2.5` as many come all the time, and their lengths go round: prompts are 2.5 times as long at one turn and a
2.5th at the other, answers the other way about. Half a period later the mix has turned over.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import math
from pathlib import Path

import numpy as np

MEAN_RPS, SWING = 10.0, 0.6
INPUT_TOKENS, INPUT_SPREAD, OUTPUT_TOKENS, OUTPUT_SPREAD = 800.0, 0.8, 200.0, 0.6
"""Medians and lognormal spreads: a chat's."""


def main() -> None:
    """Write the trace."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--period", type=float, default=3600.0, help="of the sine, seconds")
    parser.add_argument("--hours", type=float, default=3.0)
    parser.add_argument("--mix", type=float, default=0.0, help="by which lengths go round in place of the rate")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    swing, duration_s = (0.0 if options.mix else SWING), 3600.0 * options.hours
    at_s = _arrivals(options.period, duration_s, swing, np.random.default_rng(options.seed))
    rng = np.random.default_rng(options.seed + 1)
    longer = (options.mix or 1.0) ** np.cos(2.0 * math.pi * at_s / options.period)
    prompts = _lengths(INPUT_TOKENS * longer, INPUT_SPREAD, rng)
    answers = _lengths(OUTPUT_TOKENS / longer, OUTPUT_SPREAD, rng)
    with gzip.open(options.path, "wt", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("arrival_s", "input_tokens", "output_tokens"))
        rows.writerows((f"{t:.4f}", int(p), int(a)) for t, p, a in zip(at_s, prompts, answers, strict=True))


def _arrivals(period_s: float, duration_s: float, swing: float, rng: np.random.Generator) -> np.ndarray:
    """By thinning (Lewis & Shedler, 1979)."""
    most = MEAN_RPS * (1.0 + swing)
    at_s = np.sort(rng.uniform(0.0, duration_s, rng.poisson(most * duration_s)))
    rate = MEAN_RPS * (1.0 + swing * np.sin(2.0 * math.pi * at_s / period_s))
    return np.asarray(at_s[rng.uniform(0.0, most, len(at_s)) < rate])


def _lengths(medians: np.ndarray, spread: float, rng: np.random.Generator) -> np.ndarray:
    return np.maximum(1, np.round(medians * np.exp(spread * rng.standard_normal(len(medians)))))


if __name__ == "__main__":
    main()
