"""The share of requests whose whole takes longer than the SLO allows: TTFT + (OSL - 1) * TPOT, over the quantiles of
lengths.

An answer of n tokens leaves `e2e - (n - 1) * m` for its first token, where m is the mean step, and so the mean TPOT, at
the rate (see `capacity`): long answers average over many steps, short ones have time to spare. Whether the first token
comes within that is the queueing formula of `tails`. Prompts and answers are taken as independent.

Where roles are split neither side knows how long the other takes, so each has its part of the limit.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from controlplane.domain.observation import LENGTH_WEIGHTS
from controlplane.domain.target import Role, Slo
from controlplane.planning.queues import Room
from controlplane.planning.roofline import StepCost
from controlplane.planning.tails import Mix, hopeless, whole_misses

PROMPT_PART = 0.25
"""Of the whole limit, for the prompt where roles are split: what reading takes of a request of 2,000 tokens in and 200
out on one replica, with its wait."""
ALONE_PART = 0.8
"""Of the limit that an idle replica may need. An answer that needs more misses beside any company at all, so that no
number of replicas that are used makes it: it is left out, as prompts are that cannot be read in time."""
_NEVER_S = 1e9


def limit_of(slo: Slo, role: Role) -> float | None:
    """Seconds that a role may take for its part of a whole request; None where the whole is not limited."""
    if slo.e2e_s is None:
        return None
    return {Role.PREFILL: PROMPT_PART, Role.DECODE: 1.0 - PROMPT_PART, Role.BOTH: 1.0}[role] * slo.e2e_s


def prompt_limit_s(slo: Slo) -> float:
    """Seconds to the first token that a replica which reads prompts alone may take."""
    limit_s = limit_of(slo, Role.PREFILL)
    return slo.ttft_s if limit_s is None else min(slo.ttft_s, limit_s)


def joined(slo: Slo, parts: float, whole: float) -> float:
    """Share that misses TTFT, TPOT or the whole. Where the whole alone is limited, what misses a part of it misses the
    whole; else long prompts miss the one and long answers the other."""
    alone = slo.e2e_s is not None and min(slo.ttft_s, slo.tpot_s) >= slo.e2e_s
    return max(parts, whole) if alone else min(1.0, parts + whole)


def late_share(cost: StepCost, mix: Mix, rate: float, slo: Slo, role: Role, room: Room) -> float:
    """Share of requests whose whole is late on one replica of the role at `rate` requests/s; 0 where the whole is not
    limited, 1 where the replica is overloaded."""
    limit_s = limit_of(slo, role)
    if limit_s is None or role is Role.PREFILL:
        return 0.0
    reading = mix.reading_s(cost) if role is Role.BOTH else 0.0
    left = 1.0 - rate * (reading + mix.decoding_s(cost))
    if left <= 0.02:
        return 1.0
    late = servable = 0.0
    for tokens, weight in zip(mix.answers, LENGTH_WEIGHTS, strict=True):
        able = 1.0 - _lost(cost, mix, float(tokens), limit_s, role)
        rest_s = limit_s - (float(tokens) - 1.0) * cost.a_s / left
        servable += weight * able
        late += weight * _late(cost, mix, rate, rest_s, slo, role, able, room)
    return late / servable if servable > 0 else 1.0


def hopeless_whole(cost: StepCost, mix: Mix, slo: Slo, role: Role) -> float:
    """Share of requests whose whole no replica makes in time, however idle."""
    limit_s = limit_of(slo, role)
    if limit_s is None or role is Role.PREFILL:
        return 0.0
    return float(np.dot(LENGTH_WEIGHTS, [_lost(cost, mix, float(n), limit_s, role) for n in mix.answers]))


def _late(cost: StepCost, mix: Mix, rate: float, rest_s: float, slo: Slo, role: Role, able: float, room: Room) -> float:
    """Of all requests with one length of answer, those that are late and need not be; `able` of them need not."""
    if able <= 0:
        return 0.0
    if rest_s <= 0:
        return able
    if role is Role.DECODE:
        return 0.0
    unread = hopeless(cost, mix, rest_s)
    within = replace(slo, ttft_s=rest_s, tpot_s=_NEVER_S)
    waits = whole_misses(cost, mix, rate, within, room) if unread < 1.0 else 1.0
    return min(able, max(0.0, unread - (1.0 - able)) + (1.0 - unread) * waits)


def _lost(cost: StepCost, mix: Mix, tokens: float, limit_s: float, role: Role) -> float:
    """Of requests with so many tokens to answer, those that an idle replica cannot make either."""
    rest_s = limit_s * ALONE_PART - (tokens - 1.0) * cost.a_s
    if rest_s <= 0:
        return 1.0
    return hopeless(cost, mix, rest_s) if role is Role.BOTH else 0.0
