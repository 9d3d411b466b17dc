"""The share of requests that miss their SLO at a rate, in closed form: percentiles, not means.

A replica at arrival rate r does `r*S` seconds of its requests' work a second; its mean step, which is the mean TPOT,
is `m = a / (1 - r*S)` (see `capacity`). Around that mean:

* TPOT. A request of n output tokens sees n steps, into which other requests' prompts fall. The prompt tokens that fall
  into them are a compound Poisson sum, so its TPOT has the variance `b^2 * r * E[ISL^2] * m / n`, enlarged by the
  feedback of a longer step on itself (`FEEDBACK`); short answers are the ones that miss. The batch itself
  breathes: by Little's law it holds N sequences with a variance of about N. The sum is taken as gamma distributed, cut
  off at the step that carries a whole chunk, beyond which no step goes.
* TTFT. Prompts are read in order of arrival: a GI/G/1 queue whose service time is the prompt's reading and its
  share of the steps' decode parts. Its wait is exponential beyond a mass at nought, with the mean of Kingman's formula;
  a prompt misses where its own reading and the wait exceed the limit. Prompts that even an idle replica cannot read in
  time are left out: no number of replicas helps them. Replicas that read prompts alone share their queue, as far as
  the router sends to the shortest (`queues`).
* Admission. A sequence waits while the cache or the batch is full (`queues`); what waits too long misses its TTFT.

Checked against the simulator by benchmarks/capacity.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincc

from controlplane.domain.decision import Demand
from controlplane.domain.observation import EXPONENTIAL_LENGTHS, LENGTH_LEVELS, LENGTH_WEIGHTS
from controlplane.domain.target import Slo
from controlplane.planning.queues import Room, kept_out, shared_wait
from controlplane.planning.roofline import MAX_BATCHED_TOKENS, StepCost

BREATHING = 0.05
"""Of the variance that independent arrivals would give a batch: the router sends to the emptier replicas."""
FEEDBACK = 0.5
"""A longer step lets more prompts in, which lengthens the next; an answer ends before that has run its course, so the
square root of the full gain is taken. Fitted to the simulator at utilisations of 0.3 to 0.9 on three traces and two
models with least-loaded routing over twelve replicas: benchmarks/capacity.py says how near the shares are."""
ARRIVALS_SQUARED = 0.2
"""Squared coefficient of variation of the gaps between a replica's requests: a router that takes turns or sends to the
emptier of n replicas thins a Poisson stream to about 1/n; a few replicas are taken to be the least. With it Kingman's
formula meets the simulator for prompts of one length as for heavy-tailed ones."""
STUCK = 0.5
"""Who waits has been sent to one replica, and waits at least for this much of what is left of the prompt that it reads
(E[s^2]/2E[s] in the mean), however many others become idle. With it the share of Mooncake's prompts that wait four
seconds on 2 to 16 replicas is within a third of the simulator's at utilisations of 0.5 to 0.85."""
ALONE = 6.0
"""A burst of work is shared by those who can take the next request, so fewer replicas miss more: in proportion to
`1 + 6/n`. Measured in the simulator on three traces and two models with 1 to 24 replicas: 4.6 times twelve replicas'
share alone, 2.6 times for two, 1.7 for four, 0.8 for twenty-four (benchmarks/capacity.py --replicas). Those have
prompts as unlike as an exponential's, or more; of prompts of one length there are no long ones to be stuck behind, and
what few replicas miss of them is left to the feedback."""
ALIKE, EXPONENTIAL_SPREAD = 1.1, 2.0
"""E[x^2] / E[x]^2 of prompts of one length, as a histogram's wide bucket tells of them (1.06), and of an
exponential."""
FITTED_REPLICAS = 12.0
"""At which the other constants were fitted."""
_TAIL = (
    *((0.955, 0.01), (0.965, 0.01), (0.975, 0.01), (0.9825, 0.005), (0.9875, 0.005)),
    *((0.9925, 0.005), (0.997, 0.004), (0.9995, 0.001)),
)
"""Levels of the last twentieth of prompts, and the share that each stands for. One level for 2 % of them, where 1 % may
miss, made a cliff: as prompts grew, all of these were late at once, or none could be helped any more."""
_FINE_WEIGHTS = np.array((*LENGTH_WEIGHTS[:-2], *(weight for _, weight in _TAIL)))
_FINE_DEPTHS = -np.log(1.0 - np.array([level for level, _ in _TAIL]))
_DEPTHS = -np.log(1.0 - np.array(LENGTH_LEVELS[-3:]))
FURTHEST = 3.0
"""The longest prompts are taken to be at most so many times the 0.99 quantile: contexts have a limit."""


@dataclass(frozen=True, slots=True)
class Mix:
    """Lengths of requests: prompts without what the prefix cache holds, and answers, each at `LENGTH_WEIGHTS`."""

    prompts: np.ndarray
    answers: np.ndarray
    prompt_mean: float
    prompt_square: float
    answer_mean: float
    context: float
    """W = E[OSL*(ISL + OSL/2)]."""
    context_spread: float
    """E[c^2] / E[c]^2 of the context c that a sequence in the batch has at a moment."""

    @classmethod
    def of(cls, demand: Demand) -> Mix:
        """The mix of a demand."""
        read = 1.0 - demand.cached_share
        spread = np.array(EXPONENTIAL_LENGTHS)
        prompts = np.array(demand.input_lengths) if demand.input_lengths else spread * demand.input_tokens
        answers = np.array(demand.output_lengths) if demand.output_lengths else spread * demand.output_tokens
        square = demand.input_tokens_squared or 2.0 * demand.input_tokens**2
        return cls(
            prompts=prompts * read,
            answers=np.maximum(answers, 1.0),
            prompt_mean=demand.input_tokens * read,
            prompt_square=max(square, demand.input_tokens**2) * read * read,
            answer_mean=demand.output_tokens,
            context=demand.context_tokens_weighted,
            context_spread=_context_spread(prompts, np.maximum(answers, 1.0)),
        )

    def reading_s(self, cost: StepCost) -> float:
        """Mean seconds of work to read a prompt."""
        return cost.b_s_per_token * self.prompt_mean + cost.e_s_per_token_pair * self.prompt_square / 2.0

    def decoding_s(self, cost: StepCost) -> float:
        """Mean seconds of work to make an answer."""
        return cost.c_s_per_sequence * self.answer_mean + cost.d_s_per_token * self.context


def whole_misses(cost: StepCost, mix: Mix, rate: float, slo: Slo, room: Room) -> float:
    """Share that misses TTFT or TPOT on a replica that does whole requests; 1 where it is overloaded."""
    reading, decoding = mix.reading_s(cost), mix.decoding_s(cost)
    left = 1.0 - rate * (reading + decoding)
    if left <= 0.02:
        return 1.0
    step_s = cost.a_s / left
    beside_s = step_s * (1.0 - rate * reading)
    slow = _slow_answers(cost, mix, rate, step_s, beside_s, 1.0 / left, slo.tpot_s)
    late = _late_prompts(cost, mix, rate, beside_s, slo.ttft_s)
    alone = ALONE * min(1.0, max(0.0, _spread(mix) - ALIKE) / (EXPONENTIAL_SPREAD - ALIKE))
    few = max(1.0, (1.0 + alone / room.replicas) / (1.0 + alone / FITTED_REPLICAS))
    return min(1.0, (slow + late) * few + _kept_out(mix, rate, step_s, 1.0 / left, room, slo.ttft_s))


def decode_misses(cost: StepCost, mix: Mix, rate: float, slo: Slo, room: Room) -> float:
    """Share that misses TPOT, or TTFT for want of room, on a replica that decodes alone."""
    left = 1.0 - rate * mix.decoding_s(cost)
    if left <= 0.02:
        return 1.0
    step_s = cost.a_s / left
    deviation_s = _breathing_s(cost, mix, rate, step_s, 1.0 / left)
    slow = float(_above(step_s, np.array([deviation_s**2]), slo.tpot_s)[0])
    # The first half of the limit is the prefill side's.
    return min(1.0, slow + _kept_out(mix, rate, step_s, 1.0 / left, room, slo.ttft_s / 2.0))


def prefill_misses(cost: StepCost, mix: Mix, rate: float, limit_s: float, replicas: float) -> float:
    """Share whose prompt is not read within `limit_s` on one of `replicas` that read prompts alone, at `rate` each."""
    busy = rate * _turn_s(cost, mix, cost.a_s)
    if busy >= 0.98:
        return 1.0
    waits, mean = shared_wait(busy, replicas, _spread(mix))
    services = max(mean, STUCK * _spread(mix) / 2.0)
    return _late(cost, mix, cost.a_s, limit_s, waits, services * busy / max(rate, 1e-12))


def hopeless(cost: StepCost, mix: Mix, limit_s: float) -> float:
    """Share of prompts that even an idle replica cannot read within the limit."""
    return float(np.dot(_FINE_WEIGHTS, _reading_s(cost, _finely(mix.prompts), cost.a_s) > limit_s))


def _slow_answers(
    cost: StepCost, mix: Mix, rate: float, step_s: float, beside_s: float, gain: float, limit_s: float
) -> float:
    chunk = min(float(MAX_BATCHED_TOKENS), float(mix.prompts.max()))
    longest_s = beside_s + cost.b_s_per_token * chunk
    breathing = _breathing_s(cost, mix, rate, step_s, gain) ** 2
    # A prompt falls into at most as many tokens of one step as the budget allows.
    square = min(mix.prompt_square, mix.prompt_mean * MAX_BATCHED_TOKENS)
    prompts = (
        (cost.b_s_per_token * (gain * (1.0 - rate * mix.decoding_s(cost))) ** FEEDBACK) ** 2 * rate * square * step_s
    )
    single = _above(step_s, breathing + prompts / mix.answers, limit_s)
    if longest_s <= limit_s:
        single = np.minimum(single, _above(step_s, np.full_like(single, breathing), limit_s))
    return float(np.dot(LENGTH_WEIGHTS, single))


def _breathing_s(cost: StepCost, mix: Mix, rate: float, step_s: float, gain: float) -> float:
    """Standard deviation of the step from the batch's own ups and downs."""
    batch = rate * mix.answer_mean * step_s
    each_s = cost.c_s_per_sequence + cost.d_s_per_token * mix.context / mix.answer_mean
    return each_s * gain * math.sqrt(BREATHING * batch)


def _above(mean_s: float, variances: np.ndarray, limit_s: float) -> np.ndarray:
    """P(X > limit) of gamma variables with that mean."""
    shape = mean_s * mean_s / np.maximum(variances, 1e-12 * mean_s * mean_s)
    return np.asarray(gammaincc(shape, shape * limit_s / mean_s))


def _late_prompts(cost: StepCost, mix: Mix, rate: float, beside_s: float, limit_s: float) -> float:
    busy = rate * _turn_s(cost, mix, beside_s)
    if busy >= 0.98:
        return 1.0
    # Kingman (1961): of the wait of an M/G/1 queue, (ca^2 + cs^2)/(1 + cs^2) is left.
    left = (ARRIVALS_SQUARED + _spread(mix) - 1.0) / _spread(mix)
    per_token_s = cost.b_s_per_token + beside_s / MAX_BATCHED_TOKENS
    wait_s = left * rate * per_token_s**2 * mix.prompt_square / (2.0 * (1.0 - busy)) / max(busy, 1e-12)
    return _late(cost, mix, beside_s, limit_s, busy, wait_s)


def _late(cost: StepCost, mix: Mix, beside_s: float, limit_s: float, waits: float, wait_s: float) -> float:
    """Share of the servable prompts whose reading and wait exceed the limit, where `waits` of them wait `wait_s` in the
    mean."""
    prompts = _finely(mix.prompts)
    own_s = _reading_s(cost, prompts, beside_s) + beside_s / 2.0
    servable = _reading_s(cost, prompts, cost.a_s) <= limit_s
    if not servable.any():
        return 1.0
    late = np.where(own_s >= limit_s, 1.0, waits * np.exp(-np.maximum(limit_s - own_s, 0.0) / max(wait_s, 1e-9)))
    weights = _FINE_WEIGHTS * servable
    return float(np.dot(weights, late) / weights.sum())


def _finely(lengths: np.ndarray) -> np.ndarray:
    """Lengths at `_FINE_WEIGHTS`: those of the last twentieth between and beyond the quantiles that are kept, whose
    logarithms are lines in that of the share above (a Pareto tail)."""
    known = np.log(np.maximum(lengths[-3:], 1e-9))
    slope = (known[2] - known[1]) / (_DEPTHS[2] - _DEPTHS[1])
    beyond = known[2] + np.minimum(slope * np.maximum(_FINE_DEPTHS - _DEPTHS[2], 0.0), math.log(FURTHEST))
    tail = np.where(_DEPTHS[2] < _FINE_DEPTHS, beyond, np.interp(_FINE_DEPTHS, _DEPTHS, known))
    return np.concatenate((lengths[:-2], np.exp(tail)))


def _turn_s(cost: StepCost, mix: Mix, beside_s: float) -> float:
    """Mean seconds that a prompt takes of a queue of prompts: small ones share a step's fixed part."""
    per_token_s = cost.b_s_per_token + beside_s / MAX_BATCHED_TOKENS
    return per_token_s * mix.prompt_mean + cost.e_s_per_token_pair * mix.prompt_square / 2.0


def _spread(mix: Mix) -> float:
    """E[x^2] / E[x]^2 of prompts' lengths, and so of their reading."""
    return max(mix.prompt_square / max(mix.prompt_mean, 1e-9) ** 2, 1.0)


def _kept_out(mix: Mix, rate: float, step_s: float, gain: float, room: Room, limit_s: float) -> float:
    """Share that waits longer than the limit for the cache or the batch: by Little's law, and one answer's time."""
    return kept_out(
        room,
        sequences=rate * mix.answer_mean * step_s,
        context=mix.context / mix.answer_mean,
        context_spread=mix.context_spread,
        gain=gain,
        stay_s=mix.answer_mean * step_s,
        limit_s=limit_s,
    )


def _context_spread(prompts: np.ndarray, answers: np.ndarray) -> float:
    """From E[OSL*c^k]: a sequence is met in proportion to its length, at a moment of it like any other."""
    weights = np.outer(LENGTH_WEIGHTS, LENGTH_WEIGHTS)
    isl, osl = prompts[:, None], answers[None, :]
    first = float((weights * osl * (isl + osl / 2.0)).sum())
    second = float((weights * osl * (isl * isl + isl * osl + osl * osl / 3.0)).sum())
    return second * float(np.dot(LENGTH_WEIGHTS, answers)) / max(first * first, 1e-12)


def _reading_s(cost: StepCost, prompts: np.ndarray, beside_s: float) -> np.ndarray:
    steps = np.ceil(prompts / MAX_BATCHED_TOKENS)
    read = cost.b_s_per_token * prompts + cost.e_s_per_token_pair * prompts**2 / 2.0
    return np.asarray(read + np.maximum(steps, 1.0) * beside_s)
