"""A trace that goes round: `python -m benchmarks.wave_trace --period 3600 --hours 3 wave.csv.gz`.

Poisson arrivals on a sine that begins at its mean, lengths of a chat, for `tidegate league --trace wave.csv.gz`. No
trace of the league's has such a wave, and a planner that is fitted to them may lose each of its rises.
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
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    at_s = _arrivals(options.period, 3600.0 * options.hours, np.random.default_rng(options.seed))
    rng = np.random.default_rng(options.seed + 1)
    prompts = _lengths(INPUT_TOKENS, INPUT_SPREAD, len(at_s), rng)
    answers = _lengths(OUTPUT_TOKENS, OUTPUT_SPREAD, len(at_s), rng)
    with gzip.open(options.path, "wt", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("arrival_s", "input_tokens", "output_tokens"))
        rows.writerows((f"{t:.4f}", int(p), int(a)) for t, p, a in zip(at_s, prompts, answers, strict=True))


def _arrivals(period_s: float, duration_s: float, rng: np.random.Generator) -> np.ndarray:
    """By thinning (Lewis & Shedler, 1979)."""
    most = MEAN_RPS * (1.0 + SWING)
    at_s = np.sort(rng.uniform(0.0, duration_s, rng.poisson(most * duration_s)))
    rate = MEAN_RPS * (1.0 + SWING * np.sin(2.0 * math.pi * at_s / period_s))
    return np.asarray(at_s[rng.uniform(0.0, most, len(at_s)) < rate])


def _lengths(median: float, spread: float, count: int, rng: np.random.Generator) -> np.ndarray:
    return np.maximum(1, np.round(median * np.exp(spread * rng.standard_normal(count))))


if __name__ == "__main__":
    main()
