"""Laws of planning: what holds for any inputs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.domain.decision import GroupInputs, Verdict
from controlplane.domain.observation import Surroundings
from controlplane.domain.target import Role
from controlplane.planning import decide, replay_group
from controlplane.planning.allocation import GAP, Ask, allocate, group
from controlplane.planning.calibration import PRIOR
from controlplane.planning.capacity import capacity
from controlplane.planning.demand import demand
from tests.builders import (
    make_forecast,
    make_group,
    make_inputs,
    make_observation,
    make_target,
    make_tick,
    make_variant,
)

COUNTS = st.fixed_dictionaries({"h100": st.integers(0, 10), "l40s": st.integers(0, 10)})


@st.composite
def groups(draw: st.DrawFn) -> GroupInputs:
    rps = draw(st.one_of(st.none(), st.floats(0.0, 200.0)))
    low, high = sorted((draw(st.integers(0, 6)), draw(st.integers(1, 12))))
    target = make_target((make_variant(low=low, high=max(high, 1)), make_variant("l40s", "L40S", high=8)))
    counts = draw(COUNTS)
    coverage = draw(st.one_of(st.none(), st.floats(0, 1)))
    pending = draw(st.fixed_dictionaries({"h100": st.integers(0, 2)}))
    observation = make_observation(target, rps, counts, pending, coverage, waiting=draw(st.floats(0, 500)))
    forecast = make_forecast(target, draw(st.floats(0, 200))) if draw(st.booleans()) else None
    return make_group(
        make_inputs(target, observation, forecast),
        gpus={"H100": draw(st.integers(0, 16))},
        spool_writable=draw(st.booleans()),
    )


@settings(max_examples=120, deadline=None)
@given(groups())
def test_what_changes_stays_within_its_bounds(inputs: GroupInputs) -> None:
    (decision,) = decide(inputs).decisions
    if decision.verdict is Verdict.ABSTAIN:
        return
    for variant in inputs.targets[0].target.variants:
        before, after = decision.current[variant.name], decision.desired[variant.name]
        if after > before:
            assert after <= variant.max_replicas
        if after < before:
            assert after >= variant.min_replicas


@settings(max_examples=60, deadline=None)
@given(groups())
def test_without_a_load_nothing_moves_but_into_its_bounds(inputs: GroupInputs) -> None:
    unknown = replace(inputs.targets[0].observation, load=None)
    asleep = Surroundings(waiting_requests=0.0)
    blind = replace(inputs, targets=(replace(inputs.targets[0], observation=unknown, surroundings=asleep),))
    (decision,) = decide(blind).decisions
    kept = {
        v.name: min(max(decision.current[v.name], v.min_replicas), v.max_replicas)
        for v in inputs.targets[0].target.variants
    }
    fewer = any(kept[n] < r for n, r in decision.current.items())
    if inputs.spool_writable or not fewer:
        assert decision.desired == kept
    assert (decision.verdict is Verdict.ABSTAIN) == (decision.desired == decision.current)


@settings(max_examples=60, deadline=None)
@given(groups())
def test_without_a_writable_spool_nothing_goes_down(inputs: GroupInputs) -> None:
    (decision,) = decide(replace(inputs, spool_writable=False)).decisions
    assert all(after >= decision.current[name] for name, after in decision.desired.items())


@settings(max_examples=60, deadline=None)
@given(groups())
def test_the_same_inputs_give_the_same_outcome(inputs: GroupInputs) -> None:
    assert decide(inputs) == decide(inputs)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.01, 120.0), st.floats(0.0, 60.0))
def test_more_demand_never_costs_less(rps: float, more: float) -> None:
    def optimum(rate: float) -> float:
        target = make_target((make_variant(high=60), make_variant("l40s", "L40S", high=60)))
        inputs = make_inputs(target, make_observation(target, rate, {}))
        wanted = demand(inputs)
        assert wanted is not None
        ask = Ask(inputs, wanted, tuple(capacity(target, v, wanted, PRIOR) for v in target.variants))
        return allocate([ask], make_group(inputs).inventory)[0].usd_per_hour

    assert optimum(rps + more) >= optimum(rps) * (1.0 - GAP) - 1e-9


@settings(max_examples=40, deadline=None)
@given(groups())
def test_a_replay_equals_its_record(inputs: GroupInputs) -> None:
    assert all(result.reproduced for result in replay_group([make_tick(inputs=inputs)]))


def test_a_replay_fails_when_a_planning_constant_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    target = make_target()
    tick = make_tick(inputs=make_group(make_inputs(target, make_observation(target, 5.0, {"h100": 4}))))
    assert all(result.reproduced for result in replay_group([tick]))
    monkeypatch.setattr(group, "down_margin", lambda _: 9.0)
    (result,) = replay_group([tick])
    assert not result.reproduced
    assert result.difference


@settings(max_examples=40, deadline=None)
@given(st.floats(0.1, 40.0), st.integers(0, 3), st.integers(0, 3))
def test_roles_are_planned_to_the_same_rate(rps: float, prefill: int, decode: int) -> None:
    target = make_target(
        (
            make_variant("p", "H100", Role.PREFILL, gpus=4, high=40),
            make_variant("d", "H200", Role.DECODE, gpus=2, high=40),
        ),
        model="llama-3.1-70b",
    )
    inputs = make_inputs(target, make_observation(target, rps, {"p": prefill, "d": decode}))
    plan = decide(make_group(inputs)).plans[0]
    rates = {c.variant: c.requests_per_s for c in plan.capacities}
    assert plan.feasible
    for name in ("p", "d"):
        assert rates[name] * plan.replicas[name] >= rps * (1 - 1e-6)
        margin = 1.0 + group.DOWN_MARGIN
        assert rates[name] * max(0, plan.replicas[name] - 1) <= rps * margin + 1e-6 or plan.replicas[name] == 1
