"""Failure domains: each keeps to its share of a role's capacity, rounded up to a replica, and load comes first."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.domain.decision import Plan
from controlplane.domain.observation import Inventory
from controlplane.domain.target import Headroom, Role, Routing
from controlplane.planning.allocation import Ask, allocate
from controlplane.planning.allocation.claim import claim_of
from controlplane.planning.allocation.filling import polished
from controlplane.planning.headroom import with_headroom
from tests.planning.asks import Kind, allowed, carries, fits, fleet_of, fleets, make_ask, usd
from tests.planning.test_allocation import WITHIN

THREE = [Kind(zone, 1.0, 4.0, gpu="H100", domain=f"zone-{zone}") for zone in "abc"]
ZONES = THREE[:2]


def spread(kinds: Sequence[Kind], fleet: Sequence[int], share: float) -> bool:
    """Whether every domain has at most its share of its role's capacity, part of its largest replica, or what must
    run."""
    for role in Role:
        own = [(k, n) for k, n in zip(kinds, fleet, strict=True) if k.role is role and k.rate > 0]
        total = sum(k.rate * n for k, n in own)
        for name in {k.domain for k, _ in own if k.domain}:
            here = [(k, n) for k, n in own if k.domain == name]
            rounding = max((k.rate for k, n in here if n), default=0.0) * (1.0 - share / 2.0)
            most = max(share * total + rounding, sum(k.rate * k.low for k, _ in here))
            if sum(k.rate * n for k, n in here) > most + 1e-6 * total:
                return False
    return True


def planned(kinds: Sequence[Kind], rps: float, share: float | None, **policy: float | Routing) -> Plan:
    (plan,) = allocate([make_ask(kinds, rps, max_domain_share=share, **policy)], Inventory())
    return plan


@pytest.mark.parametrize(
    ("rps", "fleet"),
    [(8.0, [4, 4]), (7.0, [3, 4]), (3.0, [1, 2]), (2.0, [1, 1]), (1.0, [0, 1])],
)
def test_two_zones_at_a_half_are_even_to_a_replica(rps: float, fleet: list[int]) -> None:
    plan = planned(ZONES, rps, 0.5)
    assert (sorted(fleet_of(ZONES, plan)), plan.feasible, plan.binding) == (fleet, True, "")
    assert plan.domain_loss_rps == max(fleet)


def test_three_zones_at_two_fifths() -> None:
    cheap = [replace(THREE[0], usd=3.0), *THREE[1:]]
    assert planned(cheap, 10.0, 0.4).replicas["a"] == 4  # 5 would be half
    assert planned(cheap, 11.0, 0.4).replicas["a"] == 5  # 4.4, rounded up
    assert planned(cheap, 10.0, None).replicas == {"a": 9, "b": 1, "c": 0}  # maxReplicas 9


@pytest.mark.parametrize(("rps", "most"), [(3.0, 1), (4.0, 2), (6.0, 2), (9.0, 3), (12.0, 4)])
def test_what_is_rounded_up_is_even_where_that_costs_nothing(rps: float, most: int) -> None:
    # 0.4 of 6 is 2.4, rounded up to 3: two zones could have them all, for the same price.
    plan = planned(THREE, rps, 0.4)
    assert (sum(plan.replicas.values()), max(plan.replicas.values())) == (rps, most)
    running = [replace(kind, now=n) for kind, n in zip(THREE, (3, 3, 0), strict=True)]
    assert fleet_of(THREE, planned(running, 6.0, 0.4)) == (3, 3, 0)  # but nothing is moved for it
    assert fleet_of(THREE, planned(running, 7.0, 0.4)) == (3, 3, 1)


def test_a_zone_with_faster_replicas_has_fewer_of_them() -> None:
    kinds = [Kind("h100", 4.0, 4.0, domain="zone-a"), Kind("l40s", 1.0, 1.9, domain="zone-b")]
    assert fleet_of(kinds, planned(kinds, 16.0, None)) == (4, 0)
    # Half of 17 is 8.5; a third H100 would be 12, which is most of a replica more.
    assert fleet_of(kinds, planned(kinds, 16.0, 0.5)) == (2, 8)
    assert fleet_of(kinds, planned(kinds, 4.0, 0.5)) == (1, 0)


def test_each_role_is_spread_for_itself() -> None:
    kinds = [
        Kind("pa", 4.0, 4.0, Role.PREFILL, domain="zone-a"),
        Kind("pb", 4.0, 5.0, Role.PREFILL, domain="zone-b"),
        Kind("da", 2.0, 4.0, Role.DECODE, domain="zone-a"),
        Kind("db", 2.0, 5.0, Role.DECODE, domain="zone-b"),
    ]
    assert fleet_of(kinds, planned(kinds, 16.0, None)) == (4, 0, 8, 0)
    plan = planned(kinds, 16.0, 0.5)
    assert fleet_of(kinds, plan) == (2, 2, 4, 4)
    assert plan.domain_loss_rps == 8.0
    # All of the prompts in one zone and all of the answers in the other would leave nothing.
    assert planned(kinds[:1] + kinds[3:], 16.0, None).domain_loss_rps == 16.0


@pytest.mark.parametrize(("rps", "fleet"), [(4.0, (4, 0)), (6.0, (4, 2)), (8.0, (4, 4)), (12.0, (6, 6))])
def test_what_must_run_runs_and_no_more_of_it_until_the_rest_has_caught_up(rps: float, fleet: tuple[int, int]) -> None:
    kinds = [replace(ZONES[0], low=4), ZONES[1]]
    plan = planned(kinds, rps, 0.5)
    assert (fleet_of(kinds, plan), plan.binding) == (fleet, "")


def test_a_replica_that_must_run_in_each_zone_leaves_no_room_for_more_in_one() -> None:
    kinds = [replace(kind, low=1) for kind in ZONES]
    assert fleet_of(kinds, planned([replace(kinds[0], usd=1.0), kinds[1]], 8.0, 0.5)) == (4, 4)


def test_load_comes_before_the_spread_and_the_plan_says_so() -> None:
    kinds = [ZONES[0], replace(ZONES[1], high=2)]
    plan = planned(kinds, 8.0, 0.5)
    assert (fleet_of(kinds, plan), plan.feasible) == ((6, 2), True)
    assert plan.binding == "maxDomainShare 0.5: zone-a has 75% of Both"
    more = planned(kinds, 20.0, 0.5)
    assert (fleet_of(kinds, more), more.feasible) == ((9, 2), False)
    assert "maxReplicas 9 of a" in more.binding
    assert more.binding.endswith("maxDomainShare 0.5: zone-a has 82% of Both")


def test_what_may_be_missed_is_not_saved_for_the_sake_of_a_spread_that_cannot_be() -> None:
    kinds = [ZONES[0], replace(ZONES[1], high=1)]
    policy = {"scenarios": [(4.0, 0.5), (8.0, 0.5)], "miss_usd_per_request": 0.01}
    free, kept = (
        allocate([make_ask(kinds, 4.0, max_domain_share=share, **policy)], Inventory())[0]  # type: ignore[arg-type]
        for share in (None, 0.5)
    )
    assert sum(free.replicas.values()) == sum(kept.replicas.values()) == 8


def test_what_is_in_no_domain_counts_in_the_whole_and_in_none() -> None:
    kinds = [replace(ZONES[0], usd=1.0), Kind("any", 1.0, 4.0)]
    assert fleet_of(kinds, planned(kinds, 8.0, 0.5)) == (4, 4)
    assert fleet_of(kinds, planned([kinds[0], replace(kinds[1], usd=0.5)], 8.0, 0.5)) == (0, 8)


def test_spot_and_domains_are_limited_together() -> None:
    kinds = [
        Kind("od-a", 1.0, 4.0, domain="zone-a"),
        Kind("spot-a", 1.0, 2.0, spot=True, domain="zone-a"),
        Kind("od-b", 1.0, 4.5, domain="zone-b"),
        Kind("spot-b", 1.0, 2.2, spot=True, domain="zone-b"),
    ]
    assert fleet_of(kinds, planned(kinds, 8.0, None)) == (0, 8, 0, 0)
    assert fleet_of(kinds, planned(kinds, 8.0, 0.5)) == (0, 4, 0, 4)
    # Half Spot: what is saved by the zone is more on demand (0.5) than on Spot (0.2).
    assert fleet_of(kinds, planned(kinds, 8.0, 0.5, max_spot_share=0.5)) == (4, 0, 0, 4)
    assert fleet_of(kinds, planned(kinds, 8.0, 0.5, max_spot_share=0.0)) == (4, 0, 4, 0)


def test_behind_an_even_router_domains_are_kept_too() -> None:
    kinds = [Kind("fast", 6.0, 4.0, domain="zone-a"), Kind("slow", 2.0, 1.9, domain="zone-b")]
    assert fleet_of(kinds, planned(kinds, 12.0, None, routing=Routing.EVEN)) == (2, 0)
    found = fleet_of(kinds, planned(kinds, 12.0, 0.5, routing=Routing.EVEN))
    assert spread(kinds, found, 0.5)
    assert carries(kinds, found, True) >= 12.0


def test_headroom_is_spread_too() -> None:
    kinds = [replace(ZONES[0], usd=1.0), ZONES[1]]
    ask = make_ask(kinds, 4.0, max_domain_share=0.5, headroom=Headroom(replicas=4))  # type: ignore[arg-type]
    (plan,) = with_headroom([ask], allocate([ask], Inventory()), Inventory())
    assert fleet_of(kinds, plan) == (4, 4)


def test_an_alternative_says_that_it_is_in_one_domain() -> None:
    notes = {other.note for other in planned(ZONES, 8.0, 0.5).alternatives}
    assert notes == {f"breaks maxDomainShare 0.5: zone-{name} has 100% of Both" for name in "ab"}


@st.composite
def spread_targets(draw: st.DrawFn, high: int = 4) -> tuple[list[Kind], float, float]:
    """A target of four variants in up to three domains, a demand within its bounds, and a share."""
    split = draw(st.booleans())
    roles = (Role.PREFILL, Role.DECODE, Role.DECODE, Role.DECODE) if split else (Role.BOTH,) * 4
    kinds = [
        Kind(
            name,
            draw(st.integers(5, 80)) / 10,
            draw(st.integers(5, 60)) / 10,
            role,
            low=draw(st.integers(0, 1)),
            high=draw(st.integers(1, high)),
            domain=draw(st.sampled_from(["x", "y", "z", None])),
        )
        for name, role in zip("abcd", roles, strict=True)
    ]
    share = draw(st.sampled_from([0.34, 0.4, 0.5, 0.6, 0.75]))
    return kinds, draw(st.floats(0.01, 1.0)) * carries(kinds, [k.high for k in kinds]), share


@settings(max_examples=150, deadline=None)
@given(spread_targets(), st.sampled_from(Routing))
def test_the_limit_holds_whenever_some_fleet_carries_all_with_it_and_costs_what_the_best_of_them_costs(
    made: tuple[list[Kind], float, float], routing: Routing
) -> None:
    kinds, rps, share = made
    even = routing is Routing.EVEN
    able = [usd(kinds, f, rps) for f in fleets(kinds) if allowed(kinds, f, rps, even) and spread(kinds, f, share)]
    plan = planned(kinds, rps, share, routing=routing)
    found = fleet_of(kinds, plan)
    assert plan.feasible == any(allowed(kinds, f, rps, even) for f in fleets(kinds))
    assert (plan.binding == "") == (plan.feasible and spread(kinds, found, share))
    if able:
        assert spread(kinds, found, share)
        assert usd(kinds, found, rps) <= min(able) * WITHIN + 1e-9


def bought(kinds: Sequence[Kind], fleet: Sequence[int], share: float) -> bool:
    """Whether at most this share of each role is Spot, what must run apart."""
    for role in Role:
        own = [(k, n) for k, n in zip(kinds, fleet, strict=True) if k.role is role]
        spot = sum(k.rate * (n - k.low * (1.0 - share)) for k, n in own if k.spot)
        if any(k.spot for k, _ in own) and spot > share * sum(k.rate * n for k, n in own) + 1e-6:
            return False
    return True


@settings(max_examples=60, deadline=None)
@given(spread_targets(3), st.lists(st.booleans(), min_size=4, max_size=4))
def test_spot_is_limited_always_and_domains_where_all_is_carried_with_both(
    made: tuple[list[Kind], float, float], spot: list[bool]
) -> None:
    kinds = [replace(kind, spot=is_spot) for kind, is_spot in zip(made[0], spot, strict=True)]
    rps, share = made[1:]
    plan = planned(kinds, rps, share, max_spot_share=0.5)
    found = fleet_of(kinds, plan)
    assert bought(kinds, found, 0.5)
    able = [f for f in fleets(kinds) if allowed(kinds, f, rps) and bought(kinds, f, 0.5)]
    assert plan.feasible or not able
    if any(spread(kinds, f, share) for f in able):
        assert spread(kinds, found, share)


def test_whole_and_split_replicas_are_spread_side_by_side() -> None:
    kinds = [
        Kind(f"{role.value.lower()}-{zone}", rate, usd + 0.1 * (zone == "b"), role, high=3, domain=zone)
        for role, rate, usd in ((Role.BOTH, 2.0, 5.0), (Role.PREFILL, 4.0, 3.0), (Role.DECODE, 2.0, 2.0))
        for zone in "ab"
    ]
    assert not spread(kinds, fleet_of(kinds, planned(kinds, 16.0, None)), 0.5)
    plan = planned(kinds, 16.0, 0.5)
    assert (plan.feasible, plan.binding) == (True, "")
    assert spread(kinds, fleet_of(kinds, plan), 0.5)


@settings(max_examples=40, deadline=None)
@given(spread_targets(2), spread_targets(2), st.integers(0, 8))
def test_two_that_compete_are_spread_where_any_fleets_are(
    one: tuple[list[Kind], float, float], two: tuple[list[Kind], float, float], gpus: int
) -> None:
    targets, demands, parts = [one[0], two[0]], [one[1], two[1]], [one[2], two[2]]
    limits = {"A": max(gpus, sum(k.low for own in targets for k in own if k.name == "a"))}
    asks = [
        make_ask(kinds, rps, name, max_domain_share=share)
        for kinds, rps, share, name in zip(targets, demands, parts, "xy", strict=True)
    ]
    plans = allocate(asks, Inventory(limits))
    chosen = [fleet_of(kinds, plan) for kinds, plan in zip(targets, plans, strict=True)]
    assert fits(targets, chosen, limits)
    able = [[f for f in fleets(k) if allowed(k, f, rps)] for k, rps in zip(targets, demands, strict=True)]
    if any(fits(targets, both, limits) for both in itertools.product(*able)):
        assert all(plan.feasible for plan in plans)
    even = [[f for f in own if spread(k, f, s)] for own, k, s in zip(able, targets, parts, strict=True)]
    costs = [sum(map(usd, targets, both, demands)) for both in itertools.product(*even) if fits(targets, both, limits)]
    if costs:
        assert all(plan.binding == "" for plan in plans)
        assert sum(map(usd, targets, chosen, demands)) <= min(costs) * WITHIN + 1e-9


def many(count: int, seed: int) -> list[Ask]:
    """Targets in two zones of two accelerators each, too many to be solved as one program."""
    rng = np.random.default_rng(seed)
    asks = []
    for place in range(count):
        kinds = [
            Kind(f"{gpu}-{zone}", rate * float(rng.uniform(0.9, 1.1)), price, gpu=gpu, high=30, domain=zone)
            for gpu, rate, price in (("H100", 6.0, 4.0), ("L40S", 2.2, 1.9))
            for zone in ("zone-a", "zone-b")
        ]
        asks.append(make_ask(kinds, float(rng.uniform(5, 40)), f"t{place:02}", max_domain_share=0.5))
    return asks


@pytest.mark.parametrize("part", [0.6, 0.3])
def test_many_that_compete_are_spread(part: float) -> None:
    asks = many(30, seed=4)
    wanted = sum(n for plan in allocate(asks, Inventory()) for name, n in plan.replicas.items() if "H100" in name)
    plans = allocate(asks, Inventory({"H100": int(wanted * part)}))
    assert all(plan.feasible and plan.binding == "" for plan in plans)
    assert sum(n for plan in plans for name, n in plan.replicas.items() if "H100" in name) <= int(wanted * part)


def test_many_that_are_short_of_one_zones_machines_carry_their_load_first() -> None:
    asks = []
    for place in range(30):
        kinds = [
            Kind("own", 2.0, 4.0, high=30, gpu="H100", domain="zone-a"),
            Kind("far", 2.0, 3.0, high=30, gpu="L40S", domain="zone-b"),
            Kind("far-spot", 2.0, 3.5, high=30, gpu="L4", domain="zone-b"),
        ]
        asks.append(make_ask(kinds, 8.0, f"t{place:02}", max_domain_share=0.5))
    plans = allocate(asks, Inventory({"H100": 30, "L40S": 1000, "L4": 1000}))
    assert all(plan.feasible for plan in plans)
    assert sum(plan.replicas["own"] for plan in plans) == 30
    assert any("zone-b has" in plan.binding for plan in plans)


def test_without_a_solver_domains_are_filled_in_turn() -> None:
    own = [replace(kind, gpu=kind.name.upper()) for kind in THREE]
    claims = [claim_of(make_ask(own, 9.0, max_domain_share=1 / 3), 0.15)]
    (found,) = polished(claims, [claims[0].low], {})
    assert found == (3, 3, 3)
    (short,) = polished(claims, [claims[0].low], {"B": 1, "C": 0})
    assert short == (8, 1, 0)


@settings(max_examples=40, deadline=None)
@given(spread_targets(), st.sampled_from([None, 1.0]))
def test_without_a_limit_domains_change_nothing_but_what_is_told(
    made: tuple[list[Kind], float, float], share: float | None
) -> None:
    kinds, rps, _ = made
    nowhere = [replace(kind, domain=None) for kind in kinds]
    plain = planned(nowhere, rps, None)
    assert plain.domain_loss_rps is None
    assert replace(planned(kinds, rps, share), domain_loss_rps=None) == plain


def test_a_fleet_at_its_limit_is_not_moved_when_rates_are_learned_anew() -> None:
    def at(rate: float, now: tuple[int, int]) -> tuple[int, ...]:
        kinds = [
            Kind("a", rate, 3.0, high=99, now=now[0], domain="zone-a"),
            Kind("b", 1.0, 4.0, high=99, now=now[1], domain="zone-b"),
        ]
        return fleet_of(kinds, planned(kinds, 96.0, 0.5))

    assert at(1.0, (0, 0)) == (48, 48)
    # Three percent more in the one zone: 0.72 replicas above the half; five: 1.2, which stand; fifteen are too many.
    for rate in (1.03, 1.05, 1.0, 1.05):
        assert at(rate, (48, 48)) == (48, 48)
    assert at(1.15, (48, 48))[0] < 48


def test_an_uneven_fleet_is_made_even_and_stays_so() -> None:
    now = (8, 0)
    for rps in (8.0, 8.3, 7.8, 8.1, 7.6):
        kinds = [replace(kind, now=n) for kind, n in zip(ZONES, now, strict=True)]
        now = fleet_of(kinds, planned(kinds, rps, 0.5))  # type: ignore[assignment]
        assert now in ((4, 4), (4, 5), (5, 4))
    assert sum(now) == 9  # The ninth of the ripple stays.
