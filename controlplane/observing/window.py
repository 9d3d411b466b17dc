"""The last minutes of samples by replica, and what happened between two of them."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from controlplane.domain.observation import Fault, FaultKind, Histogram, Sample
from controlplane.observing.histograms import difference
from controlplane.observing.request_tpot import request_means

RATE_WINDOW_S = 60.0
"""Rates are over a minute: a Poisson stream of 5 requests/s is then known to 6 %."""
MIX_WINDOW_S = 300.0
"""Token means are over five minutes: lengths are heavy-tailed, and the mix changes more slowly than the rate."""

CLOCK_SLACK_S = 1.0
"""Of a start that is ahead of the sample's time by more than this the clock is another one: a page's is the engine's,
and who steps in simulated time may have real ones in it."""
LEAST_SERVED_S = 1.0
"""Of an engine that was started as it was looked at, or after that by its own clock."""
PATIENCE_S = 1.0
"""Nobody gives up a request sooner than after so much waiting."""
FIRST_RUSH = 2.0
"""A router that sends to the emptiest sends a new replica so many times its later share at first."""


@dataclass(frozen=True, slots=True)
class SampleWindow:
    """Samples of each replica, oldest first, over `MIX_WINDOW_S` and one older."""

    samples: Mapping[str, tuple[Sample, ...]] = field(default_factory=dict)

    def adding(self, fresh: Iterable[Sample], now_s: float, frozen: Container[str] = ()) -> SampleWindow:
        """With `fresh` samples added, and forgotten what is too old to matter at `now_s` or of an engine before it was
        started anew. Of replicas whose page is `frozen` the newest is kept, by which that is known."""
        kept = {replica: list(samples) for replica, samples in self.samples.items()}
        for sample in fresh:
            before = kept.setdefault(sample.replica, [])
            if before and _was_reset(before[-1], sample):
                before.clear()
            if before and before[-1].at_s == sample.at_s:
                before.pop()  # the same scrape, seen again: where a Prometheus scrapes less often than is asked of it
            before.append(sample)
        from_s = now_s - MIX_WINDOW_S
        trimmed = {replica: _trim(samples, from_s, replica in frozen) for replica, samples in kept.items()}
        return SampleWindow({replica: samples for replica, samples in trimmed.items() if samples})

    def resets(self, fresh: Iterable[Sample]) -> list[Fault]:
        """A fault for each of `fresh` whose engine was started anew since the last: what it did before is not known."""
        pairs = [(self.newest(sample.replica), sample) for sample in fresh]
        words = "counters went back: the engine was started anew"
        return [
            Fault(FaultKind.RESET, sample.replica, detail=words)
            for before, sample in pairs
            if before is not None and _was_reset(before, sample)
        ]

    def newest(self, replica: str) -> Sample | None:
        """The newest sample of a replica."""
        samples = self.samples.get(replica)
        return samples[-1] if samples else None

    def base(self, replica: str, from_s: float) -> Sample | None:
        """The sample to measure from: the newest one at or before `from_s`, else the oldest; never the newest of
        all."""
        samples = self.samples.get(replica, ())[:-1]
        before = [s for s in samples if s.at_s <= from_s]
        return before[-1] if before else (samples[0] if samples else None)


def _trim(samples: list[Sample], from_s: float, frozen: bool) -> tuple[Sample, ...]:
    """Samples since `from_s` and the one just before; where even the newest is older, that alone if it is `frozen`."""
    first = max((place for place, s in enumerate(samples) if s.at_s <= from_s), default=0)
    if samples[-1].at_s < from_s:
        return tuple(samples[-1:]) if frozen else ()
    return tuple(samples[first:])


@dataclass(frozen=True, slots=True)
class Delta:
    """What one replica did over `seconds`. None: not known, and not to be derived from what else the page says."""

    replica: str
    variant: str
    seconds: float
    served_s: float | None
    """How long it has been there, where it began within the window; None: for as long as the window is."""
    finished: float | None
    gave_up: float
    """Of the finished, those that were aborted while they waited."""
    started: float | None
    """Requests that got their first token."""
    running: float | None
    """Change of running."""
    waiting: float | None
    """Change of waiting."""
    running_mean: float | None
    """Requests in the batch, the mean of what the pages showed."""
    waiting_mean: float | None
    """The same of the queue."""
    prompt_tokens: float | None
    cached_tokens: float | None
    generation_tokens: float | None
    preemptions: float | None
    ttft_s: Histogram | None
    tpot_s: Histogram | None
    """Of requests' means; where a page tells the gaps between tokens alone, what these make of them."""
    itl_s: Histogram | None
    e2e_s: Histogram | None
    prompt_lengths: Histogram | None
    output_lengths: Histogram | None
    iterations: Histogram | None
    queue_s: Histogram | None
    since_start: bool = False
    """Whether it is all that an engine has counted, which was first seen now: since when it serves is a guess then (its
    process has loaded for minutes, or whoever steps it sees it a step late), so a rate's scale is, and not its sum."""

    def part(self, span_s: float) -> float:
        """Of `span_s`, the part in which it was there: what it took, it took from the others, who had it before."""
        return 1.0 if self.served_s is None else min(1.0, self.served_s / span_s)

    def counted(self, span_s: float) -> float:
        """By what its own rate is multiplied in a sum over `span_s`; a rate that is over all of that is whole."""
        return self.part(span_s) if self.seconds < span_s else 1.0

    @property
    def arrivals(self) -> float | None:
        """Requests that came, by flow conservation: what was finished and what more there is. Not below nought.

        A page that does not say both has its first tokens counted, and what more waits for one; else what was finished.
        """
        if self.finished is not None and self.running is not None and self.waiting is not None:
            return max(0.0, self.finished + (self.running + self.waiting))
        if self.started is not None:
            return max(0.0, self.started + (self.waiting or 0.0))
        return (
            None if self.finished is None else max(0.0, self.finished + (self.waiting or 0.0) + (self.running or 0.0))
        )

    @property
    def completed(self) -> float | None:
        """Requests that were finished and had begun. Those that gave up came too, but brought no tokens: divided by,
        they make lengths nought in an outage, and the fleet with them."""
        return None if self.finished is None else max(0.0, self.finished - self.gave_up)

    @property
    def read(self) -> float | None:
        """Requests whose prompts were read."""
        if self.started is not None:
            return self.started
        return None if self.completed is None else max(0.0, self.completed + (self.running or 0.0))

    @property
    def answered(self) -> float | None:
        """Answers' worth of tokens that were made: those in the batch are half done in the mean."""
        if self.completed is not None:
            return max(0.0, self.completed + (self.running or 0.0) / 2.0)
        return self.started


def delta(window: SampleWindow, replica: str, now_s: float, length_s: float) -> Delta | None:
    """What a replica did over the last `length_s`; since its start where that is later and no sample is older.

    None where there is nothing to compare.
    """
    newest = window.newest(replica)
    if newest is None:
        return None
    base = window.base(replica, now_s - length_s)
    if base is None:
        return _since_start(newest, length_s)
    if newest.at_s <= base.at_s or _was_reset(base, newest):
        return None
    own = window.samples[replica]
    known = _between(base, newest, [s for s in own if s.at_s > base.at_s])
    scrape_s = min(base.at_s - (now_s - length_s), own[1].at_s - base.at_s)
    return replace(known, served_s=known.seconds + scrape_s) if _began(base, known, scrape_s) else known


def _began(first: Sample, known: Delta, scrape_s: float) -> bool:
    """Whether what an engine had counted when it was first seen is no more than it can have done in the scrape before,
    given what it did later: then it served nobody before that."""
    before, lately = _between(_nothing_at(first, first.at_s), first, [first]).arrivals, known.arrivals
    if scrape_s <= 0 or before is None or lately is None:
        return False
    return before <= FIRST_RUSH * lately / known.seconds * scrape_s


def _since_start(newest: Sample, length_s: float) -> Delta | None:
    started_s = newest.started_at_s
    if started_s is None or not newest.at_s - 2.0 * MIX_WINDOW_S <= started_s <= newest.at_s + CLOCK_SLACK_S:
        return None
    # An engine that is younger than the window took nothing in the window's rest: its rate is over the whole of it.
    known = _between(_nothing_at(newest, min(started_s, newest.at_s - length_s)), newest, [newest])
    return replace(known, served_s=max(newest.at_s - started_s, LEAST_SERVED_S), since_start=True)


def _nothing_at(later: Sample, at_s: float) -> Sample:
    """The page of the same engine before it had done anything."""
    nothing = {
        name: Histogram(h.bounds, (0.0,) * len(h.bounds), 0.0, 0.0)
        for name in _HISTOGRAMS
        if (h := getattr(later, name)) is not None
    }
    counters: dict[str, Any] = {**dict.fromkeys(_COUNTERS, 0.0), **nothing}
    return Sample(later.replica, later.variant, at_s, running=0.0, waiting=0.0, **counters)


_COUNTERS = (
    "finished_total",
    "aborted_total",
    "prompt_tokens_total",
    "prompt_tokens_cached_total",
    "generation_tokens_total",
    "preemptions_total",
)


_HISTOGRAMS = (
    "ttft_s",
    "tpot_s",
    "itl_s",
    "e2e_s",
    "queue_time_s",
    "prompt_tokens",
    "generation_tokens",
    "iteration_tokens",
)


def _was_reset(base: Sample, newest: Sample) -> bool:
    """Whether another engine answers under the same name."""
    if base.variant != newest.variant:
        return True
    if base.started_at_s is not None and newest.started_at_s is not None:
        later_s = newest.started_at_s - base.started_at_s
        if later_s > CLOCK_SLACK_S and newest.started_at_s <= newest.at_s + CLOCK_SLACK_S:
            return True
    pairs = ((getattr(base, name), getattr(newest, name)) for name in _COUNTERS)
    return any(old is not None and new is not None and new < old for old, new in pairs)


def _between(base: Sample, newest: Sample, shown: Sequence[Sample]) -> Delta:
    """The differences, and the means of the gauges that were `shown`. A counter that a page does not have is taken from
    the histogram that counts the same."""
    ttft, itl, tpot = (_grown(getattr(newest, n), getattr(base, n)) for n in ("ttft_s", "itl_s", "tpot_s"))
    prompts = _grown(newest.prompt_tokens, base.prompt_tokens)
    outputs = _grown(newest.generation_tokens, base.generation_tokens)
    made = itl.count + ttft.count if itl is not None and ttft is not None else None
    finished = _first(_less(newest.finished_total, base.finished_total), *(_count(h) for h in (outputs, prompts)))
    generated = _first(_less(newest.generation_tokens_total, base.generation_tokens_total), made, _sum(outputs))
    seconds, waiting_mean = newest.at_s - base.at_s, _mean(s.waiting for s in shown)
    gave_up = _gave_up(_less(newest.aborted_total, base.aborted_total or 0.0), waiting_mean, seconds)
    completed = None if finished is None else finished - gave_up
    return Delta(
        replica=newest.replica,
        variant=newest.variant,
        seconds=seconds,
        served_s=None,
        finished=finished,
        gave_up=gave_up,
        started=_count(ttft),
        running=_less(newest.running, base.running),
        waiting=_less(newest.waiting, base.waiting),
        running_mean=_mean(s.running for s in shown),
        waiting_mean=waiting_mean,
        prompt_tokens=_first(_less(newest.prompt_tokens_total, base.prompt_tokens_total), _sum(prompts)),
        cached_tokens=_less(newest.prompt_tokens_cached_total, base.prompt_tokens_cached_total),
        generation_tokens=generated,
        preemptions=_less(newest.preemptions_total, base.preemptions_total),
        ttft_s=ttft,
        tpot_s=request_means(itl, outputs, generated, completed) if newest.tpot_s is None else tpot,
        itl_s=itl,
        e2e_s=_grown(newest.e2e_s, base.e2e_s),
        prompt_lengths=prompts,
        output_lengths=outputs,
        iterations=_grown(newest.iteration_tokens, base.iteration_tokens),
        queue_s=_grown(newest.queue_time_s, base.queue_time_s),
    )


def _gave_up(aborted: float | None, waiting_mean: float | None, seconds: float) -> float:
    """Of the requests that were aborted, those that had not begun: all, but no more than can have waited (Little's
    law). Where hardly any wait, who is aborted was being answered: a person who has read enough."""
    if aborted is None:
        return 0.0
    return aborted if waiting_mean is None else min(aborted, waiting_mean * seconds / PATIENCE_S)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _first(*values: float | None) -> float | None:
    """The first that is known."""
    return next((value for value in values if value is not None), None)


def _count(histogram: Histogram | None) -> float | None:
    return None if histogram is None else histogram.count


def _sum(histogram: Histogram | None) -> float | None:
    return None if histogram is None else histogram.sum


def _less(newer: float | None, older: float | None) -> float | None:
    return None if newer is None or older is None else newer - older


def _grown(newer: Histogram | None, older: Histogram | None) -> Histogram | None:
    return None if newer is None or older is None else difference(newer, older)
