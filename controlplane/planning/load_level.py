"""The load beneath the noise of its minutes: what is planned for where minutes differ by more than counting makes them.

Twenty copies of each request within half a minute, clients that send in batches: such minutes differ by 15 to 40 % in
rate and in lengths, and the next tells nothing of the one before. What follows them asks for the fleet of the worst
minute, and keeps what it asked for while that starts. Here rate and mean lengths are each brought to their level
(`forecasters.level`), and the spread of lengths is the last quarter of an hour's (docs/adr/0013).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from controlplane.domain.decision import LoadLevel
from controlplane.domain.observation import Load
from controlplane.observing.observe import LENGTH_ERROR
from controlplane.observing.window import RATE_WINDOW_S
from controlplane.planning.recent_load import RecentLoad, works
from controlplane.planning.roofline import StepCost
from forecasters.history import Floats
from forecasters.level import Level, find_levels
from forecasters.types import Series

LENGTHS_VARIANCE = LENGTH_ERROR**2
"""Of a minute's mean lengths, by which they are followed all the same."""
SHAPE_S = 900.0
"""Whose spread of lengths is taken. With the last minute's alone the capacity of a replica of ServeGen's large model
swings between 0.9 and 1.7 requests/s, as short answers come and go."""
NOTICED = 0.03
"""Noise of the work below which minutes are what they are: less than half a replica of a dozen."""


def load_level(recent: RecentLoad, now_s: float, costs: Sequence[StepCost], cached_share: float) -> LoadLevel | None:
    """The level of a load and the noise about it; None where there is none worth a word, where nothing is known of the
    last minute, or where nothing came in one of the last hour's. `costs` are those that work is told by: the noise is
    that of the work, of the noisiest where there are several, and of requests where there is none."""
    minutes = recent.columns(now_s)
    if not len(minutes) or not (minutes > 0.0).all():
        return None
    levels = _levels(minutes, now_s, costs, cached_share)
    noise = max(level.noise for level in (levels[3:] or levels[:1]))
    if noise < NOTICED:
        return None
    rate, prompt, answer = (level.value for level in levels[:3])
    return LoadLevel(_of_shape(recent.since(now_s - SHAPE_S), rate, prompt, answer), noise)


def _levels(minutes: Floats, now_s: float, costs: Sequence[StepCost], cached_share: float) -> tuple[Level, ...]:
    """Of requests/s, of prompts' and answers' mean lengths, and of the work by each of `costs`."""
    requests, prompts, answers = minutes.T
    counting = 1.0 / (float(requests.mean()) * RATE_WINDOW_S)
    start_s = now_s - RATE_WINDOW_S * len(minutes)
    columns = (requests, prompts / requests, answers / requests, *works(minutes, costs, cached_share))
    known = (counting, LENGTHS_VARIANCE, LENGTHS_VARIANCE, *(counting + LENGTHS_VARIANCE for _ in costs))
    return find_levels([Series(start_s, RATE_WINDOW_S, tuple(one.tolist())) for one in columns], known)


def _of_shape(loads: Sequence[Load], rate: float, prompt: float, answer: float) -> Load:
    """The last of `loads` at those levels, with the mean of their spreads of lengths."""
    last = loads[-1]
    squares = [one.input_tokens_squared / one.input_tokens**2 for one in loads if one.input_tokens_squared is not None]
    contexts = [one.context_tokens_weighted / (one.input_tokens * one.output_tokens) for one in loads]
    return replace(
        last,
        requests_per_s=rate,
        input_tokens=prompt,
        output_tokens=answer,
        context_tokens_weighted=float(np.mean(contexts)) * prompt * answer,
        input_tokens_squared=float(np.mean(squares)) * prompt**2 if squares else None,
        input_lengths=_spread(loads, lambda one: one.input_lengths, lambda one: one.input_tokens, prompt),
        output_lengths=_spread(loads, lambda one: one.output_lengths, lambda one: one.output_tokens, answer),
    )


def _spread(
    loads: Sequence[Load], lengths: Callable[[Load], tuple[float, ...]], mean: Callable[[Load], float], level: float
) -> tuple[float, ...]:
    """Mean quantiles of lengths about a mean of `level`; empty where no page tells them."""
    known = [np.array(lengths(one)) / mean(one) for one in loads if lengths(one)]
    return tuple((np.mean(known, axis=0) * level).tolist()) if known else ()
