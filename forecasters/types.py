"""The two values that cross this room's door: an evenly binned `Series` in, a `QuantileForecast` out."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_LEVELS: tuple[float, ...] = (0.1, 0.5, 0.75, 0.9, 0.95, 0.99)
"""Quantile levels of every forecast: a low one for scale-down, the median for people, the rest for provisioning."""


@dataclass(frozen=True, slots=True)
class Series:
    """An evenly binned history of one quantity.

    `values[i]` is the mean over `[start_s + i*step_s, start_s + (i+1)*step_s)`, in the quantity's own unit;
    `None` is a bin in which nothing was seen. A gap is never a zero.
    """

    start_s: float
    step_s: float
    values: tuple[float | None, ...]

    def __post_init__(self) -> None:
        if not self.step_s > 0:
            raise ValueError(f"step_s is {self.step_s!r}; allowed: a positive number of seconds")

    @property
    def end_s(self) -> float:
        """The end of the last bin, unix seconds."""
        return self.start_s + self.step_s * len(self.values)


@dataclass(frozen=True, slots=True)
class QuantileForecast:
    """Quantiles of one quantity over the window `[made_at_s, made_at_s + step_s * len(values)]`.

    `values[step][i]` is the quantile `levels[i]` of the mean in that step's bin; `peak[i]` is that quantile of the
    *maximum* bin over the whole window, which is what capacity must meet. Both never decrease along `levels` and
    are never negative.
    """

    made_at_s: float
    step_s: float
    levels: tuple[float, ...]
    values: tuple[tuple[float, ...], ...]
    peak: tuple[float, ...]
    forecaster: str

    @property
    def horizon_s(self) -> float:
        """Length of the window, seconds."""
        return self.step_s * len(self.values)

    def peak_at(self, level: float) -> float:
        """The quantile `level` of the window's maximum, linear between known levels, clamped to the outermost ones."""
        return interpolate(self.levels, self.peak, level)


@dataclass(frozen=True, slots=True)
class Regime:
    """What a load may be doing: `ramp`, or `cycle` with its likeliest period. `probability` that it does so now, beside
    all else that it may do; `peak` are the quantiles `DEFAULT_LEVELS` of the window's maximum if it does."""

    kind: str
    probability: float
    period_s: float | None
    peak: tuple[float, ...]

    def peak_at(self, level: float) -> float:
        """As `QuantileForecast.peak_at`."""
        return interpolate(DEFAULT_LEVELS, self.peak, level)


def interpolate(levels: tuple[float, ...], values: tuple[float, ...], level: float) -> float:
    """Piecewise linear value at `level`; `levels` ascending; clamped at both ends.

    Raises:
        ValueError: if there are no levels.
    """
    if not levels:
        raise ValueError("levels is empty; allowed: at least one quantile level")
    if level <= levels[0]:
        return values[0]
    for low, high, left, right in zip(levels, levels[1:], values, values[1:], strict=False):
        if level <= high:
            return left + (right - left) * (level - low) / (high - low)
    return values[-1]
