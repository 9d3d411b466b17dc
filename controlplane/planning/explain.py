"""A tick in words: what was seen, expected, possible, chosen, refused and done. Ten lines at most."""

from __future__ import annotations

from collections.abc import Mapping

from controlplane.domain.decision import Capacity, CapacityBound, Forecast, RulingEffect, TargetInputs, Tick
from controlplane.domain.target import Mode
from controlplane.planning.acquaintance import STEEP_QUANTILE, Outlook, surely_rises, tail_peak
from controlplane.planning.demand import bereft_load, planned_quantile

KNOWN_WELL = 0.9
"""The forecast's share in the plan from which on the rest is not worth a word."""
LIKELY = 0.2
"""The probability of a ramp or a cycle from which on it is."""
NOTABLE = 0.15
"""How far from the usual a load's volatility is to be for a word."""


def sentences(tick: Tick) -> tuple[str, ...]:
    """The trail of one decision, a sentence a line."""
    lines = [_seen(tick), _expected(tick), _possible(tick), _chosen(tick), *_refused(tick), _outcome(tick)]
    lines.extend(_done(tick))
    return tuple(line for line in lines if line)[:10]


def _seen(tick: Tick) -> str:
    observation = tick.inputs.observation
    parts = [
        f"{v.variant} {v.ready}/{v.desired} ready"
        + (f" ({v.pending} pending)" if v.pending else "")
        + (f" ({v.failed} failing: {v.failing or 'no reason given'})" if v.failed else "")
        for v in observation.variants
    ]
    load = observation.load
    around = tick.inputs.surroundings
    said = "The load is not known" if load is None else f"{load.requests_per_s:.2f} requests/s came"
    if load is None and around.arriving_rps is not None and around.waiting_requests:
        said = f"{around.arriving_rps:.2f} requests/s came to the gateway"
    elif load is None and bereft_load(tick.inputs) is not None:
        said = "Nobody is Ready to tell the load, so what was likely before counts"
    shape = "" if load is None else f" of {load.input_tokens:.0f} tokens in and {load.output_tokens:.0f} out"
    waiting = sum(v.waiting or 0.0 for v in observation.variants)
    outside = f" and {around.waiting_requests:.0f} outside" if around.waiting_requests else ""
    met = "" if observation.attainment is None else f"; {observation.attainment:.1%} met the SLO"
    faults = f"; {len(observation.faults)} faults in the metrics" if observation.faults else ""
    said += _noise(tick.inputs.forecast)
    return f"Seen: {said}{shape}, {waiting:.0f} waited{outside}; {', '.join(parts)}{met}{faults}."


def _noise(forecast: Forecast | None) -> str:
    """What was taken to come, where minutes differ by chance."""
    if forecast is None or forecast.level is None:
        return ""
    level = forecast.level
    return f" ({level.load.requests_per_s:.2f} but for the noise of its minutes, {level.noise:.0%})"


def _expected(tick: Tick) -> str:
    forecast = tick.inputs.forecast
    if forecast is None:
        return "Expected: no forecast, so only what is seen now counts."
    rates, inputs = forecast.requests_per_s, tick.inputs
    now = forecast.level.load if forecast.level else inputs.observation.load or bereft_load(inputs)
    coming = now.requests_per_s if now else 0.0
    asked = inputs.target.policy.forecast_quantile
    quantile = planned_quantile(inputs.target.policy, inputs.memory, coming, forecast.horizon_s)
    why = "" if abs(quantile - asked) < 0.005 else ", as the error budget allows"
    return (
        f"Expected: a peak of {tail_peak(rates, quantile, asked):.2f} requests/s at the {quantile:.0%} quantile{why} "
        f"({rates.peak_at(0.5):.2f} at the median) in the next {forecast.horizon_s:.0f} s, by {rates.forecaster}"
        f"{_believed(Outlook.of(inputs, coming, forecast.horizon_s, quantile), forecast)}{_doing(inputs, coming)}."
    )


def _believed(outlook: Outlook, forecast: Forecast) -> str:
    if outlook.share >= KNOWN_WELL:
        return ""
    moves = ""
    if abs(forecast.volatility - 1.0) > NOTABLE:
        moves = f", since the load moves {forecast.volatility:.1f} times as much as is usual"
    return (
        f"; it has seen little yet and counts for {outlook.share:.0%}, the rest is what comes now "
        f"and {outlook.margin:.0%} more{moves}"
    )


def _doing(inputs: TargetInputs, coming: float) -> str:
    """What the load does beside wandering, where that is likely; of roles apart, what that of each does."""
    forecast = inputs.forecast
    if forecast is None:
        return ""
    regimes = [("the load", one) for one in forecast.regimes]
    if forecast.sides:
        sides = zip(("prefill's load", "decode's load"), forecast.sides, strict=True)
        regimes = [(whose, one) for whose, side in sides for one in side.regimes]
    parts = [
        (f"{whose} goes round every {one.period_s:.0f} s" if one.period_s else f"{whose} ramps")
        + f" ({one.probability:.0%}), to {one.peak_at(0.5):.2f} at the median"
        + (f", up to {one.peak_at(STEEP_QUANTILE):.2f} since it surely rises" if surely_rises(one, coming) else "")
        for whose, one in regimes
        if one.probability >= LIKELY
    ]
    return "".join(f"; {part}" for part in parts)


def _possible(tick: Tick) -> str:
    if not tick.plan.capacities:
        return ""
    parts = [
        f"{c.variant} {c.requests_per_s:.2f}/s (limit {c.bound}{_slots(tick, c)}, "
        f"{c.calibration:.2f} x the prior's step time)"
        for c in tick.plan.capacities
    ]
    return f"Possible: one replica carries {', '.join(parts)}."


def _slots(tick: Tick, found: Capacity) -> str:
    """How scarce LoRA slots are, where they are the limit; what was seen before counts where nothing is seen now."""
    if found.bound is not CapacityBound.LORA_SLOTS:
        return ""
    seen, known = tick.inputs.observation.variant(found.variant), tick.inputs.memory.calibrations.get(found.variant)
    use = (seen.lora if seen is not None else None) or (known.lora if known is not None else None)
    return "" if use is None else f": {use.adapters} adapters on {use.slots} slots"


def _chosen(tick: Tick) -> str:
    plan = tick.plan
    if plan.demand is None:
        return ""
    backlog = f", {plan.demand.backlog_rps:.2f} of it to drain the queue" if plan.demand.backlog_rps > 0 else ""
    room = plan.demand.growth_rps
    growth = f", {room:.2f} of it room to grow while the load is new" if room > 0 else ""
    need = f"{plan.demand.requests_per_s:.2f} requests/s{backlog}{growth}"
    short = "" if plan.feasible else f"; it is not enough, held by {plan.binding}"
    if plan.feasible and plan.binding:
        short = f"; more than is allowed, lest less be carried: {plan.binding}"
    cheapest = min(plan.alternatives, key=lambda a: a.usd_per_hour, default=None)
    instead = f"; instead of {_fleet(cheapest.replicas)} ({cheapest.note})" if cheapest else ""
    tried = f"; {plan.trial}" if plan.trial else ""
    return f"Chosen: {_fleet(plan.replicas)} for {plan.usd_per_hour:.2f} $/h to carry {need}{short}{instead}{tried}."


def _refused(tick: Tick) -> list[str]:
    acted = [r for r in tick.decision.trail if r.effect is not RulingEffect.PASS]
    return [f"Rule {r.rule} ({r.effect}): {r.reason}; {_fleet(r.before)} became {_fleet(r.after)}." for r in acted][:4]


def _outcome(tick: Tick) -> str:
    return f"Verdict: {tick.decision.reason}."


def _done(tick: Tick) -> list[str]:
    lines = []
    if tick.validation is not None:
        word = "stands" if tick.validation.allowed else "is refused"
        lines.append(f"Checked again: the scale-down {word}, {tick.validation.reason}.")
    moves = [
        f"{a.variant} {a.replicas_from} -> {a.replicas_to} {a.result}" + (f" ({a.detail})" if a.detail else "")
        for a in tick.actuations
    ]
    if moves:
        lines.append(f"Done: {', '.join(moves)}.")
    elif tick.inputs.target.policy.mode is Mode.SHADOW and tick.decision.desired != tick.decision.current:
        lines.append("Done: nothing, the target is in Shadow.")
    return lines


def _fleet(replicas: Mapping[str, int]) -> str:
    return " + ".join(f"{count} {name}" for name, count in replicas.items() if count) or "0 replicas"
