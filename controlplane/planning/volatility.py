"""How restless a load is beside what is usual: the factor on the margin that is kept over what comes now.

The loads of the league's traces differ threefold in how much they grow within minutes, and who grows more within two
minutes does so within seven: of windows of 75 and 435 s the root mean square growth beside the usual is 0.9 and 1.0 on
the Azure hour, 0.4 and 0.3 on the Azure week, 0.5 and 0.65 on ServeGen's day, 1.0 and 1.1 on its large model. Minutes
are many long before windows of a cold start are.
"""

from __future__ import annotations

import math

from controlplane.planning.acquaintance import MARGIN_HORIZON_S
from forecasters.types import Series
from forecasters.volatility import squared_growths

WINDOWS_BINS = {2: 1.0, 4: 1.5}
"""Lengths of windows that are looked at, in bins of a minute, and by how many variances of a bin the mean square grows
that comes of counting alone: the highest of three or five beside the first, in bins that share half of what they
saw."""
USUAL_GROWTH = 0.081
GROWTH_POWER = 0.7
"""Root mean square growth of the load within `MARGIN_HORIZON_S`, the Azure hour's, and the power of the time with which
it grows: loads wander, and go on as they went, so that it is more than the root."""
MOST_GROWTHS = 4.0
"""Usual growths that one window counts for at most."""
PRIOR_WINDOWS = 15.0
"""Windows, one after another, that the usual counts for. With 10 a calm quarter of an hour talks the margin down before
the first burst of ServeGen's large model, and 2.5 % more of its requests are lost; with 20 calm loads cost up to 1 %
more."""
LIMITS = (0.5, 1.5)
REMEMBERED_BINS = 720
"""Half a day: nights and days differ."""


def volatility(load: Series, rates: Series, noise: float = 0.0) -> float:
    """Growth of `load` within minutes over what is usual, within `LIMITS`; 1 before anything was seen.

    `rates` are requests/s in the same bins of a minute: how many requests a bin's figure is made of. `noise` is a bin's
    standard deviation beyond what such counts explain, as a share. The last bin is not over and is left out.
    """
    seen, squares = _finished(load), []
    chance = _counting_noise(_finished(rates), rates.step_s) + noise**2
    for bins, variances in WINDOWS_BINS.items():
        usual = USUAL_GROWTH * (bins * load.step_s / MARGIN_HORIZON_S) ** GROWTH_POWER
        found = squared_growths(seen, bins, MOST_GROWTHS * usual)
        if found is not None:
            square, windows = found
            squares.append((max(0.0, square - variances * chance) / usual**2, windows / bins))
    if not squares:
        return 1.0
    square, windows = (sum(each) / len(squares) for each in zip(*squares, strict=True))
    ratio = math.sqrt((PRIOR_WINDOWS + windows * square) / (PRIOR_WINDOWS + windows))
    return min(max(ratio, LIMITS[0]), LIMITS[1])


def _finished(series: Series) -> Series:
    values = series.values[-REMEMBERED_BINS - 1 : -1]
    return Series(series.end_s - series.step_s * (len(values) + 1), series.step_s, values)


def _counting_noise(rates: Series, step_s: float) -> float:
    """The mean relative variance of a bin's count of requests, as of a Poisson process."""
    counts = [rate * step_s for rate in rates.values if rate]
    return sum(1.0 / count for count in counts) / len(counts) if counts else 0.0
