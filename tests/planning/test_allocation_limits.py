"""Limits and assumptions of a plan: Spot, stock-outs, surge, and routers that spread evenly."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.domain.observation import Inventory
from controlplane.domain.target import Role, Routing
from controlplane.planning.allocation import allocate, carried, routing_weights
from tests.builders import NOW_S
from tests.planning.asks import Kind, fleet_of, make_ask

SPOT = [Kind("od", 2.0, 4.0), Kind("s1", 2.0, 2.0, spot=True), Kind("s2", 2.0, 2.2, spot=True)]


@pytest.mark.parametrize(
    ("policy", "fleet"),
    [
        ({}, (0, 4, 0)),
        ({"max_spot_share": 0.5}, (2, 2, 0)),
        ({"max_spot_share": 0.0}, (4, 0, 0)),
        ({"max_pool_share": 0.5}, (0, 2, 2)),
        ({"max_spot_share": 0.5, "max_pool_share": 0.25}, (2, 1, 1)),
    ],
)
def test_spot_is_limited_and_spread(policy: dict[str, float], fleet: tuple[int, ...]) -> None:
    (plan,) = allocate([make_ask(SPOT, 8.0, **policy)], Inventory())
    assert plan.feasible
    assert fleet_of(SPOT, plan) == fleet
    assert plan.reclaim_loss_rps == 2.0 * max(fleet[1:])


@settings(max_examples=30, deadline=None)
@given(st.floats(0.5, 20.0), st.floats(0.0, 1.0), st.floats(0.3, 1.0), st.integers(0, 8))
def test_spots_limits_hold_whatever_is_short(rps: float, spot: float, pool: float, gpus: int) -> None:
    asks = [make_ask(SPOT, rps, name, max_spot_share=spot, max_pool_share=pool) for name in "ab"]
    for plan in allocate(asks, Inventory({"OD": gpus})):
        od, s1, s2 = fleet_of(SPOT, plan)
        assert s1 + s2 <= spot * (od + s1 + s2) + 1e-6
        assert max(s1, s2) <= pool * (od + s1 + s2) + 1e-6


def test_what_is_stocked_out_is_not_asked_for_until_then() -> None:
    kinds = [Kind("cheap", 2.0, 1.0, now=1), Kind("dear", 2.0, 4.0)]
    for until_s, fleet in ((NOW_S + 60.0, (1, 3)), (NOW_S - 60.0, (4, 0))):
        (plan,) = allocate([make_ask(kinds, 8.0, stocked_out_until_s={"cheap": until_s})], Inventory())
        assert fleet_of(kinds, plan) == fleet


def test_one_decision_adds_no_more_than_the_surge() -> None:
    kinds = [Kind("h100", 2.0, 1.0, now=1)]
    (plan,) = allocate([make_ask(kinds, 16.0, max_surge=3)], Inventory())
    assert fleet_of(kinds, plan) == (4,)
    assert "maxSurge" in plan.binding


UNLIKE = [Kind("fast", 6.0, 4.0), Kind("slow", 2.0, 1.9, high=4)]


def test_behind_an_even_router_unlike_replicas_are_counted_by_the_slowest() -> None:
    rates = {k.name: k.rate for k in UNLIKE}
    variants = make_ask(UNLIKE, 1.0).inputs.target.variants
    fleet = {"fast": 2, "slow": 1}
    assert carried(variants, fleet, lambda v: rates[v.name]) == 14.0
    assert carried(variants, fleet, lambda v: rates[v.name], Routing.EVEN) == 6.0


def test_the_weights_say_what_each_variant_is_taken_to_get() -> None:
    (mixed,) = allocate([make_ask(UNLIKE, 14.0, routing=Routing.WEIGHTED)], Inventory())
    assert mixed.replicas == {"fast": 2, "slow": 1}
    assert mixed.weights == pytest.approx({"fast": 12 / 14, "slow": 2 / 14})
    (even,) = allocate([make_ask(UNLIKE, 14.0, routing=Routing.EVEN)], Inventory())
    assert even.replicas == {"fast": 3, "slow": 0}
    assert even.weights == {"fast": 1.0}


def test_weights_of_both_halves_of_the_work_add_up_to_one() -> None:
    kinds = [Kind("both", 4.0, 4.0), Kind("p", 4.0, 1.0, Role.PREFILL), Kind("d", 2.0, 1.0, Role.DECODE)]
    rates = {k.name: k.rate for k in kinds}
    variants = make_ask(kinds, 1.0).inputs.target.variants
    for routing in Routing:
        found = routing_weights(variants, {"both": 1, "p": 1, "d": 2}, lambda v: rates[v.name], routing)
        assert found == pytest.approx({"both": 0.5, "p": 0.5, "d": 0.5})
    assert routing_weights(variants, {}, lambda v: rates[v.name]) == {}


def test_what_shrinks_keeps_room_and_never_grows_for_it() -> None:
    kinds = [Kind("h100", 1.0, 4.0, high=40, now=21)]
    assert fleet_of(kinds, allocate([make_ask(kinds, 20.0)], Inventory())[0]) == (21,)
    assert fleet_of(kinds, allocate([make_ask(kinds, 10.0)], Inventory())[0]) == (
        11,
    )  # 2 deviations of 600 a minute: 8 %


def test_an_alternative_says_which_limit_it_would_break() -> None:
    (plan,) = allocate([make_ask(SPOT, 8.0, max_spot_share=0.5)], Inventory({"OD": 3}))
    notes = {max(a.replicas, key=lambda name: a.replicas[name]): a.note for a in plan.alternatives}
    assert notes["s1"] == "breaks the limits on Spot"
    assert notes["od"] == "breaks the inventory: 4 OD where 3 are left"
