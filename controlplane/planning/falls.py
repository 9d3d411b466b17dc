"""Whether a load is on its way down for certain. A ripple comes back, and who gave a replica up for it pays a cold
start; what falls as a ramp or a wave does, does not come back within one, so nothing is won by waiting."""

from __future__ import annotations

from controlplane.domain.decision import TargetInputs
from forecasters.types import Regime

CERTAIN = 0.5
"""Probability from which on a fall is one. The rest is a level that wanders, which is as likely to fall as to rise."""
QUANTILE = 0.6
"""Of the peak to come, which must be no more than what comes now. With the median a ramp of 2 % a minute is one, which
the Azure hour often turns at: at a cold start of 60 s that cost 3 %. With 0.75 NVIDIA's hour-long sine is hardly
one."""


def falling(inputs: TargetInputs) -> tuple[Regime, ...]:
    """The regimes whose peak within the horizon is no more than what comes now; none where it is coming back, nor where
    the policy waits falls out. Those of roles apart are of the work that falls less, of prompts or of answers
    (`RecentLoad.minutes`)."""
    load, forecast = inputs.observation.load, inputs.forecast
    if load is None or forecast is None or load.requests_per_s <= 0:
        return ()
    if load.newest_rps is not None or inputs.target.policy.scale_down.wait_out_falls:
        return ()
    return tuple(one for one in forecast.regimes if one.peak_at(QUANTILE) <= load.requests_per_s)


def fall_probability(inputs: TargetInputs) -> float:
    """Probability that the load falls; nought where that is not certain enough to be acted on."""
    probability = sum(one.probability for one in falling(inputs))
    return min(1.0, probability) if probability >= CERTAIN else 0.0


def told(inputs: TargetInputs) -> str:
    """How the load falls, in words."""
    periods = [one.period_s for one in falling(inputs) if one.period_s and one.probability >= CERTAIN]
    way = f"goes round every {periods[0]:.0f} s and is on its way down" if periods else "falls"
    return f"the load {way} ({fall_probability(inputs):.0%})"
