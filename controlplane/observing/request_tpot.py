"""A request's mean time per output token, where a page tells the gaps between tokens alone (SGLang, Dynamo, old vLLM).

A gap is no request's mean: one beside a prompt's chunk is five or ten times as long as the others, and each request has
a few of those. Judged by the limit for the mean, a twentieth of the gaps missed it where no request did, and a third
too many replicas were kept for ever. A request of n gaps has their mean, and an n-th of their variance.
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammainc

from controlplane.domain.observation import EXPONENTIAL_LENGTHS, LENGTH_LEVELS, LENGTH_WEIGHTS, Histogram
from controlplane.observing.histograms import lengths, mean, mean_square

ALIKE = 2.0
"""The gaps of one request are more alike than those of all: its batch is the same for a while, so their mean varies as
that of half as many. With it the share of requests above 75 and 100 ms is mostly within a third of the true one where
lengths are told, at shares of 0.5 to 10 % on L40S and H100."""
ALIKE_UNTOLD = 1.0
"""Where they are not: an exponential has more of the short answers that miss than chats have, and that is as much."""


def request_means(
    gaps: Histogram | None, answers: Histogram | None, tokens: float | None, requests: float | None
) -> Histogram | None:
    """What a histogram of `requests` requests' means would be, with answers of `tokens` tokens in all; None where the
    page does not say so much. Means are gamma distributed, at the gaps' own bounds."""
    gap_s, tokens, requests = mean(gaps) or 0.0, tokens or 0.0, requests or 0.0
    if gaps is None or min(gap_s, tokens, requests) <= 0:
        return None
    told = lengths(answers, LENGTH_LEVELS, LENGTH_WEIGHTS)
    steps = np.array(told or EXPONENTIAL_LENGTHS) * (1.0 if told else tokens / requests) - 1.0
    variance = (ALIKE if told else ALIKE_UNTOLD) * max(mean_square(gaps) / gap_s**2 - 1.0, 1e-6)
    shape = np.maximum(steps, 1.0) / variance
    below = gammainc(shape[:, None], shape[:, None] * np.maximum(gaps.bounds, 0.0) / gap_s)
    shares = np.array(LENGTH_WEIGHTS) @ below
    return Histogram(gaps.bounds, tuple((requests * shares).tolist()), gap_s * requests, requests)
