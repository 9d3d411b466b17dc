"""From the prior to what the engines show: the step cost of each variant, learned as they run, with its uncertainty.

The state is the factor on each of the prior's coefficients a, b, c, d. One observation is the mean time of a step over
the last minute, `y = a + b*prompt tokens a step + c*batch + d*context`, where all of these come from counters: batch
and context by Little's law from the tokens generated a second. So y is linear in the factors, and a Kalman filter
(Kalman 1960) follows them: at a steady load it learns the one combination that matters there, and keeps the prior's
proportions, with their uncertainty, for what it has not seen.

A slow second loop compares the share of requests that missed their SLO with what the capacity model expected at that
load: what the model does not know of an engine or a router shows up there.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from controlplane.domain import catalog
from controlplane.domain.decision import Calibration, TargetInputs
from controlplane.domain.observation import Load, VariantObservation
from controlplane.domain.target import Role, Target, Variant
from controlplane.planning.queues import shared_wait
from controlplane.planning.roofline import MAX_BATCHED_TOKENS, StepCost, prior

PRIOR_DEVIATION = 0.3
"""A roofline is right to about 30 % in each coefficient (DESIGN; measured tables are within that of datasheets)."""
DRIFT = 0.003
"""Standard deviation by which a factor may wander in one tick: 5 % in an hour of ticks. The mix drifts, and
drivers and clocks do."""
NOISE = 0.06
"""Relative error of one minute's mean step: counters are exact, but the minute is not steady. Ticks that share a minute
are each counted with so much more variance that together they say what one minute does."""
UNREST = 5.0
UNREST_FREE = 0.03
"""A minute in which the step time moved is no single step: batch, prompts and time are means over unlike ones. What
it moved from one observation to the next beyond this share, which chance does at a steady load, is so many times added
to the error. A first ramp on one replica else taught a cost of prompts that was half too high for the rest of the
hour."""
UNREST_FADE_S = 45.0
"""A window's length later a fifth of it is left."""
MINUTE_S = 60.0
USUAL_INTERVAL_S = 15.0
"""Of ticks; what `DRIFT` is told for."""
LONGEST_INTERVAL_S = 300.0
"""An observation is over five minutes at most, and is evidence of no more."""
CAUTION = 1.0
"""Standard deviations of the learned step time that are added to it: a replica that was hardly watched is not trusted
to be fast."""
LIMITS = (0.3, 4.0)
"""A roofline prior is right within these; beyond them the page is doubted, not the physics."""
HOLDING_MEMORY_S = 300.0
HOLDING_LIMITS = (0.1, 5.0)
"""Gauges of one moment are noisy: five minutes of them are averaged, each within these."""
OUTLIER = 5.0
"""Deviations at which an observation is cut: a stall or a bad page must not rewrite what an hour has taught."""
MEMORY_S = 900.0
"""Half-time scale of `ratio` and of the misses: evidence older than a quarter of an hour fades."""
PRIOR = Calibration(1.0, 0.0)
AIM = 0.65
"""Of the SLO's budget of misses that is to be spent in the long run; the rest is for what comes unawares. With 0.58
ServeGen's day costs 1 to 2 % more at the same attainment, Mooncake's trace attains 99.08 % in place of 98.92."""
PEAK_SHARE = 1.4
"""Of the budget that may be missed at the planned peak: most minutes are below it, and miss far less."""
GAIN = 1.5
"""Budgets at the peak for a budget that was not spent: 2.4 of them where nothing is missed, 0.9 where all is spent."""
MISS_PRIOR_S = 600.0
"""So many seconds are taken to have missed just what may be missed, before anything was seen."""
MOST_SHARE = 2.5
"""Of the budget, at the planned peak: misses grow steeply with the load, so that is some percent of it."""
LEAST_SHARE = 0.1
"""Of the budget that is left however much was missed: the closed form grows steep, and asks for enough more."""
MOST_TRUST = 2.0
"""By which the share is multiplied at most where fewer miss than the model expects. Of a steady load of the Azure mix
at 0.92 of what is usable, the model expects 2.4 times what 16 replicas of a 70B model miss in the simulator, and nine
times what as many of an 8B one do; of ServeGen's, as much as they do."""
NOTICED = 0.1
"""Of the budget: shares of misses are compared with so much added to both, as smaller ones are noise."""
SETTLED = 0.1
"""Requests in queues, as a share of those in batches, above which a variant is catching up, not in a steady state."""


def calibrations(inputs: TargetInputs) -> dict[str, Calibration]:
    """The target's factors, brought up to date with the newest observation."""
    before = inputs.memory.calibrations
    updated: dict[str, Calibration] = {}
    for variant in inputs.target.variants:
        seen = inputs.observation.variant(variant.name)
        known = before.get(variant.name, PRIOR)
        if seen is None or inputs.observation.load is None or inputs.target.policy.interval_s <= 0:
            updated[variant.name] = known
        elif variant.role is Role.PREFILL:
            updated[variant.name] = _reader(inputs, variant, seen, inputs.observation.load, known)
        else:
            stepped = _stepper(inputs, variant, seen, inputs.observation.load, known)
            updated[variant.name] = _holder(inputs, seen, inputs.observation.load, stepped)
    return updated


def learned_cost(target: Target, variant: Variant, known: Calibration) -> StepCost:
    """The prior with the learned factors, and as much more as they are uncertain."""
    cost = prior(catalog.model(target.model), catalog.accelerator(variant.accelerator), variant.gpus_per_replica)
    if not known.factors:
        return cost.scaled(1.0 + CAUTION * known.deviation)
    careful = 1.0 + CAUTION * known.deviation
    a, b, c, d = (careful * factor for factor in known.factors)
    return cost.times(a, b, c, d)


def allowed_misses(known: Calibration, budget: float) -> float:
    """The share of misses that the model may expect at the planned peak, given what was missed of late.

    The budget is the SLO's: what was not missed may be missed at the peak, which most minutes are below; what was
    missed beyond `AIM` is taken back. Misses beyond what the model expected hardly depend on the load (a router's
    taste, a few long prompts), so they are taken off. Where fewer were missed than the model expected, it may expect as
    many times more, within `MOST_TRUST`.
    """
    prior = MISS_PRIOR_S / (known.misses_weight + MISS_PRIOR_S)
    spent = known.misses_seen / budget * (1.0 - prior) + AIM * prior
    share = min(max(PEAK_SHARE + GAIN * (AIM - spent), LEAST_SHARE), MOST_SHARE)
    seen, expected = known.misses_seen * (1.0 - prior), known.misses_expected * (1.0 - prior)
    trust = min(max((expected + NOTICED * budget) / (seen + NOTICED * budget), 1.0), MOST_TRUST)
    return max(budget * share * trust - max(0.0, seen - expected), LEAST_SHARE * budget)


def with_misses(known: Calibration, seen: float, expected: float, seconds: float) -> Calibration:
    """One observation more of the share of requests that missed, and of what was expected."""
    weight = min(known.misses_weight, MEMORY_S - seconds)
    mine, whole = weight, weight + seconds
    return replace(
        known,
        misses_seen=(known.misses_seen * mine + seen * seconds) / whole,
        misses_expected=(known.misses_expected * mine + expected * seconds) / whole,
        misses_weight=whole,
    )


def is_settled(seen: VariantObservation) -> bool:
    """Whether its replicas are neither starting, leaving nor working off a queue."""
    queue = (seen.waiting or 0.0) <= SETTLED * max(seen.running or 0.0, 1.0)
    return queue and seen.reporting > 0 and seen.reporting >= seen.ready and seen.terminating == 0


def _stepper(
    inputs: TargetInputs, variant: Variant, seen: VariantObservation, load: Load, known: Calibration
) -> Calibration:
    """Of replicas that decode: from the mean step."""
    row = _regressors(inputs.target, variant, seen, load)
    if row is None or seen.step_time_s is None:
        return known
    interval_s = observed_s(inputs.target)
    updated = _filtered(_moved(known, seen.step_time_s, interval_s), row, seen.step_time_s, interval_s)
    ratio = seen.step_time_s / float(row.sum())
    return _smoothed(updated, ratio, interval_s)


def _holder(inputs: TargetInputs, seen: VariantObservation, load: Load, known: Calibration) -> Calibration:
    """What a sequence holds of the KV cache, beside what lengths say: blocks that prefixes share are held once, and
    lengths of prompts and answers may go together."""
    kept = replace(
        known, kv_tokens=seen.kv_capacity_tokens or known.kv_tokens, sequences=_batch_limit(inputs, seen, known)
    )
    if not (seen.running and seen.reporting and seen.kv_usage_mean and kept.kv_tokens and load.output_tokens):
        return kept
    held = seen.kv_usage_mean * kept.kv_tokens * seen.reporting / seen.running
    ratio = held * load.output_tokens / max(load.context_tokens_weighted, 1.0)
    share = observed_s(inputs.target) / HOLDING_MEMORY_S
    bounded = min(max(ratio, HOLDING_LIMITS[0]), HOLDING_LIMITS[1])
    return replace(kept, holding=kept.holding + (bounded - kept.holding) * min(share, 1.0))


def _batch_limit(inputs: TargetInputs, seen: VariantObservation, known: Calibration) -> float | None:
    """The sequences that a batch takes at most: where replicas stood full while requests waited, in the engines or at
    the gateway. It is kept until a batch is larger, since a fleet that minds the limit does not touch it."""
    if seen.full_batch is not None:
        return seen.full_batch
    if seen.pinned_batch is not None and (inputs.surroundings.waiting_requests or 0.0) >= seen.ready:
        return seen.pinned_batch
    larger = seen.running and seen.reporting and known.sequences and seen.running / seen.reporting > known.sequences
    return None if larger else known.sequences


def _regressors(target: Target, variant: Variant, seen: VariantObservation, load: Load) -> np.ndarray | None:
    """Seconds that each of the prior's coefficients brings to one step; None where the page does not say."""
    found = _step(variant, seen, load)
    if found is None:
        return None
    batch, prompts = found
    cost = prior(catalog.model(target.model), catalog.accelerator(variant.accelerator), variant.gpus_per_replica)
    context = batch * load.context_tokens_weighted / load.output_tokens
    if seen.tpot is None and seen.ttft is None:
        # Pages without latencies: the step is by Little's law, and a request runs while its own prompt is read, too.
        prompts += load.input_tokens / load.output_tokens
    read = prompts * (1.0 - load.cached_share)
    if variant.role is not Role.BOTH:
        read = 0.0
    pairs = 0.0
    if read and load.input_tokens > 0:
        pairs = read * _square(load) / load.input_tokens / 2.0
    return np.array(
        [
            cost.a_s,
            cost.b_s_per_token * read + cost.e_s_per_token_pair * pairs,
            cost.c_s_per_sequence * batch,
            cost.d_s_per_token * context,
        ]
    )


def _square(load: Load) -> float:
    """E[ISL^2]; an exponential's where no page tells the spread, as the capacity model takes it: what is left out here
    would be learned as a cost of prompts, and the model would count it twice."""
    return load.input_tokens_squared or 2.0 * load.input_tokens**2


def _step(variant: Variant, seen: VariantObservation, load: Load) -> tuple[float, float] | None:
    """Sequences in a step, and prompt tokens read beside them; where nobody took the mean of it, by Little's law from
    the rates of all replicas together."""
    step_s, made = seen.step_time_s, seen.generation_tokens_per_s
    if not step_s or not made or not seen.reporting or load.output_tokens <= 0:
        return None
    batch = seen.each(made) * step_s if seen.step_batch is None else seen.step_batch
    if variant.role is not Role.BOTH:
        return batch, 0.0
    if seen.step_prompt_tokens is not None:
        return batch, seen.step_prompt_tokens
    prompts = _prompt_tokens_per_s(seen, load)
    return None if prompts is None else (batch, seen.each(prompts) * step_s)


def _prompt_tokens_per_s(seen: VariantObservation, load: Load) -> float | None:
    """Prompt tokens/s that were read, by the pages' counter or from the requests that came."""
    if seen.prompt_tokens_per_s is not None:
        return seen.prompt_tokens_per_s
    return None if seen.arrival_rps is None else seen.arrival_rps * load.input_tokens


def observed_s(target: Target) -> float:
    """Seconds of evidence that one observation brings: the time since the last one."""
    return min(target.policy.interval_s, LONGEST_INTERVAL_S)


def _moved(known: Calibration, step_s: float, interval_s: float) -> Calibration:
    """With what the step time has moved since it was last seen."""
    moved = 0.0 if known.step_s is None else abs(step_s - known.step_s) / known.step_s
    return replace(known, step_s=step_s, unrest=max(moved, known.unrest * math.exp(-interval_s / UNREST_FADE_S)))


def _filtered(known: Calibration, row: np.ndarray, step_s: float, interval_s: float) -> Calibration:
    """One step of the filter: predict (a random walk), then correct by what was seen in `interval_s`, above 0."""
    size = len(row)
    factors = np.array(known.factors) if known.factors else np.ones(size)
    covariance = (
        np.array(known.covariance).reshape(size, size) if known.covariance else np.eye(size) * PRIOR_DEVIATION**2
    )
    covariance = covariance + np.eye(size) * (DRIFT**2 * (interval_s / USUAL_INTERVAL_S))
    spread = covariance @ row
    noise = math.hypot(NOISE * max(1.0, MINUTE_S / interval_s) ** 0.5, UNREST * max(0.0, known.unrest - UNREST_FREE))
    variance = float(row @ spread) + (noise * step_s) ** 2
    surprise = step_s - float(row @ factors)
    surprise = float(np.clip(surprise, -OUTLIER * variance**0.5, OUTLIER * variance**0.5))
    gain = spread / variance
    factors = np.clip(factors + gain * surprise, *LIMITS)
    covariance = covariance - np.outer(gain, spread)
    return replace(
        known,
        factors=tuple(factors.tolist()),
        covariance=tuple(((covariance + covariance.T) / 2.0).ravel().tolist()),
        deviation=float(max(row @ covariance @ row, 0.0)) ** 0.5 / max(float(row @ factors), 1e-12),
    )


def _smoothed(known: Calibration, ratio: float, seconds: float) -> Calibration:
    bounded = min(max(ratio, LIMITS[0]), LIMITS[1])
    weight = min(known.weight, MEMORY_S - seconds)
    mean = (known.ratio * weight + bounded * seconds) / (weight + seconds)
    return replace(known, ratio=mean, weight=weight + seconds)


def _reader(
    inputs: TargetInputs, variant: Variant, seen: VariantObservation, load: Load, known: Calibration
) -> Calibration:
    """Of replicas that read prompts alone: the factor on the service time at which a queue of their rate would have the
    mean TTFT that was seen; and no more than what they finish a second allows."""
    if not seen.reporting or not seen.arrival_rps:
        return known
    cost = prior(catalog.model(inputs.target.model), catalog.accelerator(variant.accelerator), variant.gpus_per_replica)
    tokens = load.input_tokens * (1.0 - load.cached_share)
    square = _square(load) * (1.0 - load.cached_share) ** 2
    service_s = cost.a_s + cost.b_s_per_token * tokens + cost.e_s_per_token_pair * square / 2.0
    spread = max(square / max(tokens, 1e-9) ** 2, 1.0)
    if seen.ttft is None:
        shared_s = service_s - cost.a_s * (1.0 - tokens / MAX_BATCHED_TOKENS)  # small prompts share a step
        busy = busy_of_counts(seen, spread)
        if busy is None or not seen.finished_rps:
            return known
        ratio = busy / seen.each(seen.finished_rps) / shared_s
        return _read(known, min(max(ratio, COUNTS_LIMITS[0]), COUNTS_LIMITS[1]), inputs.target, COUNTS_PRIOR_S)
    found_s = read_s(seen, seen.each(seen.arrival_rps), spread)
    if seen.finished_rps:
        found_s = min(found_s, 1.0 / seen.each(seen.finished_rps))
    return _read(known, found_s / service_s, inputs.target, LATENCY_PRIOR_S)


def _read(known: Calibration, ratio: float, target: Target, prior_s: float) -> Calibration:
    """With one observation more of how long reading takes beside the prior, which counts as `prior_s` of evidence."""
    updated = _smoothed(known, ratio, observed_s(target))
    share = updated.weight / (updated.weight + prior_s)
    factor = 1.0 + (updated.ratio - 1.0) * share
    return replace(updated, factors=(factor,) * 4, deviation=PRIOR_DEVIATION / 2.0 * (1.0 - share))


def busy_of_counts(seen: VariantObservation, spread: float) -> float | None:
    """The share of their time for which replicas that share a queue are busy, from how many requests they hold in the
    mean: those that are read (Little's law: that share itself), and those that wait for it. None where not told.

    For pages without latencies. In an independent simulator what it makes of a prompt's reading is right to a tenth
    at shares of 0.5 to 0.96 on 5 and 15 replicas, and up to a fifth too long behind a router that takes turns.
    """
    if seen.running is None or seen.queued_mean is None:
        return None
    held, low, high = seen.running + seen.queued_mean, 0.0, BUSIEST
    for _ in range(20):
        middle = (low + high) / 2.0
        waits, wait = shared_wait(middle, seen.reporting, spread)
        low, high = (middle, high) if seen.reporting * middle * (1.0 + waits * wait) < held else (low, middle)
    return high


LATENCY_PRIOR_S = 60.0
COUNTS_PRIOR_S = 300.0
"""Seconds of evidence that the prior counts as, beside latencies and beside counts of one moment, which are noisier."""
COUNTS_LIMITS = (0.75, 1.5)
"""By which counts may move the prior: an engine may count others among those it holds, such as prompts that wait for
their cache to be fetched, and those are no work."""
BUSIEST = 0.98
"""A queue that grows is no steady one: what it finishes is what it can."""
SHORTEST_QUEUE = 1.0
"""Of the wait of an M/G/1 queue at a low rate, which a router that sends to the shortest of ten queues leaves at any
rate: measured in the simulator at utilisations of 0.4 to 0.95."""
TOGETHER = (0.6, 0.35)
"""Prompts that waited are read together, each for as long as all of them: x mean services of wait make reading longer
by `0.6x / (1 + 0.35x)` of itself. Measured in the simulator on 2, 4 and 16 replicas at utilisations of 0.5 to 0.95,
mostly within a tenth of the whole."""


def read_s(seen: VariantObservation, rate: float, spread: float) -> float:
    """Seconds to read one prompt by itself, from the latencies at `rate` requests/s a replica; `spread` is that of the
    prompts' reading (`queues.shared_wait`). 0 where no latency was seen.

    Where pages have no queue times, Little's law makes them of how many wait. While a queue grows, more wait than did
    before those that were read, and nothing would be left for the reading: it takes no less than TTFT alone says. TTFT
    alone does not do, since waits depend on what a router knows: behind one that knows who reads, prompts hardly wait,
    so reading seemed a quarter too fast, and a tenth of an hour's requests were late.
    """
    if seen.ttft is None:
        return 0.0
    mean_s = seen.ttft.mean_s
    if seen.queue_s is not None:
        return _alone_s(seen, max(mean_s - seen.queue_s, 0.0), rate, spread)
    guessed_s = _service_s(mean_s, rate)
    if seen.queued_mean is None or rate <= 0:
        return guessed_s
    return max(guessed_s, _alone_s(seen, max(mean_s - seen.each(seen.queued_mean) / rate, 0.0), rate, spread))


def _alone_s(seen: VariantObservation, together_s: float, rate: float, spread: float) -> float:
    """The service time of prompts that are read in `together_s`, with others that waited as they did."""
    low, high = 0.0, together_s
    for _ in range(20):
        middle = (low + high) / 2.0
        waits, wait = shared_wait(min(rate * middle, 0.98), seen.reporting, spread)
        more = TOGETHER[0] * waits * wait / (1.0 + TOGETHER[1] * waits * wait)
        low, high = (middle, high) if middle * (1.0 + more) < together_s else (low, middle)
    return high


def _service_s(mean_s: float, rate: float) -> float:
    """The service time s at which `s + k*s^2 = mean_s`: a wait of `k*s^2` with `k = SHORTEST_QUEUE*rate`.

    For pages without queue times. The queue that is joined is the shortest, so the wait does not grow as
    1/(1 - rate*s), and a long prompt is seldom joined behind. Where the router knows who reads, the wait is shorter
    and this too little.
    """
    k = SHORTEST_QUEUE * rate
    return ((1.0 + 4.0 * k * mean_s) ** 0.5 - 1.0) / (2.0 * k) if k > 0 else mean_s
