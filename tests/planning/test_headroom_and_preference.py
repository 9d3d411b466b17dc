"""Warm headroom per role, and what preferences do to a choice and not to its price."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlplane.domain.decision import GroupOutcome, Memory, Plan
from controlplane.domain.target import Headroom, Mode, Policy, Preference, Role, Slo
from controlplane.planning import decide
from controlplane.planning.headroom import wanted_headroom
from tests.builders import make_group, make_inputs, make_observation, make_target, make_variant

SLO = Slo(2.0, 0.1)


def outcome(headroom: Headroom, now: int = 1, kept: int = 0, high: int = 10, gpus: int = 99) -> GroupOutcome:
    target = make_target((make_variant(high=high),), Policy(Mode.LIVE, SLO, headroom=headroom))
    memory = Memory(headroom={"h100": kept} if kept else {})
    inputs = make_inputs(target, make_observation(target, 40.0, {"h100": now}), None, memory)
    return decide(make_group(inputs, gpus={"H100": gpus}))


@pytest.mark.parametrize(
    ("headroom", "replicas", "more"),
    [
        (Headroom(), 4, 0),
        (Headroom(2), 4, 2),
        (Headroom(1, 0.5), 4, 2),
        (Headroom(3, 0.5), 4, 3),
        (Headroom(0, 0.25), 4, 1),
        (Headroom(0, 0.01), 4, 1),
        (Headroom(5, 0.5), 0, 0),  # what sleeps keeps nothing warm
    ],
)
def test_the_larger_of_a_number_and_a_share(headroom: Headroom, replicas: int, more: int) -> None:
    assert wanted_headroom(headroom, replicas) == more


@pytest.mark.parametrize(("high", "gpus", "more"), [(10, 99, 2), (5, 99, 1), (10, 5, 1), (4, 99, 0)])
def test_headroom_is_planned_beyond_the_need_as_far_as_bounds_and_gpus_allow(high: int, gpus: int, more: int) -> None:
    plan = outcome(Headroom(2), high=high, gpus=gpus).plans[0]
    assert plan.replicas == {"h100": 4 + more}
    assert plan.headroom == ({"h100": more} if more else {})
    assert plan.usd_per_hour == pytest.approx(4.0 * (4 + more))


def test_headroom_stays_and_does_not_grow_from_tick_to_tick() -> None:
    out = outcome(Headroom(2))
    for _ in range(4):
        out = outcome(Headroom(2), now=out.plans[0].replicas["h100"], kept=out.memories[0].headroom["h100"])
        assert out.plans[0].replicas == {"h100": 6}
    assert "2 of 6 h100 kept warm beyond the need" in [r.reason for r in out.decisions[0].trail]


def test_each_role_has_its_own() -> None:
    target = make_target(
        (make_variant("p", "H100", Role.PREFILL, gpus=4), make_variant("d", "H200", Role.DECODE, gpus=2)),
        Policy(Mode.LIVE, SLO, headroom=Headroom(1)),
        model="llama-3.1-70b",
    )
    plan = decide(make_group(make_inputs(target, make_observation(target, 5.0, {"p": 1, "d": 1})))).plans[0]
    assert plan.headroom == {"p": 1, "d": 1}


def chosen(first: Preference, second: Preference, usd: float = 4.4) -> Plan:
    variants = (
        replace(make_variant("a", usd=4.0), preference=first),
        replace(make_variant("b", usd=usd), preference=second),
    )
    target = make_target(variants, Policy(Mode.LIVE, SLO))
    return decide(make_group(make_inputs(target, make_observation(target, 40.0, {})))).plans[0]


@pytest.mark.parametrize(
    ("first", "second", "usd", "winner"),
    [
        (Preference.NEUTRAL, Preference.NEUTRAL, 4.4, "a"),
        (Preference.NEUTRAL, Preference.PREFER, 4.4, "b"),
        (Preference.AVOID, Preference.NEUTRAL, 4.4, "b"),
        (Preference.PREFER, Preference.AVOID, 2.0, "b"),  # twice the price is too much for a preference
    ],
)
def test_a_preference_decides_between_near_prices_and_costs_stay_true(
    first: Preference, second: Preference, usd: float, winner: str
) -> None:
    plan = chosen(first, second, usd)
    assert {name for name, n in plan.replicas.items() if n} == {winner}
    assert plan.usd_per_hour == pytest.approx(plan.replicas[winner] * {"a": 4.0, "b": usd}[winner])
    if winner == "b" and usd == 4.4:
        assert any("preferred or avoided" in a.note for a in plan.alternatives)
