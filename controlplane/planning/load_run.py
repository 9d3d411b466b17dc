"""The arithmetic of a load run: when to send what, and what the answers amount to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from controlplane.domain.measurement import Latency, Measurement
from controlplane.domain.target import Slo

_TEXT = (
    "time year people way day man thing woman life child world school state family student group country problem hand "
    "part place case week company system program question work government number night point home water room mother "
    "area money story fact month lot right study book eye job word business issue side kind head house service friend "
    "father power hour game line end member law car city community name president team minute idea kid body"
)
WORDS = _TEXT.split()
"""Common words, about a token each in every tokenizer; 60 random ones never share a cached prefix."""
LATE_S = 0.05
"""A request sent this much after its time: the load generator, not the server, is then what is measured."""
SHOWN_ERRORS = 3
"""Kinds of errors that a measurement names, the most frequent first."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One request. Times are seconds from the run's start; `chunk_at_s` are those of the streamed chunks.

    `input_tokens` and `output_tokens` are the server's count, None where it gave none. `error` None: it finished.
    """

    due_s: float
    sent_s: float
    chunk_at_s: tuple[float, ...]
    input_tokens: int | None
    output_tokens: int | None
    error: str | None = None

    @property
    def ttft_s(self) -> float | None:
        """To the first token, from when the request was sent."""
        return self.chunk_at_s[0] - self.sent_s if self.chunk_at_s else None

    @property
    def e2e_s(self) -> float | None:
        """To the last token."""
        return self.chunk_at_s[-1] - self.sent_s if self.chunk_at_s else None

    @property
    def tokens(self) -> int:
        """The server's count, else the chunks."""
        return self.output_tokens if self.output_tokens is not None else len(self.chunk_at_s)

    @property
    def tpot_s(self) -> float | None:
        """`(e2e - TTFT) / (n - 1)`; None for an answer of one token."""
        if self.tokens < 2 or not self.chunk_at_s:
            return None
        return (self.chunk_at_s[-1] - self.chunk_at_s[0]) / (self.tokens - 1)

    def good(self, slo: Slo) -> bool:
        """Finished, and within the SLO."""
        if self.error is not None or self.ttft_s is None:
            return False
        return self.ttft_s <= slo.ttft_s and (self.tpot_s is None or self.tpot_s <= slo.tpot_s)


def poisson_arrivals(rate_rps: float, duration_s: float, generator: np.random.Generator) -> tuple[float, ...]:
    """Arrival times in [0, duration): users who know nothing of one another.

    A Poisson process, given its count: the bursts are its own, the number is not left to chance, so that a run's rate
    is the one that is asked for.
    """
    count = max(1, round(rate_rps * duration_s))
    return tuple(sorted(float(at) for at in generator.uniform(0.0, duration_s, count)))


def random_prompt(words: int, generator: np.random.Generator) -> str:
    """That many random words."""
    return " ".join(WORDS[i] for i in generator.integers(0, len(WORDS), words))


def latency(values: Iterable[float | None]) -> Latency | None:
    """Mean, median and 99th percentile of those that are known; None where none is."""
    known: npt.NDArray[np.float64] = np.array([value for value in values if value is not None], dtype=np.float64)
    if not known.size:
        return None
    return Latency(float(known.mean()), float(np.percentile(known, 50)), float(np.percentile(known, 99)))


def summarise(
    outcomes: Sequence[Outcome], rate_rps: float, window_s: float, slo: Slo, source: str, model: str | None
) -> Measurement:
    """The measurement of requests that were due within a window of `window_s`."""
    done = [o for o in outcomes if o.error is None]
    ends = [o.chunk_at_s[-1] for o in done if o.chunk_at_s]
    # Throughput counts until the last answer is there, or a server that only queues would look as fast as its load.
    span_s = max([window_s, *(end - outcomes[0].due_s for end in ends)]) if outcomes else window_s
    good = sum(o.good(slo) for o in outcomes)
    return Measurement(
        source=source,
        model=model,
        rate_rps=rate_rps,
        concurrency=sum(o.e2e_s or 0.0 for o in done) / span_s,
        input_tokens=_mean(o.input_tokens for o in done),
        output_tokens=_mean(o.tokens for o in done),
        requests=len(outcomes),
        failed=len(outcomes) - len(done),
        duration_s=span_s,
        ttft=latency(o.ttft_s for o in done),
        tpot=latency(o.tpot_s for o in done),
        itl=latency(gap for o in done for gap in np.diff(o.chunk_at_s).tolist()),
        throughput_rps=len(done) / span_s,
        output_tokens_per_s=sum(o.tokens for o in done) / span_s,
        goodput_rps=good / window_s,
        attainment=good / len(outcomes) if outcomes else None,
        notes=_notes(outcomes),
    )


def _mean(values: Iterable[int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _notes(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    errors = Counter(o.error for o in outcomes if o.error is not None)
    notes = [f"{count} failed: {error}" for error, count in errors.most_common(SHOWN_ERRORS)]
    late = sum(o.sent_s - o.due_s > LATE_S for o in outcomes)
    if late:
        notes.append(
            f"{late} of {len(outcomes)} requests were sent over {LATE_S * 1e3:.0f} ms late: this client is busy"
        )
    if any(o.output_tokens is None and o.error is None for o in outcomes):
        notes.append("the server reports no usage: a chunk was counted as a token")
    return tuple(notes)
