"""A load as one number: seconds of a replica's work that come in a second, beside the steps' fixed parts.

Prompts may grow longer while answers grow shorter: what has to be carried is then steadier than either, and a quantile
of it is less than what quantiles of both make together. So it is forecast by itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from controlplane.domain import catalog
from controlplane.domain.target import Role, Target
from controlplane.planning.load_history import QUANTITIES
from controlplane.planning.roofline import StepCost, prior
from forecasters.types import Series

CACHED_STEP = 0.15
"""The prefix cache's share is followed in steps of this size: each is another series, which is learned from anew."""

MOST_CACHED = 0.3
"""Where more of the prompts is cached, work is not what fills a replica: long contexts take room and hardly any time to
read, and each quantity is provided for by itself. By its work alone the agents' trace lost 1 % of its requests."""


def work_cost(target: Target) -> StepCost | None:
    """The prior step cost of the first variant that does whole requests: fixed, so that a history stays the same series
    while the true cost is learned. None for a target in two roles: each side has its own work there."""
    if target.split:
        return None
    first = target.variants[0]
    return prior(catalog.model(target.model), catalog.accelerator(first.accelerator), first.gpus_per_replica)


def side_costs(target: Target) -> tuple[StepCost, ...]:
    """The prior step costs by which a load's work is told: of whole requests, or, in two roles, of what each side
    does."""
    whole = work_cost(target)
    if whole is not None:
        return (whole,)
    first = {role: next(v for v in target.variants if v.role is role) for role in (Role.PREFILL, Role.DECODE)}
    model = catalog.model(target.model)
    reads, decodes = (prior(model, catalog.accelerator(v.accelerator), v.gpus_per_replica) for v in first.values())
    return (
        replace(reads, c_s_per_sequence=0.0, d_s_per_token=0.0),
        replace(decodes, b_s_per_token=0.0),
    )


def work_per_request_s(
    cost: StepCost, input_tokens: float, output_tokens: float, cached_share: float
) -> tuple[float, float]:
    """Seconds of a request's work that grow with the lengths, and those that grow with their square. Answers are taken
    to vary as an exponential does, E[OSL^2] = 2 E[OSL]^2."""
    plain = cost.b_s_per_token * (1.0 - cached_share) * input_tokens + cost.c_s_per_sequence * output_tokens
    return plain, cost.d_s_per_token * output_tokens * (input_tokens + output_tokens)


def work_series(series: Mapping[str, Series], cost: StepCost, cached_share: float) -> Series:
    """Seconds of work a second in each bin of the three quantities; a gap in any is a gap."""
    rates, prompts, answers = (series[name] for name in QUANTITIES)
    rows = zip(rates.values, prompts.values, answers.values, strict=True)
    values = (work_s_per_s(cost, cached_share, *row) for row in rows)
    return Series(rates.start_s, rates.step_s, tuple(values))


def followed_share(before: float | None, cached_share: float) -> float:
    """The cached share to go on with: the one before, unless the present one is far from it."""
    if before is not None and abs(before - cached_share) <= CACHED_STEP:
        return before
    return cached_share


def stretch(plain_s: float, square_s: float, wanted_s: float) -> float:
    """The factor x on both lengths at which a request's work `plain*x + square*x^2` is `wanted` seconds."""
    # The usual root, turned over: without a difference of two numbers that are nearly the same.
    return 2.0 * wanted_s / max(plain_s + math.sqrt(plain_s * plain_s + 4.0 * square_s * wanted_s), 1e-12)


def work_s_per_s(
    cost: StepCost, cached_share: float, rate: float | None, prompts: float | None, answers: float | None
) -> float | None:
    """Seconds of work a second of so many requests, prompt tokens and answers' tokens a second; None where one is not
    known."""
    if rate is None or prompts is None or answers is None:
        return None
    if rate <= 0:
        return 0.0
    return rate * sum(work_per_request_s(cost, prompts / rate, answers / rate, cached_share))
