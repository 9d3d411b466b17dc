"""How far a forecast is to be believed, and what is kept free meanwhile.

Windows of a horizon's length overlap: an hour has sixty of a minute's bins, but only eight windows of seven minutes
that tell of one another nothing. A quantile of their peaks that was learned from so few is chance. Until there are
enough, the load as it comes now and a margin that was right on many loads say more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

from controlplane.domain.decision import Capacity, Demand, SideForecast, TargetInputs
from controlplane.planning.falls import fall_probability
from forecasters.regimes import CYCLE, RAMP
from forecasters.types import QuantileForecast, Regime

TRUSTED_WINDOWS = 30.0
"""Windows of the horizon's length after which the forecast counts as much as the margin. With 10 the ServeGen week's
first burst is missed, at the same cost; with 100 the calm Azure day costs 1 to 2 % more, and nothing is won."""
MARGIN = 0.13
MARGIN_HORIZON_S = 75.0
MARGIN_POWER = 0.5
"""Share of the present load by which it may grow within the horizon, at the policy's quantile of 0.9: 13 % in 75 s,
21 % in 195 s, 31 % in 435 s. The least multiple of what comes that held the SLO on the Azure hour and on a window of
ServeGen's day, with 8B and 70B, was 1.1, 1.2 and 1.3 for those; docs/forecasters.md has the table. Where the Azure
hour is scaled by copies within 15 s it needs more than 9 and 18 %, and calm loads pay 1 to 2 % for that. More than 31 %
is dear: with 0.6 as the power it is 37 %, and the Azure hour costs 2 to 4 % more at 420 s."""
MARGIN_QUANTILE = 0.9
RIPPLE_DEVIATIONS = 2.0
"""A minute's count of requests is itself uncertain by so many of its standard deviations: at 2 requests/s 18 %, at 100
2.6 %."""
MINUTE_S = 60.0
NEW_WINDOWS = 2.0
NEW_GROWTH, NEW_REPLICAS = 1.5, 1.25
"""A load of which fewer windows of the horizon's length were seen may grow by so much within one, as far as so many
more replicas carry that: one, and a fleet that is nearly full gets it before it is. In NVIDIA's simulator, which grows
from one replica's load to four's in five minutes, the mean goodput of five seeds with a start-up of 180 s is 79.6 % in
place of the 75.7 % of 1 and 1, for 3 % more GPU-hours; two replicas win nothing beyond, and 4 windows neither. Without
room a tenth to a third of the requests are lost, and their queue buys what was saved."""
REGIME_QUANTILES = {RAMP: 0.65, CYCLE: 0.6}
"""Of what a regime says, whatever the error budget asks for: its errors are not those that the budget is of, and how
likely it is counts apart. With the budget's quantile, 0.86 after four minutes, a sine is overshot by a third at its
crest, and the league's windows cost up to 3 % more at a cold start of 60 s. With 0.6 for ramps the Azure hour, scaled
by copies within 100 s, attains 98.6 and 98.9 % there in place of 99.1 and 99.4; with 0.7 a sine costs 3 % more."""
RAMP_HORIZON_S = 75.0
"""How far a ramp is believed to take the margin's place; beyond, its share of that falls with the square. At a cold
start of 60 s ramps save 1 to 3 % on the league's windows, and cost 3 % on a nervous one (ServeGen's large model).
Believed so at 180 s they lose 1 to 3 % of the Azure hour's requests."""
SURE_QUANTILE, STEEP_QUANTILE = 0.1, 0.75
"""A ramp that is sure to bring more than there is now may bring more than the margin has, at any horizon: by how much
its upper quartile is above that. A wave of an hour that swings by 60 % (`benchmarks.wave_trace`) attains 99.2 and
94.5 % at cold starts of 180 and 420 s; planner version 11, without, had 97.7 and 85.2 %. Where the load fell by two
thirds its slope is uncertain for an hour: without the first condition ServeGen's large model costs 13 % more."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What may come, given what comes now: `share` of it is the forecasts' quantile `level`, the rest is the present
    with `margin` on it. What the load seems to be doing counts first: each of `regimes` with its share of all, and the
    factor on the present that it brings. Of what is left, `ramps` have theirs, where they bring more than the rest
    does."""

    share: float
    margin: float
    level: float
    regimes: tuple[tuple[float, float], ...] = ()
    ramps: tuple[tuple[float, float], ...] = ()
    asked: float = 0.999
    """The policy's quantile, beyond which a peak is told by `tail_peak`."""

    @classmethod
    def of(
        cls,
        inputs: TargetInputs,
        requests_per_s: float,
        horizon_s: float,
        level: float,
        side: SideForecast | None = None,
    ) -> Outlook:
        """That of one target, to which so many requests/s come now, or of one `side` of it."""
        asked, told = inputs.target.policy.forecast_quantile, side or inputs.forecast
        found = told.regimes if told and requests_per_s > 0 else ()
        peaks = (one.peak_at(REGIME_QUANTILES[one.kind]) / requests_per_s for one in found)
        growths = (max(peak, _least_growth(one, inputs)) for one, peak in zip(found, peaks, strict=True))
        regimes = tuple((_said(one, horizon_s), growth) for one, growth in zip(found, growths, strict=True))
        kept = margin(requests_per_s, horizon_s, asked, told.volatility if told else 1.0)
        ramps = tuple(_steep(one, requests_per_s, horizon_s) for one in found)
        return cls(trust(inputs, horizon_s), kept, level, regimes, ramps, asked)

    @property
    def regular(self) -> float:
        """What the regimes leave to the forecasts and the margin."""
        return 1.0 - sum(share for share, _ in self.regimes)

    def peak(self, forecast: QuantileForecast, present: float) -> float:
        """The peak to provide for, in the forecast's unit; less than what is there now only as far as a wave surely
        goes down."""
        foreseen, kept = tail_peak(forecast, self.level, self.asked), present * (1.0 + self.margin)
        usual = max(present, self.share * foreseen + (1.0 - self.share) * kept)
        special = sum(share * growth for share, growth in self.regimes)
        steeper = sum(share * max(0.0, growth * present - usual) for share, growth in self.ramps)
        return special * present + self.regular * usual + steeper

    def growth(self, foreseen: float) -> float:
        """A factor on the present, as far as the forecast that it is from is believed."""
        return 1.0 + self.regular * self.share * (foreseen - 1.0)


def tail_peak(forecast: QuantileForecast, level: float, asked: float) -> float:
    """The peak at `level`; beyond the quantile that is `asked` for no more than an exponential tail through the median
    and that one has.

    The error budget asks for 0.99 when much was missed; of an hour's windows that is the worst minute that there was:
    after one with twelve times the load a fleet was 2.5 times what was needed for the rest of the hour.
    """
    peak, middle = forecast.peak_at(level), forecast.peak_at(0.5)
    if level <= asked or not 0.5 < asked < 1.0:
        return peak
    further = math.log(2.0 * (1.0 - level)) / math.log(2.0 * (1.0 - asked))
    return min(peak, middle + (forecast.peak_at(asked) - middle) * further)


def _least_growth(regime: Regime, inputs: TargetInputs) -> float:
    """Below the present load only a wave is followed that surely goes down: where a ramp ends nobody knows, and a load
    that stepped down looks like one for a minute."""
    return 0.0 if regime.kind == CYCLE and fall_probability(inputs) > 0 else 1.0


def _said(regime: Regime, horizon_s: float) -> float:
    """The share of all that a regime is given."""
    if regime.kind == CYCLE:
        return regime.probability
    return regime.probability * min(1.0, (RAMP_HORIZON_S / max(horizon_s, 1e-9)) ** 2)


def _steep(regime: Regime, requests_per_s: float, horizon_s: float) -> tuple[float, float]:
    """The share that a ramp is not given for its horizon (`_said`), and the factor on the present that it may bring."""
    sure = surely_rises(regime, requests_per_s)
    growth = regime.peak_at(STEEP_QUANTILE) / requests_per_s if sure else 1.0
    return regime.probability - _said(regime, horizon_s), growth


def surely_rises(regime: Regime, requests_per_s: float) -> bool:
    """Whether it is a ramp that hardly fails to bring more than comes now."""
    return regime.kind == RAMP and regime.peak_at(SURE_QUANTILE) >= requests_per_s


def trust(inputs: TargetInputs, horizon_s: float) -> float:
    """The forecast's share, from 0 to 1, in what is planned for; the rest is the present load's, with its `margin`."""
    first_s = inputs.memory.first_seen_at_s
    if first_s is None:
        return 1.0  # Who gives a forecast without a memory has it from elsewhere.
    windows = (inputs.observation.at_s - first_s) / max(horizon_s, 1e-9)
    return windows / (windows + TRUSTED_WINDOWS)


def margin(requests_per_s: float, horizon_s: float, quantile: float, volatility: float = 1.0) -> float:
    """Share of the present load that is kept free where nothing is known of its ways; none for the median and below.
    `volatility` is how restless it is beside what is usual."""
    drift = volatility * MARGIN * (max(horizon_s, 1e-9) / MARGIN_HORIZON_S) ** MARGIN_POWER
    ripple = RIPPLE_DEVIATIONS / math.sqrt(max(requests_per_s, 1e-3) * MINUTE_S)
    bell = NormalDist()
    asked = bell.inv_cdf(min(max(quantile, 0.5), 0.999)) / bell.inv_cdf(MARGIN_QUANTILE)
    return asked * math.hypot(drift, ripple)


def with_first_growth(wanted: Demand, inputs: TargetInputs, known: Sequence[Capacity]) -> Demand:
    """`wanted` with room for a new load to grow by `NEW_GROWTH`, as far as `NEW_REPLICAS` carry that.

    What comes to a fleet of one within a cold start is told by nothing that was seen yet, and 9 % of it buys nothing:
    who waits until it comes is a cold start late. A dozen replicas have as much free by their `margin` already.
    """
    if inputs.forecast is None or inputs.memory.first_seen_at_s is None:
        return wanted
    age_s = inputs.observation.at_s - inputs.memory.first_seen_at_s
    load, rates = inputs.observation.load, [c.requests_per_s for c in known if c.requests_per_s > 0]
    if load is None or not rates or age_s > NEW_WINDOWS * inputs.forecast.horizon_s:
        return wanted
    room = min(NEW_GROWTH * load.requests_per_s, NEW_REPLICAS * min(rates))
    least = load.requests_per_s + room + wanted.backlog_rps
    growth = least - wanted.requests_per_s
    return replace(wanted, requests_per_s=least, growth_rps=growth) if growth > 0 else wanted
