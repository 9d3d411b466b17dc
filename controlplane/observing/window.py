"""The last minutes of samples by replica, and what happened between two of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from controlplane.domain.observation import Fault, FaultKind, Histogram, Sample
from controlplane.observing.histograms import difference

RATE_WINDOW_S = 60.0
"""Rates are over a minute: a Poisson stream of 5 requests/s is then known to 6 %."""
MIX_WINDOW_S = 300.0
"""Token means are over five minutes: lengths are heavy-tailed, and the mix changes more slowly than the rate."""


@dataclass(frozen=True, slots=True)
class SampleWindow:
    """Samples of each replica, oldest first, over `MIX_WINDOW_S` and one older."""

    samples: Mapping[str, tuple[Sample, ...]] = field(default_factory=dict)

    def adding(self, fresh: Iterable[Sample], now_s: float) -> SampleWindow:
        """With `fresh` samples added, and what is too old to matter at `now_s` forgotten."""
        kept = {replica: list(samples) for replica, samples in self.samples.items()}
        for sample in fresh:
            kept.setdefault(sample.replica, []).append(sample)
        trimmed = {replica: _trim(samples, now_s - MIX_WINDOW_S) for replica, samples in kept.items()}
        return SampleWindow({replica: samples for replica, samples in trimmed.items() if samples})

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


def _trim(samples: list[Sample], from_s: float) -> tuple[Sample, ...]:
    """Samples since `from_s` and the one just before; nothing where even the newest is twice as old."""
    first = max((place for place, s in enumerate(samples) if s.at_s <= from_s), default=0)
    if samples[-1].at_s < from_s:
        return ()
    return tuple(samples[first:])


@dataclass(frozen=True, slots=True)
class Delta:
    """What one replica did over `seconds`. None: not known."""

    replica: str
    variant: str
    seconds: float
    finished: float | None
    in_system: float | None
    """Change of running + waiting."""
    prompt_tokens: float | None
    cached_tokens: float | None
    generation_tokens: float | None
    preemptions: float | None
    ttft_s: Histogram | None
    tpot_s: Histogram | None
    itl_s: Histogram | None
    prompt_lengths: Histogram | None
    output_lengths: Histogram | None
    iterations: Histogram | None

    @property
    def arrivals(self) -> float | None:
        """Requests that came, by flow conservation: what was finished and what more there is. Not below nought."""
        if self.finished is None or self.in_system is None:
            return None
        return max(0.0, self.finished + self.in_system)


def delta(window: SampleWindow, replica: str, now_s: float, length_s: float) -> tuple[Delta | None, Fault | None]:
    """What a replica did over the last `length_s`; since its start where that is later and no sample is older.

    None with a fault after a reset of its counters: that interval is not known. None without one: nothing to compare.
    """
    newest = window.newest(replica)
    if newest is None:
        return None, None
    base = window.base(replica, now_s - length_s)
    started_s = newest.started_at_s
    if base is not None and _was_reset(base, newest):
        return None, Fault(FaultKind.RESET, replica, detail="counters went back: the engine was started anew")
    if base is None:
        if started_s is None or started_s < newest.at_s - 2.0 * MIX_WINDOW_S:
            return None, None
        # An engine that is younger than the window took nothing in the window's rest: its rate is over the whole of it.
        since_s = min(started_s, newest.at_s - length_s)
        base = Sample(replica, newest.variant, since_s, running=0.0, waiting=0.0)
        base = replace(base, **dict.fromkeys(_COUNTERS, 0.0))  # type: ignore[arg-type]
    if newest.at_s <= base.at_s:
        return None, None
    return _between(base, newest), None


_COUNTERS = (
    "finished_total",
    "prompt_tokens_total",
    "prompt_tokens_cached_total",
    "generation_tokens_total",
    "preemptions_total",
)


def _was_reset(base: Sample, newest: Sample) -> bool:
    pairs = ((getattr(base, name), getattr(newest, name)) for name in _COUNTERS)
    return any(old is not None and new is not None and new < old for old, new in pairs)


def _between(base: Sample, newest: Sample) -> Delta:
    return Delta(
        replica=newest.replica,
        variant=newest.variant,
        seconds=newest.at_s - base.at_s,
        finished=_less(newest.finished_total, base.finished_total),
        in_system=_less(_in_system(newest), _in_system(base)),
        prompt_tokens=_less(newest.prompt_tokens_total, base.prompt_tokens_total),
        cached_tokens=_less(newest.prompt_tokens_cached_total, base.prompt_tokens_cached_total),
        generation_tokens=_less(newest.generation_tokens_total, base.generation_tokens_total),
        preemptions=_less(newest.preemptions_total, base.preemptions_total),
        ttft_s=_grown(newest.ttft_s, base.ttft_s),
        tpot_s=_grown(newest.tpot_s, base.tpot_s),
        itl_s=_grown(newest.itl_s, base.itl_s),
        prompt_lengths=_grown(newest.prompt_tokens, base.prompt_tokens),
        output_lengths=_grown(newest.generation_tokens, base.generation_tokens),
        iterations=_grown(newest.iteration_tokens, base.iteration_tokens),
    )


def _in_system(sample: Sample) -> float | None:
    if sample.running is None or sample.waiting is None:
        return None
    return sample.running + sample.waiting


def _less(newer: float | None, older: float | None) -> float | None:
    return None if newer is None or older is None else newer - older


def _grown(newer: Histogram | None, older: Histogram | None) -> Histogram | None:
    return None if newer is None else difference(newer, older)
