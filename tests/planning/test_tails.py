"""Shares of requests that miss their SLO on whole replicas."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.domain.observation import LENGTH_LEVELS
from controlplane.domain.target import Role, Slo
from controlplane.planning.queues import Room
from controlplane.planning.roofline import StepCost
from controlplane.planning.tails import Mix, whole_misses
from controlplane.simulation.engine import EngineLimits
from controlplane.simulation.lifecycle import ColdStartStages, Workload
from controlplane.simulation.meters import RequestMeter
from controlplane.simulation.service import Service
from controlplane.simulation.traffic import Arrivals
from tests.builders import make_target, make_variant

COST = StepCost(0.012, 5e-5, 6e-5, 1e-7, 1e-10)
SLO = Slo(2.0, 0.04)
RANDOM = np.random.default_rng(4)
PROMPTS = np.clip(RANDOM.lognormal(6.8, 1.0, 100_000), 8, 16_000).astype(int)
ANSWERS = np.clip(RANDOM.lognormal(5.0, 0.7, 100_000), 2, 1500).astype(int)


def mix() -> Mix:
    return Mix(
        prompts=np.quantile(PROMPTS, LENGTH_LEVELS),
        answers=np.quantile(ANSWERS, LENGTH_LEVELS),
        prompt_mean=float(PROMPTS.mean()),
        prompt_square=float((PROMPTS.astype(float) ** 2).mean()),
        answer_mean=float(ANSWERS.mean()),
        context=float((ANSWERS * (PROMPTS + ANSWERS / 2.0)).mean()),
        context_spread=2.0,
    )


def modelled(rate: float, replicas: float) -> float:
    return whole_misses(COST, mix(), rate, SLO, Room(1e7, 1024.0, replicas))


def played(rate: float, replicas: int) -> float:
    """The simulator's share at `rate` requests/s a replica, for an hour of Poisson arrivals."""
    target = make_target((make_variant(),))
    service = Service(target, RequestMeter(SLO))
    limits = EngineLimits(kv_blocks=625_000, max_context_tokens=100_000, max_num_seqs=1024)
    variant = next(v for v in target.variants if v.role is Role.BOTH)
    for _ in range(replicas):
        service.open(Workload("default/x", target, variant, COST, limits, ColdStartStages(), 1), 0.0)
    random = np.random.default_rng(7)
    count = int(random.poisson(rate * replicas * 3600.0))
    rows = random.integers(0, len(PROMPTS), count)
    at_s = np.sort(random.random(count)) * 3600.0
    service.play(4000.0, Arrivals.of(at_s, PROMPTS[rows], ANSWERS[rows], np.zeros(count, int)))
    return 1.0 - service.meter.met / count


def test_few_replicas_miss_more_as_they_do_in_the_simulator() -> None:
    rate = 5.0
    alone, pair, twelve = (played(rate, n) for n in (1, 2, 12))
    assert 0.01 < twelve < 0.03
    assert modelled(rate, 1.0) / modelled(rate, 12.0) == pytest.approx(alone / twelve, rel=0.4)
    assert modelled(rate, 2.0) / modelled(rate, 12.0) == pytest.approx(pair / twelve, rel=0.4)


@given(rate=st.floats(0.5, 6.0), replicas=st.floats(1.0, 60.0))
def test_one_replica_more_misses_no_more(rate: float, replicas: float) -> None:
    assert modelled(rate, replicas + 1.0) <= modelled(rate, replicas)


def test_more_than_those_it_was_fitted_to_are_taken_for_those() -> None:
    assert modelled(5.0, 12.0) == modelled(5.0, 48.0) > 0.0


def test_prompts_of_one_length_have_no_long_ones_to_be_stuck_behind() -> None:
    alike = replace(mix(), prompt_square=mix().prompt_mean ** 2 * 1.06)
    one, many = (whole_misses(COST, alike, 5.0, SLO, Room(1e7, 1024.0, n)) for n in (1.0, 12.0))
    assert one == many > 0.0
