"""What an engine's step is like, as a token sees it.

Busy replicas make more tokens, so a mean over tokens is theirs more than the idle ones'; one that came a moment ago has
made few. Batch and prompts are taken the same way as the step's time, lest a fleet that has just doubled looks as
though half its load had taken the whole time. A token's own request counts like the others: a router that sends to
the emptiest keeps about one other away, and with it told apart the agents' day was planned an eighth too small.

An engine that is seen for the first time tells of none: by Little's law its batch is tokens over the time in which they
were made, and that is not known to a few seconds. Taken as one second it made a fleet that grew look a quarter faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from controlplane.observing.histograms import mean, total
from controlplane.observing.window import Delta


@dataclass(frozen=True, slots=True)
class MeanStep:
    """One step that decoded, in the mean over the tokens that were made: how many sequences it had, and how many prompt
    tokens were read beside them. None: not known."""

    batch: float | None
    prompt_tokens: float | None


def step_time_s(rates: Sequence[Delta]) -> float | None:
    """Mean seconds of a step that decoded: between tokens, else per token of a request, else by Little's law from the
    batch and the tokens that it made. None where nobody was seen before."""
    rates = _seen_before(rates)
    measured = mean(total(d.itl_s for d in rates)) or mean(total(d.tpot_s for d in rates))
    if measured is not None:
        return measured
    known = [(d.running_mean * d.seconds, d.generation_tokens) for d in rates if d.running_mean and d.generation_tokens]
    return sum(busy for busy, _ in known) / sum(tokens for _, tokens in known) if known else None


def mean_step(rates: Sequence[Delta]) -> MeanStep:
    """That of the replicas together: each one's by Little's law from its own rates and its own step time."""
    tokens = batches = prompted = prompts = 0.0
    for one in _seen_before(rates):
        time_s, made = step_time_s([one]), one.generation_tokens
        if time_s is None or not made:
            continue
        per_s = time_s / one.seconds
        tokens += made
        batches += made * made * per_s
        if one.prompt_tokens is not None:
            prompted += made
            prompts += made * one.prompt_tokens * per_s
    return MeanStep(batches / tokens if tokens else None, prompts / prompted if prompted else None)


def _seen_before(rates: Sequence[Delta]) -> list[Delta]:
    return [one for one in rates if not one.since_start]
