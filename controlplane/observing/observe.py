"""Samples and replicas -> one target's Observation."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from controlplane.domain.observation import (
    LENGTH_LEVELS,
    LENGTH_WEIGHTS,
    Fault,
    FaultKind,
    Histogram,
    Load,
    Observation,
    Replica,
    ReplicaPhase,
    Sample,
    VariantObservation,
)
from controlplane.domain.target import Role, Target, Variant
from controlplane.observing.adapter_use import lora_use
from controlplane.observing.batch_limit import full_batch, pinned_batch
from controlplane.observing.counts import counted, has_node, was_ready
from controlplane.observing.histograms import lengths, mean, mean_square, share_within, summary, total
from controlplane.observing.scrape import Scrape, sorted_out
from controlplane.observing.steps import mean_step, step_time_s
from controlplane.observing.window import MIX_WINDOW_S, RATE_WINDOW_S, Delta, SampleWindow, delta

MANY_REQUESTS = 1000
LENGTH_ERROR = 0.04
"""Requests, and the relative error of their mean length, with which the mix is followed by the minute: at usual spreads
a thousand are known to 3 to 5 %. Where lengths have a heavy tail they are not, and a fleet that followed them swung."""
MARKED = 0.1
MARKED_DEVIATIONS = 3.0
"""By this share, and so many standard deviations of its count, the newest scrape has more than the window's mean before
it is looked at: a ramp of a tenth within half a minute is followed by the mean itself."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is known of the target's Ready replicas now."""

    samples: Mapping[str, Sample]
    """Fresh samples by replica."""
    rates: Sequence[Delta]
    """Over the last minute that pages tell of."""
    mix: Sequence[Delta]
    """Over the last five."""
    newest: Sequence[Delta]
    """Since the scrape before."""
    departed: Sequence[Delta]
    """Over the part of the last minute in which replicas that are no longer Ready still reported."""
    ready: Mapping[str, int]
    """Ready replicas by variant, whether they report or not."""
    history: Mapping[str, Sequence[Sample]]
    """The last minutes' samples of the replicas in `samples`."""
    faults: tuple[Fault, ...]


def observe(
    target: Target,
    desired: Mapping[str, int],
    replicas: Sequence[Replica],
    samples: Sequence[Sample],
    window: SampleWindow,
    now_s: float,
) -> tuple[Observation, SampleWindow]:
    """The target at `now_s`, and the window to give the next time. `samples` are of this scrape; faults stay with them.

    `desired` is `spec.replicas` by variant name; a variant that is absent from it is taken to want what exists.
    """
    scrape = sorted_out(samples, window)
    faults = [*window.resets(scrape.fresh), *scrape.faults]
    window = window.adding(scrape.fresh, now_s, scrape.repeated)
    seen = _seen(target, replicas, samples, window, now_s, faults)
    variants = tuple(_variant(target, v, desired, replicas, seen, now_s) for v in target.variants)
    observation = Observation(
        target=target.key,
        at_s=now_s,
        window_s=RATE_WINDOW_S,
        variants=variants,
        coverage=_coverage(seen, scrape),
        age_s=max((now_s - s.at_s for s in seen.samples.values()), default=None),
        load=_load(target, seen),
        attainment=_attainment(target, seen),
        faults=seen.faults,
    )
    return observation, window


def _coverage(seen: _Seen, scrape: Scrape) -> float | None:
    """Share of the Ready replicas that report; None where none is Ready. One whose page is missing reports for as long
    as the newest is fresh, unless this scrape tells nothing at all: nobody would see how a smaller fleet fares."""
    ready = sum(seen.ready.values())
    if not ready:
        return None
    return len(seen.samples.keys() - scrape.silent) / ready if scrape.tells else 0.0


def _seen(
    target: Target,
    replicas: Sequence[Replica],
    samples: Sequence[Sample],
    window: SampleWindow,
    now_s: float,
    found: Sequence[Fault],
) -> _Seen:
    ready = {r.name: r.variant for r in replicas if r.phase is ReplicaPhase.READY}
    faults = [fault for sample in samples for fault in sample.faults]
    fresh: dict[str, Sample] = {}
    for name in ready:
        newest = window.newest(name)
        if newest is None:
            continue
        age_s = now_s - newest.at_s
        if age_s <= target.policy.max_sample_age_s:
            fresh[name] = newest
        else:
            faults.append(Fault(FaultKind.STALE, name, detail=f"the newest sample is {age_s:.0f} s old"))
    # While no page brings anything new, windows end with the last that did: who went since then had its part in them.
    last_s = min(now_s, max((s.at_s for s in fresh.values()), default=now_s))
    rates = _deltas(window, fresh, last_s, RATE_WINDOW_S)
    mix = _deltas(window, fresh, last_s, MIX_WINDOW_S)
    lately = _deltas(window, fresh, last_s, 0.0)
    gone = [
        name
        for name in window.samples
        if name not in ready and (last := window.newest(name)) is not None and last.at_s > last_s - RATE_WINDOW_S
    ]
    departed = _deltas(window, gone, last_s, RATE_WINDOW_S)
    history = {name: window.samples[name] for name in fresh}
    return _Seen(fresh, rates, mix, lately, departed, Counter(ready.values()), history, (*faults, *found))


def _deltas(window: SampleWindow, names: Iterable[str], now_s: float, length_s: float) -> list[Delta]:
    answers = (delta(window, name, now_s, length_s) for name in names)
    return [answer for answer in answers if answer is not None]


def _variant(
    target: Target,
    variant: Variant,
    desired: Mapping[str, int],
    replicas: Sequence[Replica],
    seen: _Seen,
    now_s: float,
) -> VariantObservation:
    own = [r for r in replicas if r.variant == variant.name]
    phases = counted(own, now_s - target.policy.pending_deadline_s)
    count = {phase: len(replicas) for phase, replicas in phases.items()}
    samples = [s for s in seen.samples.values() if s.variant == variant.name]
    rates = [d for d in seen.rates if d.variant == variant.name]
    pending = phases[ReplicaPhase.PENDING]
    waiting_since = [r.waits_since_s for r in pending]
    existing = count[ReplicaPhase.READY] + count[ReplicaPhase.PENDING] + count[ReplicaPhase.FAILED]
    usages = [s.kv_usage for s in samples if s.kv_usage is not None]
    slo, step = target.policy.slo, mean_step(rates)
    queue_s = mean(total(d.queue_s for d in rates))
    return VariantObservation(
        variant=variant.name,
        desired=desired.get(variant.name, existing),
        ready=count[ReplicaPhase.READY],
        pending=count[ReplicaPhase.PENDING],
        terminating=count[ReplicaPhase.TERMINATING],
        failed=count[ReplicaPhase.FAILED],
        reporting=len(samples),
        oldest_pending_s=now_s - min(waiting_since) if waiting_since else None,
        running=_sum(s.running for s in samples),
        waiting=_sum(s.waiting for s in samples),
        kv_usage_mean=sum(usages) / len(usages) if usages else None,
        kv_usage_max=max(usages, default=None),
        kv_capacity_tokens=next((s.kv_capacity_tokens for s in samples if s.kv_capacity_tokens), None),
        arrival_rps=_rate(rates, lambda d: d.arrivals),
        finished_rps=_rate(rates, lambda d: d.completed),
        prompt_tokens_per_s=_rate(rates, lambda d: d.prompt_tokens),
        generation_tokens_per_s=_rate(rates, lambda d: d.generation_tokens),
        step_time_s=step_time_s(rates),
        serving=_serving(rates),
        step_batch=step.batch,
        step_prompt_tokens=step.prompt_tokens,
        steps_per_s=_rate(rates, lambda d: d.iterations.count if d.iterations else None),
        preemptions_per_s=_rate(rates, lambda d: d.preemptions),
        ttft=summary(total(d.ttft_s for d in rates), slo.ttft_s),
        tpot=None if variant.role is Role.PREFILL else summary(total(d.tpot_s for d in rates), slo.tpot_s),
        e2e=None if slo.e2e_s is None else summary(total(d.e2e_s for d in rates), slo.e2e_s),
        unschedulable=sum(not has_node(r) for r in pending),
        failing=next((r.reason for r in phases[ReplicaPhase.FAILED] if r.reason), ""),
        templates=dict(sorted(Counter(r.template for r in phases[ReplicaPhase.READY] if r.template).items())),
        queue_s=queue_s,
        queued_mean=None if queue_s is not None else _queued(rates),
        lora=lora_use(seen.history[s.replica] for s in samples),
        restarting=was_ready(pending),
        crashed=was_ready(phases[ReplicaPhase.FAILED]),
        full_batch=full_batch(seen.history[s.replica] for s in samples),
        pinned_batch=pinned_batch(seen.history[s.replica] for s in samples),
    )


def _load(target: Target, seen: _Seen) -> Load | None:
    """The offered load. Requests enter by Prefill and Both replicas; answers leave by Decode and Both."""
    fronts, backs = _names(target, Role.DECODE), _names(target, Role.PREFILL)
    entering = [d for d in seen.rates if d.variant in fronts]
    rate = _arrivals(entering, sum(count for name, count in seen.ready.items() if name in fronts))
    if rate is not None:
        # What a replica took before it left within the window comes to the others from now on.
        rate += sum(d.arrivals or 0.0 for d in seen.departed if d.variant in fronts) / RATE_WINDOW_S
    entry, exit_ = [_Side.of(seen, names) for names in (fronts, backs)]
    prompts = entry.lengths(lambda d: d.prompt_lengths, lambda s: s.prompt_tokens)
    outputs = exit_.lengths(lambda d: d.output_lengths, lambda s: s.generation_tokens)
    input_tokens = mean(prompts) if prompts else entry.prompt_tokens()
    output_tokens = mean(outputs) if outputs else exit_.answer_tokens()
    if rate is None or input_tokens is None or output_tokens is None:
        return None
    return Load(
        requests_per_s=rate,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        # Lengths of prompt and answer are taken as independent; E[OSL^2] keeps the tail that a product of means loses.
        # Where their spread is not told it is taken to be that of an exponential: E[x^2] = 2 E[x]^2.
        context_tokens_weighted=output_tokens * input_tokens
        + (mean_square(outputs) if outputs else 2.0 * output_tokens**2) / 2.0,
        cached_share=_cached_share([d for d in seen.mix if d.variant in fronts]),
        input_tokens_squared=mean_square(prompts) if prompts is not None else None,
        input_lengths=lengths(prompts, LENGTH_LEVELS, LENGTH_WEIGHTS),
        output_lengths=lengths(outputs, LENGTH_LEVELS, LENGTH_WEIGHTS),
        newest_rps=_coming_back(seen, fronts, rate),
    )


@dataclass(frozen=True, slots=True)
class _Side:
    """The replicas that read prompts, or those that write answers; `mix` is over the last five minutes, `rates` over
    the last."""

    mix: Sequence[Delta]
    rates: Sequence[Delta]
    samples: Sequence[Sample]

    @classmethod
    def of(cls, seen: _Seen, names: frozenset[str]) -> _Side:
        return cls(
            [d for d in seen.mix if d.variant in names],
            [d for d in seen.rates if d.variant in names],
            [s for s in seen.samples.values() if s.variant in names],
        )

    def lengths(
        self, lately: Callable[[Delta], Histogram | None], ever: Callable[[Sample], Histogram | None]
    ) -> Histogram | None:
        """The lengths of the last minute where it had many, of the last five, else since the engines' start; None where
        no page has them."""
        newest = total(lately(d) for d in self.rates)
        if newest and newest.count >= MANY_REQUESTS and _mean_error(newest) <= LENGTH_ERROR:
            return newest
        recent = total(lately(d) for d in self.mix)
        return recent if recent and recent.count else total(ever(s) for s in self.samples)

    def prompt_tokens(self) -> float | None:
        """Of a request, by the counters."""
        return self.per_request(lambda d: (d.prompt_tokens, d.read), lambda s: (s.prompt_tokens_total, _begun(s)))

    def answer_tokens(self) -> float | None:
        """Of a request, by the counters."""
        return self.per_request(
            lambda d: (d.generation_tokens, d.answered), lambda s: (s.generation_tokens_total, _begun(s))
        )

    def per_request(
        self,
        lately: Callable[[Delta], tuple[float | None, float | None]],
        ever: Callable[[Sample], tuple[float | None, float | None]],
    ) -> float | None:
        """Mean tokens of a request from counters alone, lately, else since the engines' start: for pages without
        histograms of lengths. Both give tokens and requests."""
        newest = [lately(d) for d in self.rates]
        if sum(requests or 0.0 for _, requests in newest) >= MANY_REQUESTS and (found := _ratio(newest)):
            return found
        return _ratio(lately(d) for d in self.mix) or _ratio(ever(s) for s in self.samples)


def _mean_error(histogram: Histogram) -> float:
    """Relative standard error of a histogram's mean."""
    middle, square = mean(histogram), mean_square(histogram)
    if not middle or square is None:
        return 0.0
    return math.sqrt(max(0.0, square / middle**2 - 1.0) / histogram.count)


def _begun(sample: Sample) -> float | None:
    """Requests that got their first token, or were finished and not aborted, since the engine's start."""
    if sample.ttft_s is not None:
        return sample.ttft_s.count
    return None if sample.finished_total is None else sample.finished_total - (sample.aborted_total or 0.0)


def _ratio(pairs: Iterable[tuple[float | None, float | None]]) -> float | None:
    """The sum of the first over that of the second, of pairs that are known; None where either is nought."""
    known = [(tokens, requests) for tokens, requests in pairs if tokens is not None and requests is not None]
    tokens, requests = sum(t for t, _ in known), sum(r for _, r in known)
    return tokens / requests if requests > 0 and tokens > 0 else None


def _arrivals(entering: Sequence[Delta], ready: int) -> float | None:
    """Requests/s that enter, those at silent replicas included: they are taken to be as busy as the ones that report.

    Left out, they would make a fleet that lost a third of its pages look a third quieter, and shrink.
    """
    known = [d for d in entering if d.arrivals is not None]
    rate = _rate(known, lambda d: d.arrivals)
    return None if rate is None else rate * max(1.0, ready / len(known))


def _coming_back(seen: _Seen, fronts: frozenset[str], over_window_rps: float) -> float | None:
    """Requests/s since the scrape before, where that is markedly more than over the window; None else. After a minute's
    silence the window's mean lags by as much: whoever shrinks by it meets the load without the replicas that it had."""
    known = [d for d in seen.newest if d.variant in fronts and not d.since_start]
    # Those that are seen for the first time took what they took from the others, who are asked alone.
    first = sum(d.since_start for d in seen.newest if d.variant in fronts)
    ready = sum(count for name, count in seen.ready.items() if name in fronts) - first
    rate = _arrivals(known, ready) if known else None
    if rate is None:
        return None
    noise = MARKED_DEVIATIONS * math.sqrt(rate / max(d.seconds for d in known))
    return rate if rate > over_window_rps * (1.0 + MARKED) + noise else None


def _names(target: Target, other: Role) -> frozenset[str]:
    """Names of the variants whose role is not `other`."""
    return frozenset(v.name for v in target.variants if v.role is not other)


def _cached_share(deltas: Sequence[Delta]) -> float:
    known = [(d.cached_tokens, d.prompt_tokens) for d in deltas if d.cached_tokens is not None and d.prompt_tokens]
    prompt = sum(tokens for _, tokens in known if tokens is not None)
    return min(1.0, sum(cached for cached, _ in known) / prompt) if prompt else 0.0


def _attainment(target: Target, seen: _Seen) -> float | None:
    """The smallest of the shares: requests that miss one limit are mostly those that miss the others.

    Where roles are split the client's TTFT is the prefill's and then the decode side's, so the decode side's mean is
    taken off the limit.
    """
    slo = target.policy.slo
    fronts, backs = _names(target, Role.DECODE), _names(target, Role.PREFILL)
    ttft = total(d.ttft_s for d in seen.rates if d.variant in fronts)
    tpot = total(d.tpot_s for d in seen.rates if d.variant in backs)
    handed = mean(total(d.ttft_s for d in seen.rates if d.variant in backs - fronts)) or 0.0
    shares = []
    if ttft is not None and ttft.count > 0:
        shares.append(share_within(ttft, max(slo.ttft_s - handed, 1e-9)))
    if tpot is not None and tpot.count > 0:
        shares.append(share_within(tpot, slo.tpot_s))
    whole = None if slo.e2e_s is None else total(d.e2e_s for d in seen.rates if d.variant in backs)
    if whole is not None and slo.e2e_s is not None and whole.count > 0:
        shares.append(share_within(whole, slo.e2e_s))
    return min(shares, default=None)


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _rate(deltas: Sequence[Delta], what: Callable[[Delta], float | None]) -> float | None:
    """The sum of the replicas' rates, per second, each for the part of the time that it was there; None where none is
    known."""
    span_s = _span_s(deltas)
    known = [value / d.seconds * d.counted(span_s) for d in deltas if (value := what(d)) is not None]
    return sum(known) if known else None


def _queued(deltas: Sequence[Delta]) -> float | None:
    """Requests in the replicas' queues, in the mean over the time that `_rate` is over; None where none is known."""
    span_s = _span_s(deltas)
    return _sum(None if d.waiting_mean is None else d.waiting_mean * d.part(span_s) for d in deltas)


def _serving(deltas: Sequence[Delta]) -> float | None:
    """Replicas, in the mean over the time that `_rate` is over."""
    return sum(d.part(_span_s(deltas)) for d in deltas) if deltas else None


def _span_s(deltas: Sequence[Delta]) -> float:
    """The time that their sum is over: of the one that was looked at for longest. An engine that is first seen counts
    since its start, which may be minutes of loading, and must not make the others' part smaller."""
    looked_at = [d.seconds for d in deltas if d.served_s is None or d.served_s > d.seconds]
    return max(looked_at or (d.seconds for d in deltas), default=0.0)
