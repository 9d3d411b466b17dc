"""A target's observed load in bins of a minute: what its forecasters look at."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from controlplane.domain.observation import Load
from forecasters.types import Series

BIN_S = 60.0
"""One bin; observations of a shorter interval are averaged within it."""
MAX_BINS = 2880
"""Two days: enough for the seasonal forecaster to see yesterday from every hour of today."""
QUANTITIES = ("requests_per_s", "input_tokens_per_s", "output_tokens_per_s")
"""What is forecast, by the names used in fits."""


@dataclass(frozen=True, slots=True)
class LoadHistory:
    """Sums and counts by bin; `first` is the number of the first bin (unix seconds over `BIN_S`)."""

    first: int = 0
    sums: tuple[tuple[float, ...], ...] = ()
    """One row a bin, in the order of `QUANTITIES`."""
    counts: tuple[int, ...] = ()

    def adding(self, load: Load | None, at_s: float) -> LoadHistory:
        """With one observation of the load at `at_s`; None leaves a gap. What is before the first bin is left out."""
        number = math.floor(at_s / BIN_S)
        first = self.first if self.counts else number
        if number < first:
            return self
        missing = number - first + 1 - len(self.counts)
        sums, counts = list(self.sums), list(self.counts)
        sums.extend([(0.0,) * len(QUANTITIES)] * missing)
        counts.extend([0] * missing)
        if load is not None:
            sums[-1] = tuple(a + b for a, b in zip(sums[-1], rates(load), strict=True))
            counts[-1] += 1
        drop = max(0, len(counts) - MAX_BINS)
        return LoadHistory(first + drop, tuple(sums[drop:]), tuple(counts[drop:]))

    def series(self) -> dict[str, Series]:
        """The history by quantity; empty before the first observation."""
        if not any(self.counts):
            return {}
        return {
            name: Series(
                self.first * BIN_S,
                BIN_S,
                tuple(row[place] / n if n else None for row, n in zip(self.sums, self.counts, strict=True)),
            )
            for place, name in enumerate(QUANTITIES)
        }

    @classmethod
    def of(cls, series: Mapping[str, Series]) -> LoadHistory:
        """The history that a ledger kept; all series cover the same bins."""
        if not series or any(name not in series for name in QUANTITIES):
            return cls()
        columns = [series[name] for name in QUANTITIES]
        rows = list(zip(*(c.values for c in columns), strict=True))[-MAX_BINS:]
        first = round(columns[0].end_s / BIN_S) - len(rows)
        sums = tuple(tuple(0.0 if v is None else v for v in row) for row in rows)
        return cls(first, sums, tuple(0 if any(v is None for v in row) else 1 for row in rows))


def rates(load: Load) -> tuple[float, float, float]:
    """A load as `QUANTITIES`."""
    rate = load.requests_per_s
    return rate, rate * load.input_tokens, rate * load.output_tokens
