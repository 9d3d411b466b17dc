"""The tables of docs/forecasters.md: `python -m benchmarks.forecasts path/to/traces > tables.md`.

Every number is of the second half of a trace, in bins of 60 s; what is judged is the maximum of the window.
"""

from __future__ import annotations

import gzip
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from forecasters.backtest import Score, score, superposed
from forecasters.registry import FORECASTERS, create
from forecasters.types import Series

STEP_S = 60.0
HORIZONS_S = (75.0, 195.0, 435.0)
"""Cold starts of 60, 180 and 420 s, and one interval."""
COPIES = (1, 20)
QUANTITIES = ("requests/s", "input tokens/s", "output tokens/s")
NAIVE = ("last-value", "seasonal-naive")
ORIGINS = 500
DAY_BINS = 1440
MOST_BINS = 2880
"""What the controller keeps."""
MEMBER_HORIZON_S = 195.0
MEMBER_ORIGINS = 200
TIMED_TICKS = 400


@dataclass(frozen=True, slots=True)
class Case:
    """One trace at one rate: a series a quantity."""

    name: str
    copies: int
    series: tuple[Series, ...]

    @property
    def label(self) -> str:
        """As in the tables."""
        return f"{self.name} x{self.copies}"

    @property
    def of_a_day(self) -> bool:
        """Whether the coverage asked of long traces is asked of it."""
        return len(self.series[0].values) >= DAY_BINS


def read(path: Path) -> tuple[Series, ...]:
    """The trace's `QUANTITIES` in bins; a minute without requests is a nought, since the trace says that none came."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        file.readline()
        rows = np.array([line.split(",", 3)[:3] for line in file], dtype=float)
    places = (rows[:, 0] // STEP_S).astype(int)
    weights = (np.ones(len(rows)), rows[:, 1], rows[:, 2])
    return tuple(Series(0.0, STEP_S, tuple((np.bincount(places, w) / STEP_S).tolist())) for w in weights)


def cases(folder: Path) -> Iterator[Case]:
    """Every trace at every rate."""
    for path in sorted(folder.glob("*.csv.gz")):
        series = read(path)
        for copies in COPIES:
            yield Case(path.name.split(".")[0], copies, tuple(superposed(one, copies) for one in series))


def judged(name: str, series: Series, horizon_s: float, origins: int = ORIGINS, refits: int = 0) -> Score:
    """One forecaster on one series, as the controller uses it."""
    return score(lambda: create(name), series, horizon_s, origins, refits, MOST_BINS)


def ratio(one: Score, other: Score) -> float:
    """Loss over loss."""
    return (one.pinball or 0.0) / (other.pinball or float("nan"))


def summary(case: Case) -> tuple[str, float, list[float]]:
    """A line of the first table, the ratio to the best naive, and the coverages of the 0.9 quantile."""
    ratios, coverages, biases = [], [], []
    for series in case.series:
        for horizon_s in HORIZONS_S:
            made = judged("ensemble", series, horizon_s)
            naive = [judged(name, series, horizon_s) for name in NAIVE]
            ratios.append([ratio(made, one) for one in naive])
            coverages.append(made.coverage or 0.0)
            biases.append((made.bias or 0.0) / (made.level or 1.0))
    best = [max(row) for row in ratios]
    per = [statistics.mean(best[index :: len(HORIZONS_S)]) for index in range(len(HORIZONS_S))]
    mean = statistics.mean(best)
    cells = (
        case.label,
        *(f"{statistics.mean(row[index] for row in ratios):.2f}" for index in range(len(NAIVE))),
        " / ".join(f"{value:.2f}" for value in per),
        f"{mean:.2f}",
        f"{statistics.mean(coverages):.1%}",
        f"{min(coverages):.1%} to {max(coverages):.1%}",
        f"{statistics.mean(biases):+.1%}",
    )
    return f"| {' | '.join(cells)} |", mean, coverages


def main(folder: Path) -> None:
    """Judge, and print the tables."""
    every = list(cases(folder))
    names = (
        "trace",
        *(f"/ {n}" for n in NAIVE),
        "/ better naive at 75, 195, 435 s",
        "mean",
        "held by 0.9",
        "range",
        "bias",
    )
    print(_head(names))
    means, long = [], []
    for case in every:
        line, mean, coverages = summary(case)
        means.append(mean)
        long += coverages if case.of_a_day else []
        print(line, flush=True)
    inside = sum(0.86 <= c <= 0.94 for c in long) / len(long)
    print(
        f"\nMedian {statistics.median(means):.2f}, worst {max(means):.2f}; of the coverages on traces of a day or more "
    )
    print(f"{inside:.0%} are within 86 to 94 %.\n")
    members(every)
    timing(every)


def members(every: list[Case]) -> None:
    """The second table: each forecaster fitted once, requests/s, loss over last value's."""
    print(_head(("forecaster, fitted once", *(case.label for case in every), "median")))
    base = {case: judged("last-value", case.series[0], MEMBER_HORIZON_S, MEMBER_ORIGINS) for case in every}
    rows = [(name, name, 1) for name in FORECASTERS] + [("ensemble, never fitted", "ensemble", 0)]
    for label, name, refits in rows:
        found = []
        for case in every:
            made = judged(name, case.series[0], MEMBER_HORIZON_S, MEMBER_ORIGINS, refits)
            found.append(ratio(made, base[case]))
        cells = (label, *(f"{value:.2f}" for value in found), f"{statistics.median(found):.2f}")
        print(f"| {' | '.join(cells)} |", flush=True)


def timing(every: list[Case]) -> None:
    """What a tick of one target costs: update and predict of three quantities, every 15 s, two days of history.

    In seconds of CPU, since a tick is computed on one core and other programs' share is not its cost."""
    case = max(every, key=lambda one: len(one.series[0].values))
    for fitted in (False, True):
        forecasters = [create("ensemble") for _ in QUANTITIES]
        took_ms = []
        for tick in range(TIMED_TICKS + 1):
            bins, now_s = MOST_BINS + tick // 4, (MOST_BINS + tick / 4) * STEP_S
            seen = [Series(0.0, STEP_S, series.values[: bins + 1]) for series in case.series]
            if fitted and tick == 0:
                for forecaster, series in zip(forecasters, seen, strict=True):
                    forecaster.fit(series)
            began = time.process_time()
            for forecaster, series in zip(forecasters, seen, strict=True):
                forecaster.update(series)
                forecaster.predict(now_s, MEMBER_HORIZON_S)
            took_ms.append((time.process_time() - began) * 1000)
        # The first look learns from the history; the rest are what a tick costs.
        p50, p99 = np.percentile(took_ms[1:], (50, 99))
        print(
            f"\nA tick of one target ({'fitted' if fitted else 'not fitted'}, three quantities, {MOST_BINS} bins): "
            f"median {p50:.1f} ms of CPU, p99 {p99:.1f} ms; "
            f"the first, which learns from the history, {took_ms[0]:.0f} ms."
        )


def _head(names: tuple[str, ...]) -> str:
    return f"| {' | '.join(names)} |\n{'|---' * len(names)}|"


if __name__ == "__main__":
    if len(sys.argv) != 2 or not any(Path(sys.argv[1]).glob("*.csv.gz")):
        sys.exit(f"folder is {' '.join(sys.argv[1:]) or 'missing'!r}; allowed: one with traces, *.csv.gz")
    main(Path(sys.argv[1]))
