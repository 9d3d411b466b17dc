"""What is decided on is rounded first, so that what is recorded is exactly what was decided on, and short.

A page's minute is known to a percent at best; four digits say more than there is to know. A covariance needs three.
"""

from __future__ import annotations

import math
from dataclasses import replace

from controlplane.domain.decision import (
    Alternative,
    Calibration,
    Capacity,
    Demand,
    DemandScenario,
    Forecast,
    LoadLevel,
    Memory,
    Plan,
    SideForecast,
)
from controlplane.domain.observation import LatencySummary, Load, LoraUse, Observation, VariantObservation
from forecasters.types import QuantileForecast, Regime

SEEN_DIGITS = 4
"""Significant digits of what pages say."""
ROUGH_DIGITS = 3
"""Of quantiles that were interpolated in buckets or forecast, and of gauges of one moment."""
LENGTH_DIGITS = 3
"""Of quantiles of lengths, which come from wide buckets."""
LEARNED_DIGITS = 5
"""Of what is learned by small steps, so that a step of a hundredth of a percent is not lost."""
COVARIANCE_DIGITS = 3
PLAN_DIGITS = 4
CLOCK_DECIMALS = 3
"""Times to the millisecond."""


def rounded(value: float, digits: int) -> float:
    """`value` to so many significant digits; what is not finite stays as it is."""
    return float(f"{value:.{digits}g}") if math.isfinite(value) else value


def rounded_observation(seen: Observation) -> Observation:
    """Rates, gauges and latencies to `SEEN_DIGITS`, ages to the millisecond. Counts are whole and stay."""
    return replace(
        seen,
        variants=tuple(_variant(v) for v in seen.variants),
        coverage=_maybe(seen.coverage),
        age_s=None if seen.age_s is None else round(seen.age_s, CLOCK_DECIMALS),
        load=None if seen.load is None else _load(seen.load),
        attainment=_maybe(seen.attainment),
    )


def rounded_forecast(made: Forecast) -> Forecast:
    """Every quantile to `ROUGH_DIGITS`; rounding keeps their order."""
    return replace(
        made,
        horizon_s=round(made.horizon_s, CLOCK_DECIMALS),
        requests_per_s=_quantiles(made.requests_per_s),
        input_tokens_per_s=_quantiles(made.input_tokens_per_s),
        output_tokens_per_s=_quantiles(made.output_tokens_per_s),
        work_s_per_s=None if made.work_s_per_s is None else _quantiles(made.work_s_per_s),
        work_cached_share=rounded(made.work_cached_share, ROUGH_DIGITS),
        regimes=tuple(_regime(found) for found in made.regimes),
        volatility=rounded(made.volatility, ROUGH_DIGITS),
        recent_rps=_maybe(made.recent_rps),
        sides=tuple(_side(one) for one in made.sides),
        level=None if made.level is None else _level(made.level),
    )


def rounded_memory(memory: Memory) -> Memory:
    """What was learned to `LEARNED_DIGITS`."""
    return replace(
        memory,
        calibrations={name: _calibration(known) for name, known in memory.calibrations.items()},
        missed_requests=rounded(memory.missed_requests, LEARNED_DIGITS),
        finished_requests=rounded(memory.finished_requests, LEARNED_DIGITS),
    )


def rounded_plan(plan: Plan) -> Plan:
    """Rates and dollars as they are recorded; whole replicas stay."""
    return replace(
        plan,
        demand=None if plan.demand is None else _demand(plan.demand),
        capacities=tuple(_capacity(c) for c in plan.capacities),
        alternatives=tuple(_alternative(a) for a in plan.alternatives),
        usd_per_hour=rounded(plan.usd_per_hour, LEARNED_DIGITS + 2),
        weights={name: rounded(share, PLAN_DIGITS) for name, share in plan.weights.items()},
        reclaim_loss_rps=rounded(plan.reclaim_loss_rps, PLAN_DIGITS),
        domain_loss_rps=_maybe(plan.domain_loss_rps, PLAN_DIGITS),
    )


def _maybe(value: float | None, digits: int = SEEN_DIGITS) -> float | None:
    return None if value is None else rounded(value, digits)


def _variant(seen: VariantObservation) -> VariantObservation:
    return replace(
        seen,
        oldest_pending_s=None if seen.oldest_pending_s is None else round(seen.oldest_pending_s, CLOCK_DECIMALS),
        kv_usage_mean=_maybe(seen.kv_usage_mean, ROUGH_DIGITS),
        kv_usage_max=_maybe(seen.kv_usage_max, ROUGH_DIGITS),
        arrival_rps=_maybe(seen.arrival_rps),
        finished_rps=_maybe(seen.finished_rps),
        prompt_tokens_per_s=_maybe(seen.prompt_tokens_per_s),
        generation_tokens_per_s=_maybe(seen.generation_tokens_per_s),
        step_time_s=_maybe(seen.step_time_s),
        serving=_maybe(seen.serving),
        step_batch=_maybe(seen.step_batch),
        step_prompt_tokens=_maybe(seen.step_prompt_tokens),
        steps_per_s=_maybe(seen.steps_per_s),
        preemptions_per_s=_maybe(seen.preemptions_per_s),
        ttft=None if seen.ttft is None else _latency(seen.ttft),
        tpot=None if seen.tpot is None else _latency(seen.tpot),
        e2e=None if seen.e2e is None else _latency(seen.e2e),
        queue_s=_maybe(seen.queue_s, ROUGH_DIGITS),
        queued_mean=_maybe(seen.queued_mean, ROUGH_DIGITS),
        lora=None if seen.lora is None else _lora(seen.lora),
    )


def _lora(use: LoraUse) -> LoraUse:
    return replace(
        use,
        at_once=_maybe(use.at_once, ROUGH_DIGITS),
        share=_maybe(use.share, ROUGH_DIGITS),
        rest=_maybe(use.rest, ROUGH_DIGITS),
    )


def _latency(seen: LatencySummary) -> LatencySummary:
    return replace(
        seen,
        mean_s=rounded(seen.mean_s, SEEN_DIGITS),
        p50_s=rounded(seen.p50_s, ROUGH_DIGITS),
        p90_s=rounded(seen.p90_s, ROUGH_DIGITS),
        p99_s=rounded(seen.p99_s, ROUGH_DIGITS),
        within_slo=rounded(seen.within_slo, SEEN_DIGITS),
    )


def _load(load: Load) -> Load:
    return replace(
        load,
        requests_per_s=rounded(load.requests_per_s, SEEN_DIGITS),
        input_tokens=rounded(load.input_tokens, SEEN_DIGITS),
        output_tokens=rounded(load.output_tokens, SEEN_DIGITS),
        context_tokens_weighted=rounded(load.context_tokens_weighted, SEEN_DIGITS),
        cached_share=rounded(load.cached_share, SEEN_DIGITS),
        input_tokens_squared=_maybe(load.input_tokens_squared),
        input_lengths=_lengths(load.input_lengths),
        output_lengths=_lengths(load.output_lengths),
        newest_rps=_maybe(load.newest_rps),
    )


def _level(level: LoadLevel) -> LoadLevel:
    return LoadLevel(_load(level.load), rounded(level.noise, ROUGH_DIGITS))


def _lengths(lengths: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(rounded(length, LENGTH_DIGITS) for length in lengths)


def _quantiles(made: QuantileForecast) -> QuantileForecast:
    values = tuple(tuple(rounded(v, ROUGH_DIGITS) for v in step) for step in made.values)
    return replace(made, values=values, peak=tuple(rounded(v, ROUGH_DIGITS) for v in made.peak))


def _side(made: SideForecast) -> SideForecast:
    return SideForecast(
        work_s_per_s=_quantiles(made.work_s_per_s),
        regimes=tuple(_regime(found) for found in made.regimes),
        volatility=rounded(made.volatility, ROUGH_DIGITS),
    )


def _regime(found: Regime) -> Regime:
    return replace(
        found,
        probability=rounded(found.probability, ROUGH_DIGITS),
        period_s=_maybe(found.period_s, ROUGH_DIGITS),
        peak=tuple(rounded(v, ROUGH_DIGITS) for v in found.peak),
    )


def _calibration(known: Calibration) -> Calibration:
    return replace(
        known,
        ratio=rounded(known.ratio, LEARNED_DIGITS),
        deviation=rounded(known.deviation, LEARNED_DIGITS),
        step_s=_maybe(known.step_s),
        unrest=rounded(known.unrest, LEARNED_DIGITS),
        holding=rounded(known.holding, LEARNED_DIGITS),
        misses_seen=rounded(known.misses_seen, LEARNED_DIGITS),
        misses_expected=rounded(known.misses_expected, LEARNED_DIGITS),
        lora=None if known.lora is None else _lora(known.lora),
        factors=tuple(rounded(f, LEARNED_DIGITS) for f in known.factors),
        covariance=tuple(rounded(c, COVARIANCE_DIGITS) for c in known.covariance),
    )


def _demand(wanted: Demand) -> Demand:
    return replace(
        wanted,
        requests_per_s=rounded(wanted.requests_per_s, PLAN_DIGITS),
        low_requests_per_s=rounded(wanted.low_requests_per_s, PLAN_DIGITS),
        backlog_rps=rounded(wanted.backlog_rps, PLAN_DIGITS),
        growth_rps=rounded(wanted.growth_rps, PLAN_DIGITS),
        input_tokens=rounded(wanted.input_tokens, PLAN_DIGITS),
        output_tokens=rounded(wanted.output_tokens, PLAN_DIGITS),
        context_tokens_weighted=rounded(wanted.context_tokens_weighted, PLAN_DIGITS),
        cached_share=rounded(wanted.cached_share, PLAN_DIGITS),
        input_tokens_squared=_maybe(wanted.input_tokens_squared),
        input_lengths=_lengths(wanted.input_lengths),
        output_lengths=_lengths(wanted.output_lengths),
        scenarios=tuple(
            DemandScenario(rounded(s.requests_per_s, PLAN_DIGITS), rounded(s.probability, PLAN_DIGITS))
            for s in wanted.scenarios
        ),
    )


def _capacity(found: Capacity) -> Capacity:
    return replace(
        found,
        requests_per_s=rounded(found.requests_per_s, PLAN_DIGITS),
        calibration=rounded(found.calibration, PLAN_DIGITS),
    )


def _alternative(other: Alternative) -> Alternative:
    return replace(other, usd_per_hour=rounded(other.usd_per_hour, LEARNED_DIGITS + 2))
