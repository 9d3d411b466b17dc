"""A `Series` as arrays: what every forecaster here starts from."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from forecasters.types import Series

Floats: TypeAlias = NDArray[np.float64]


class NoHistory(ValueError):
    """Nothing was ever seen, so nothing can be foreseen."""


def as_array(series: Series) -> Floats:
    """The values, NaN where nothing was seen.

    Raises:
        ValueError: if a value is not finite or is negative; names its place and the value.
    """
    values = np.array(series.values, dtype=np.float64)
    gaps = np.isnan(values)
    if np.count_nonzero(gaps) != series.values.count(None) or not (values[~gaps] >= 0).all() or np.isinf(values).any():
        place, bad = next((p, v) for p, v in enumerate(series.values) if v is not None and not 0 <= v < math.inf)
        raise ValueError(f"values[{place}] is {bad!r}; allowed: a finite number of at least 0, or None")
    return values


def filled(values: Floats) -> Floats:
    """Gaps take the last value seen before them, those at the start the first one after: a gap is not a zero.

    Raises:
        NoHistory: if nothing was seen at all.
    """
    known = np.flatnonzero(~np.isnan(values))
    if not len(known):
        raise NoHistory("the series has no values; allowed: at least one bin in which something was seen")
    nearest = np.maximum.accumulate(np.where(np.isnan(values), -1, np.arange(len(values))))
    return values[np.where(nearest < 0, known[0], nearest)]


def unbroken(values: Floats, most: int) -> Floats:
    """The last bins, at most so many, since the last gap; of several rows since the last in any of them."""
    kept = values[..., -most:]
    gaps = np.flatnonzero(np.isnan(kept).any(axis=tuple(range(kept.ndim - 1))))
    return kept[..., gaps[-1] + 1 :] if len(gaps) else kept


def windows(values: Floats, length: int) -> Floats:
    """Row t is `values[t+1 : t+1+length]`: what came after bin t. Shape (max(0, n - length), length)."""
    if len(values) <= length:
        return np.empty((0, length))
    return np.lib.stride_tricks.sliding_window_view(values[1:], length)
