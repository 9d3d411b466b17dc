"""Differences, sums and quantiles of Prometheus histograms."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from controlplane.domain.observation import Histogram, LatencySummary

HALF = 0.5
UNSEEN = 0.1
"""Observations beyond a bucket beyond which none was seen: half a one, and at most this share of those in it."""


def difference(newer: Histogram, older: Histogram | None) -> Histogram | None:
    """What was observed between two snapshots; all of `newer` where there is no older one; None after a reset."""
    if older is None:
        return newer
    if newer.bounds != older.bounds or newer.count < older.count:
        return None
    cumulative = tuple(max(0.0, n - o) for n, o in zip(newer.cumulative, older.cumulative, strict=True))
    return Histogram(newer.bounds, cumulative, newer.sum - older.sum, newer.count - older.count)


def total(histograms: Iterable[Histogram | None]) -> Histogram | None:
    """Their sum, at the bounds that all of them have; None where there is none.

    Counts at common bounds add up exactly. Where they have fewer than half of the fewest bounds in common, those with
    the bounds of which there are most observations are summed, and the others left out.
    """
    known = [h for h in histograms if h is not None]
    if not known:
        return None
    if all(h.bounds == known[0].bounds for h in known):
        return _summed(known)
    common = sorted(set.intersection(*(set(h.bounds) for h in known)))
    if 2 * len(common) >= min(len(h.bounds) for h in known):
        return _summed([_at_bounds(h, tuple(common)) for h in known])
    observed: dict[tuple[float, ...], float] = {}
    for h in known:
        observed[h.bounds] = observed.get(h.bounds, 0.0) + h.count
    most = max(observed, key=lambda bounds: observed[bounds])
    return _summed([h for h in known if h.bounds == most])


def _summed(same: list[Histogram]) -> Histogram:
    cumulative = tuple(sum(column) for column in zip(*(h.cumulative for h in same), strict=True))
    return Histogram(same[0].bounds, cumulative, sum(h.sum for h in same), sum(h.count for h in same))


def _at_bounds(histogram: Histogram, bounds: tuple[float, ...]) -> Histogram:
    at = dict(zip(histogram.bounds, histogram.cumulative, strict=True))
    return Histogram(bounds, tuple(at[bound] for bound in bounds), histogram.sum, histogram.count)


def quantile(histogram: Histogram, level: float) -> float:
    """Linear within its bucket, as Prometheus' `histogram_quantile`; the last bound for what lies beyond it."""
    rank = level * histogram.count
    place = bisect_left(histogram.cumulative, rank)
    if place >= len(histogram.bounds):
        return histogram.bounds[-1]
    low = histogram.bounds[place - 1] if place else 0.0
    below = histogram.cumulative[place - 1] if place else 0.0
    inside = histogram.cumulative[place] - below
    return low + (histogram.bounds[place] - low) * ((rank - below) / inside if inside else 1.0)


def share_within(histogram: Histogram, limit: float) -> float:
    """Share of observations at or below `limit`; those beyond the last bound are above.

    Within a bucket of the upper half what lies above falls off as an exponential does, as latencies do: linear, a
    limit of 2 s between bounds of 1 and 2.5 s had three to five times the true share above it. In the lower half it is
    linear.
    """
    place = bisect_left(histogram.bounds, limit)
    below = histogram.cumulative[place - 1] if place else 0.0
    if place >= len(histogram.bounds):
        return below / histogram.count
    low = histogram.bounds[place - 1] if place else 0.0
    part = (limit - low) / (histogram.bounds[place] - low)
    above, beyond = histogram.count - below, histogram.count - histogram.cumulative[place]
    if part >= 1.0 or below < histogram.count / 2.0:
        return (below + part * (above - beyond)) / histogram.count
    if above <= 0:
        return 1.0
    left: float = (max(beyond, min(HALF, UNSEEN * above)) / above) ** part
    return 1.0 - above * left / histogram.count


def summary(histogram: Histogram | None, slo_s: float) -> LatencySummary | None:
    """The summary of a latency; None where nothing was observed."""
    if histogram is None or histogram.count <= 0:
        return None
    return LatencySummary(
        count=histogram.count,
        mean_s=histogram.sum / histogram.count,
        p50_s=quantile(histogram, 0.5),
        p90_s=quantile(histogram, 0.9),
        p99_s=quantile(histogram, 0.99),
        within_slo=share_within(histogram, slo_s),
    )


def mean(histogram: Histogram | None) -> float | None:
    """The mean; None where nothing was observed."""
    return histogram.sum / histogram.count if histogram is not None and histogram.count > 0 else None


def mean_square(histogram: Histogram) -> float:
    """E[x^2], each bucket's observations spread evenly over it, then scaled so that the first moment is the true one.

    Buckets are wide (1, 2, 5, 10...), so the raw bucket moments are biased; the exact sum corrects their scale.
    """
    first = second = below = 0.0
    low = 0.0
    for bound, cumulative in zip(histogram.bounds, histogram.cumulative, strict=True):
        inside = cumulative - below
        first += inside * (low + bound) / 2.0
        second += inside * (low * low + low * bound + bound * bound) / 3.0
        low, below = bound, cumulative
    beyond = histogram.count - below
    first += beyond * low
    second += beyond * low * low
    scale = histogram.sum / first if first > 0 else 1.0
    return second * scale * scale / histogram.count


def lengths(histogram: Histogram | None, levels: tuple[float, ...], weights: tuple[float, ...]) -> tuple[float, ...]:
    """Values at those quantile levels, scaled so that their weighted mean is the histogram's; empty where nothing was
    observed. Buckets are wide, so the quantiles are right in shape and biased in size; the exact sum corrects that."""
    true = mean(histogram)
    if histogram is None or true is None:
        return ()
    raw = [quantile(histogram, level) for level in levels]
    about = sum(w * x for w, x in zip(weights, raw, strict=True))
    return tuple(x * true / about for x in raw) if about > 0 else ()
