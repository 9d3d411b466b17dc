"""What one scrape tells that was not known: pages that say nothing, or only what the page before did, are left out.

An exporter or a cache between that stands still gives the same page again and again. Read as what is now it says that
nobody comes and nothing is done; it is a page that is missing, and missing is never zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from controlplane.domain.observation import Fault, FaultKind, Sample
from controlplane.observing.window import SampleWindow

NAMED_AFTER_S = 10.0
"""From when on a page that repeats is a fault. A step that reads long prompts takes a second or two, and is none where
pages are read each second; until then, too, it is left out: it knows nothing that the one before did not."""
MOVES = ("generation_tokens_total", "prompt_tokens_total", "itl_s", "iteration_tokens")
"""What moves within a few steps while requests run. Of a page without any of them the same page is no sign: a request
may run for minutes before it is counted."""


@dataclass(frozen=True, slots=True)
class Scrape:
    """The pages of one scrape, sorted out."""

    fresh: tuple[Sample, ...]
    repeated: frozenset[str]
    """Replicas whose page is that of the scrape before, though they have requests."""
    faults: tuple[Fault, ...]
    """Of those of `repeated` of which it has been so for too long."""

    @property
    def silent(self) -> frozenset[str]:
        """Replicas of which nothing is known since."""
        return frozenset(fault.replica for fault in self.faults)

    @property
    def tells(self) -> bool:
        """Whether any page is of now."""
        return bool(self.fresh) or self.repeated > self.silent


def sorted_out(samples: Sequence[Sample], window: SampleWindow) -> Scrape:
    """What a scrape tells beside the window of those before."""
    usable = [s for s in samples if _says_something(s)]
    repeats = [(s, before) for s in usable if (before := window.newest(s.replica)) and _repeats(s, before)]
    repeated = frozenset(sample.replica for sample, _ in repeats)
    return Scrape(
        tuple(s for s in usable if s.replica not in repeated),
        repeated,
        tuple(_fault(s.replica, age_s) for s, old in repeats if (age_s := s.at_s - old.at_s) >= NAMED_AFTER_S),
    )


def _says_something(sample: Sample) -> bool:
    """Whether it tells of the load at all."""
    told = (sample.running, sample.waiting, sample.finished_total, sample.generation_tokens_total, sample.ttft_s)
    return any(value is not None for value in told)


def _repeats(sample: Sample, before: Sample) -> bool:
    """Whether it has requests, and is in all that is read the page `before`. An engine without any stands still; what
    has the time of the one before is the same scrape, seen again."""
    if sample.at_s <= before.at_s or not (sample.running or sample.waiting):
        return False
    if all(getattr(sample, name) is None for name in MOVES):
        return False
    return replace(sample, at_s=before.at_s) == before


def _fault(replica: str, age_s: float) -> Fault:
    words = f"the page is that of {age_s:.0f} s ago, though requests run or wait: taken as missing"
    return Fault(FaultKind.STALE, replica, detail=words)
