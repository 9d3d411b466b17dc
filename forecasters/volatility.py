"""By how much a load grows within a few bins: how restless it is, whatever it does."""

from __future__ import annotations

import numpy as np

from forecasters.types import Series


def squared_growths(series: Series, bins: int, most: float) -> tuple[float, int] | None:
    """The mean square of the growth from a bin to the highest of it and of the `bins` after, as a share of it, and of
    how many windows that is the mean; they overlap. One growth counts for at most `most`, so that a spike is no law.

    Windows with a gap are left out, and those that begin at zero, from which any growth is infinite. None where there
    is no other.

    Raises:
        ValueError: if `bins` is less than 1.
    """
    if bins < 1:
        raise ValueError(f"bins is {bins!r}; allowed: a whole number from 1")
    values = np.array([np.nan if v is None else v for v in series.values], dtype=np.float64)
    if len(values) <= bins:
        return None
    windows = np.lib.stride_tricks.sliding_window_view(values, bins + 1)
    windows = windows[np.isfinite(windows).all(axis=1) & (windows[:, 0] > 0.0)]
    if not len(windows):
        return None
    growths = np.minimum(windows.max(axis=1) / windows[:, 0] - 1.0, most)
    return float(np.mean(growths**2)), len(windows)
