"""A limit on the whole request: hand-worked shares, sane capacities, and what is seen of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.domain.decision import Capacity
from controlplane.domain.observation import Histogram, Replica, ReplicaPhase, Sample
from controlplane.domain.target import Mode, Policy, Role, Slo
from controlplane.observing import SampleWindow, observe
from controlplane.planning.calibration import PRIOR
from controlplane.planning.capacity import capacity
from controlplane.planning.demand import observed_demand
from controlplane.planning.queues import Room
from controlplane.planning.roofline import StepCost
from controlplane.planning.tails import Mix
from controlplane.planning.whole_request import hopeless_whole, late_share
from tests.builders import NOW_S, make_inputs, make_observation, make_target, make_variant

COST = StepCost(0.01, 1e-5, 0.0, 0.0, 0.0)
"""10 ms a step, 10 us a prompt token."""
ROOM = Room(kv_tokens=1e9, sequences=1e6)
"""One that is never full."""


def slo(e2e_s: float | None, ttft_s: float | None = None) -> Slo:
    return Slo(ttft_s or e2e_s or 2.0, e2e_s or 0.1, 0.99, e2e_s)


def mix() -> Mix:
    target = make_target()
    demand = observed_demand(make_inputs(target, make_observation(target)))
    assert demand is not None
    return Mix.of(replace(demand, input_lengths=(100.0,) * 12, output_lengths=(*(50.0,) * 10, 150.0, 1000.0)))


def test_long_answers_are_late_and_hopeless_ones_are_left_out() -> None:
    # At 40 % use a step takes 10/0.6 = 16.7 ms: 149 steps are 2.5 s, 999 are 16.7 s and 10 s even alone.
    rate = 0.4 / (1e-5 * 1000.0)
    assert hopeless_whole(COST, mix(), slo(2.0), Role.BOTH) == pytest.approx(0.02)
    assert late_share(COST, mix(), rate, slo(2.0), Role.BOTH, ROOM) == pytest.approx(0.03 / 0.98)
    assert late_share(COST, mix(), rate, slo(3.0), Role.BOTH, ROOM) < 0.001
    assert late_share(COST, mix(), rate, slo(None), Role.BOTH, ROOM) == 0.0


def capacity_of(limits: Slo, role: Role = Role.BOTH) -> Capacity:
    others = {Role.BOTH: (), Role.PREFILL: (Role.DECODE,), Role.DECODE: (Role.PREFILL,)}[role]
    variants = (make_variant("v", role=role), *(make_variant("w", role=r) for r in others))
    target = make_target(variants, Policy(Mode.LIVE, limits))
    demand = observed_demand(make_inputs(target, make_observation(target)))
    assert demand is not None
    return capacity(target, variants[0], demand, PRIOR)


@pytest.mark.parametrize("role", list(Role))
def test_a_target_whose_whole_alone_is_limited_has_a_sane_capacity(role: Role) -> None:
    tight, loose, none = (capacity_of(limits, role) for limits in (slo(4.0), slo(30.0), Slo(2.0, 0.1)))
    assert 0.1 * none.requests_per_s < tight.requests_per_s <= loose.requests_per_s
    assert loose.requests_per_s < 2.0 * none.requests_per_s


@settings(max_examples=40, deadline=None)
@given(st.floats(0.5, 60.0), st.floats(0.1, 30.0), st.floats(0.0, 10.0))
def test_more_load_is_never_less_late(e2e_s: float, rate: float, more: float) -> None:
    less, later = (late_share(COST, mix(), r, slo(e2e_s), Role.BOTH, ROOM) for r in (rate, rate + more))
    assert 0.0 <= less <= later + 1e-9 <= 1.0 + 2e-9


@settings(max_examples=20, deadline=None)
@given(st.floats(1.0, 30.0))
def test_a_limit_on_the_whole_beside_others_never_adds_capacity(e2e_s: float) -> None:
    assert capacity_of(Slo(2.0, 0.1, 0.99, e2e_s)).requests_per_s <= capacity_of(Slo(2.0, 0.1)).requests_per_s + 1e-6


def test_attainment_is_that_of_the_whole_where_it_is_worst() -> None:
    target = make_target((make_variant(),), Policy(Mode.LIVE, Slo(5.0, 5.0, 0.99, 5.0)))

    def page(at_s: float, within: float, count: float) -> Sample:
        whole = Histogram((5.0, 10.0), (within, count), count * 4.0, count)
        quick = Histogram((5.0, 10.0), (count, count), count, count)
        return Sample("r", "h100", at_s, running=0.0, waiting=0.0, finished_total=count, ttft_s=quick, e2e_s=whole)

    replicas = [Replica("r", "h100", ReplicaPhase.READY, 0.0, 10.0)]
    _, window = observe(target, {}, replicas, [page(NOW_S - 60.0, 0.0, 0.0)], SampleWindow(), NOW_S - 60.0)
    seen, _ = observe(target, {}, replicas, [page(NOW_S, 75.0, 100.0)], window, NOW_S)
    assert seen.attainment == pytest.approx(0.75)
    assert seen.variants[0].e2e is not None
    assert seen.variants[0].e2e.within_slo == pytest.approx(0.75)
