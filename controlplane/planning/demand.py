"""What has to be carried: the forecast's quantile of the peak as far as it is believed, the present load and a margin
for the rest (`acquaintance`), and the backlog's share. The rate is of what comes, the share of what waits already: a
queue that grows or is drained is in the rate by that alone (`gateway_queue`)."""

from __future__ import annotations

from dataclasses import replace

from controlplane.domain.decision import Demand, Forecast, Memory, TargetInputs
from controlplane.domain.observation import Load
from controlplane.domain.target import Policy
from controlplane.planning.acquaintance import Outlook
from controlplane.planning.calibration import AIM
from controlplane.planning.lengths import with_lengths
from controlplane.planning.sides import demand_of_sides
from controlplane.planning.work import stretch, work_cost, work_per_request_s

BACKLOG_DRAIN_S = 120.0
"""A queue is to be gone in two minutes: less would buy replicas that arrive after it is gone, since a cold start is
longer."""
BUDGET_PRIOR_S = 900.0
"""So many seconds of requests are taken to have spent just what may be spent, before anything was seen."""
MISSED_GAIN = 0.25
"""By which the planned quantile is raised for a whole budget that is spent beyond what should be: to 0.99 where one is.
Without it the agents' trace attains 98.6 % in place of 99.1 %."""
SAVED_GAIN = 0.6
"""By which it is lowered for a whole budget that was not spent: from 0.9 to 0.51 where nothing is missed. With 0.25 the
Azure hour spent an eighth of its budget, at 3 to 4 % more."""
SHORTAGE_S = 200.0
"""The horizon up to which that is done in full; beyond, less by its square: who falls short is short for a cold start,
so the same error costs more requests. In full at 435 s, 16 % of the Azure hour were lost."""
QUANTILE_LIMITS = (0.5, 0.99)
LENGTH_LIMITS = (0.9, 1.3)
"""By which the coming mean lengths may differ from the present ones: beyond, forecasts of two quantities disagree."""
WAKING = "waking"
"""Source of a demand that only a gateway's queue tells of."""
MIDDLE = 0.5
"""The median: what is likely, where the spread is another forecast's."""
LOW_QUANTILE = 0.5
"""A scale-down must leave enough for the median of the coming peak; the stabilisation window guards the rest."""


def demand(inputs: TargetInputs) -> Demand | None:
    """The demand of one target; None where nothing is known of its load."""
    now = observed_demand(inputs) or waking_demand(inputs) or _bereft_demand(inputs)
    if now is None or inputs.forecast is None:
        return now
    level = inputs.forecast.level
    if level is not None:
        now = _of_load(level.load, now.backlog_rps, now.source)
    rates, horizon_s = inputs.forecast.requests_per_s, inputs.forecast.horizon_s
    quantile = planned_quantile(inputs.target.policy, inputs.memory, now.requests_per_s, horizon_s)
    coming = now.requests_per_s - now.backlog_rps
    if inputs.forecast.sides and coming > 0:
        planned = demand_of_sides(now, inputs, inputs.forecast, quantile)
    else:
        outlook = Outlook.of(inputs, coming, horizon_s, quantile)
        planned = _with_coming_work(now, inputs, inputs.forecast, outlook, outlook.peak(rates, coming))
    return replace(
        planned,
        low_requests_per_s=min(rates.peak_at(LOW_QUANTILE) + now.backlog_rps, planned.requests_per_s),
        source=f"forecast:{rates.forecaster}",
    )


def planned_quantile(policy: Policy, memory: Memory, rate: float, horizon_s: float) -> float:
    """The quantile of the coming peak to provision for: the policy's where the error budget is spent as it should be,
    lower where hardly anything is missed, higher where too much is. In the long run this finds the newsvendor's
    quantile for the price that the SLO puts on a miss, without being told one."""
    budget = 1.0 - policy.slo.attainment
    prior = max(rate, 1e-9) * BUDGET_PRIOR_S
    spent = (memory.missed_requests + AIM * budget * prior) / (memory.finished_requests + prior) / max(budget, 1e-9)
    saved_gain = SAVED_GAIN * min(1.0, SHORTAGE_S / max(horizon_s, 1e-9)) ** 2
    quantile = policy.forecast_quantile + (spent - AIM) * (saved_gain if spent < AIM else MISSED_GAIN)
    least, most = QUANTILE_LIMITS
    return min(max(quantile, min(least, policy.forecast_quantile)), max(most, policy.forecast_quantile))


def _with_coming_lengths(now: Demand, forecast: Forecast, outlook: Outlook) -> Demand:
    """The demand with prompts and answers as long as the forecasts of tokens say beside that of requests: work is
    tokens, and a mix that turns over moves it as a rate does."""
    return with_lengths(now, *_coming_lengths(now, forecast, outlook, outlook.level))


def _coming_lengths(now: Demand, forecast: Forecast, outlook: Outlook, level: float) -> tuple[float, float]:
    """The factors on prompts and on answers that the forecasts' quantiles `level` say."""
    rate = forecast.requests_per_s.peak_at(level)
    if rate <= 0:
        return 1.0, 1.0
    longer = _growth(forecast.input_tokens_per_s.peak_at(level) / rate, now.input_tokens)
    wordier = _growth(forecast.output_tokens_per_s.peak_at(level) / rate, now.output_tokens)
    return outlook.growth(longer), outlook.growth(wordier)


def _with_coming_work(
    now: Demand, inputs: TargetInputs, forecast: Forecast, outlook: Outlook, planned: float
) -> Demand:
    """The demand of `planned` requests/s, with lengths at which they are the peak of the work that may come. What
    prompts and answers are to one another is what the medians say."""
    coming_rps = now.requests_per_s - now.backlog_rps
    now = replace(now, requests_per_s=planned + now.backlog_rps)
    cost, work = work_cost(inputs.target), forecast.work_s_per_s
    if cost is None or work is None or planned <= 0 or forecast.requests_per_s.peak_at(MIDDLE) <= 0:
        return _with_coming_lengths(now, forecast, outlook)
    cached, (longer, wordier) = forecast.work_cached_share, _coming_lengths(now, forecast, outlook, MIDDLE)
    present = sum(work_per_request_s(cost, now.input_tokens, now.output_tokens, cached))
    coming = coming_rps * present
    plain, square = work_per_request_s(cost, now.input_tokens * longer, now.output_tokens * wordier, cached)
    more = stretch(plain, square, outlook.peak(work, coming) / planned)
    return with_lengths(now, _growth(more * longer, 1.0), _growth(more * wordier, 1.0))


def _growth(coming: float, known: float) -> float:
    return min(max(coming / max(known, 1e-9), LENGTH_LIMITS[0]), LENGTH_LIMITS[1])


def observed_demand(inputs: TargetInputs) -> Demand | None:
    """The load as it comes now, with the backlog's share; None where nothing is known of it."""
    load = inputs.observation.load
    if load is None:
        return None
    return _of_load(load, _backlog(inputs) / BACKLOG_DRAIN_S, "reactive")


def _of_load(load: Load, backlog_rps: float, source: str) -> Demand:
    return Demand(
        requests_per_s=load.requests_per_s + backlog_rps,
        low_requests_per_s=load.requests_per_s + backlog_rps,
        backlog_rps=backlog_rps,
        input_tokens=load.input_tokens,
        output_tokens=load.output_tokens,
        context_tokens_weighted=load.context_tokens_weighted,
        cached_share=load.cached_share,
        source=source,
        input_tokens_squared=load.input_tokens_squared,
        input_lengths=load.input_lengths,
        output_lengths=load.output_lengths,
    )


def waking_demand(inputs: TargetInputs) -> Demand | None:
    """What comes to a gateway while nobody is served, and the share of what it holds back already, as long as the
    requests that were seen last. It stays so until those that are Ready tell a load: what was handed over to them was
    not served yet. None where the gateway holds none, or none was ever seen."""
    mix, around = inputs.memory.mix, inputs.surroundings
    served = any(v.ready for v in inputs.observation.variants)
    if mix is None or (around.arriving_rps is None if served else not around.waiting_requests):
        return None
    load = replace(mix, requests_per_s=around.arriving_rps or 0.0, newest_rps=None)
    coming = 0.0 if served else load.requests_per_s * _until_ready_s(inputs)
    return _of_load(load, (_backlog(inputs) + coming) / BACKLOG_DRAIN_S, WAKING)


def bereft_load(inputs: TargetInputs) -> Load | None:
    """What is likely to come to a fleet of which nobody is Ready any more, by the forecast's medians: its replicas
    went, and not its load, and what may stand in for a Spot pool that was reclaimed is asked for by what came. None
    where a load is told or somebody serves, where nothing is asked for or has been for longer than a replica may be
    pending, where a gateway says that nobody waits, and where nothing is forecast."""
    forecast, seen = inputs.forecast, inputs.observation
    waits_s = [v.oldest_pending_s for v in seen.variants if v.pending and v.oldest_pending_s is not None]
    if forecast is None or seen.load is not None or any(v.ready for v in seen.variants):
        return None
    if inputs.surroundings.waiting_requests == 0:
        return None
    if not waits_s or max(waits_s) > inputs.target.policy.pending_deadline_s:
        return None
    made = (forecast.requests_per_s, forecast.input_tokens_per_s, forecast.output_tokens_per_s)
    rate, prompts, answers = (quantiles.peak_at(MIDDLE) for quantiles in made)
    if min(rate, prompts, answers) <= 0:
        return None
    prompt, answer = prompts / rate, answers / rate
    # Answers are taken to vary as an exponential does, E[OSL^2] = 2 E[OSL]^2.
    return Load(rate, prompt, answer, answer * (prompt + answer))


def _bereft_demand(inputs: TargetInputs) -> Demand | None:
    load = bereft_load(inputs)
    return None if load is None else _of_load(load, _backlog(inputs) / BACKLOG_DRAIN_S, "bereft")


def _until_ready_s(inputs: TargetInputs) -> float:
    """For how long the queue will grow yet, until what was asked for first is Ready: who asks for its share as it grows
    begins a cold start for each replica of it. Nought at the look that wakes: what came since the look before may be
    one batch, and the next look tells."""
    asked_s = [v.oldest_pending_s for v in inputs.observation.variants if v.oldest_pending_s is not None]
    if not asked_s or inputs.forecast is None:
        return 0.0
    return max(0.0, inputs.forecast.horizon_s - max(asked_s))


def _backlog(inputs: TargetInputs) -> float:
    """Requests that wait in the engines' queues and at a gateway; replicas that do not report are taken to have
    none."""
    outside = inputs.surroundings.waiting_requests or 0.0
    return outside + sum(v.waiting or 0.0 for v in inputs.observation.variants)
