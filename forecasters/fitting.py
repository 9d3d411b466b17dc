"""What every fit by statsmodels here has in common: how much history it takes, and what it need not say."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from statsmodels.tools.sm_exceptions import ConvergenceWarning, ModelWarning

from forecasters.history import Floats, NoHistory, as_array, filled
from forecasters.types import Series

LEAST_BINS = 30
"""Fewer bins than this tell three parameters nothing."""


def fit_values(series: Series, most_bins: int, least_bins: int = LEAST_BINS) -> Floats | None:
    """The newest `most_bins` of the history without its gaps; None where there is nothing to fit."""
    try:
        values = filled(as_array(series))[-most_bins:]
    except NoHistory:
        return None
    return None if len(values) < least_bins or float(np.ptp(values)) == 0.0 else values


@contextmanager
def quietly() -> Iterator[None]:
    """A fit that did not converge is still a point of the parameter space; its losses judge it."""
    with warnings.catch_warnings():
        for kind in (ConvergenceWarning, ModelWarning, RuntimeWarning, UserWarning):
            warnings.simplefilter("ignore", kind)
        yield
