"""One variant for another: what is given up, when, and what a plan that wavers must not buy."""

from __future__ import annotations

import pytest

from controlplane.domain.decision import (
    Capacity,
    CapacityBound,
    ColdStart,
    Demand,
    Memory,
    Plan,
    Recommendation,
    RulingEffect,
)
from controlplane.planning.allocation.claim import claim_of
from controlplane.planning.cold_starts import default_cold_start, known_cold_starts
from controlplane.planning.rules.case import Case
from controlplane.planning.rules.exchange import ExchangeRule
from controlplane.planning.rules.pace import StabilizationRule
from controlplane.planning.rules.underway import PendingRule
from tests.builders import NOW_S, make_inputs, make_observation, make_target, make_variant
from tests.planning.asks import Kind, make_ask

RATES = {"h100": 10.0, "l40s": 3.0}
NEED_RPS = 24.0


def case(
    planned: dict[str, int],
    current: dict[str, int],
    recommended: tuple[dict[str, int], ...] = (),
    pending: dict[str, int] | None = None,
) -> Case:
    """A target of an H100 that carries 10 requests/s and an L40S that carries 3, and 24 to carry."""
    target = make_target((make_variant("h100", high=9), make_variant("l40s", "L40S", low=0, high=9)))
    waits = pending or {}
    ready = {name: n - waits.get(name, 0) for name, n in current.items()}
    memory = Memory(recommendations=tuple(Recommendation(NOW_S - 30.0, r) for r in recommended))
    inputs = make_inputs(target, make_observation(target, NEED_RPS, ready, waits), memory=memory)
    demand = Demand(NEED_RPS, NEED_RPS, 0.0, 1000.0, 200.0, 2e5, 0.0, "reactive")
    capacities = tuple(Capacity(name, rate, CapacityBound.TPOT, 1.0) for name, rate in RATES.items())
    plan = Plan(target.key, demand, capacities, planned, 10.0, feasible=True)
    return Case(inputs, NOW_S, current, demand, True, plan)


def test_what_was_recommended_of_one_variant_is_held_in_what_it_carried() -> None:
    two_and_two, three = {"h100": 2, "l40s": 2}, {"h100": 3, "l40s": 0}
    ruling = StabilizationRule().judge(case(three, two_and_two, (two_and_two,)), three)
    assert ruling.after == three, "30 requests/s are more than the 26 of the window, so both of l40s may go"
    ruling = StabilizationRule().judge(case(two_and_two, three, (three,)), two_and_two)
    assert ruling.after == {"h100": 3, "l40s": 2}, "26 are less than the 30 of the window"


def test_one_variant_alone_is_held_by_its_replicas() -> None:
    fewer = {"h100": 2, "l40s": 0}
    ruling = StabilizationRule().judge(case(fewer, {"h100": 3, "l40s": 0}, ({"h100": 3, "l40s": 0},)), fewer)
    assert ruling.after == {"h100": 3, "l40s": 0}


def test_a_plan_that_wavers_does_not_buy_both_fleets() -> None:
    three, two_and_two = {"h100": 3, "l40s": 0}, {"h100": 2, "l40s": 2}
    now = case(two_and_two, three, (three, two_and_two))
    ruling = ExchangeRule().judge(now, {"h100": 3, "l40s": 2})
    assert (ruling.effect, ruling.after) == (RulingEffect.HOLD, three)
    assert "without more of l40s" in ruling.reason


def test_an_exchange_that_the_window_agrees_on_is_done() -> None:
    three, two_and_two = {"h100": 3, "l40s": 0}, {"h100": 2, "l40s": 2}
    for recommended in ((), (two_and_two,)):
        now = case(two_and_two, three, recommended)
        pending = PendingRule().judge(now, two_and_two)
        assert pending.after == {"h100": 3, "l40s": 2}, "what replaces is Ready first"
        assert ExchangeRule().judge(now, pending.after).after == pending.after


def test_an_up_that_is_needed_is_not_spared() -> None:
    now = case({"h100": 2, "l40s": 2}, {"h100": 2, "l40s": 0}, ({"h100": 3, "l40s": 0},))
    proposed = {"h100": 2, "l40s": 2}
    assert ExchangeRule().judge(now, proposed).after == proposed


@pytest.mark.parametrize(
    ("current", "pending", "proposed", "after"),
    [
        # One of three h100 is not Ready; the other two and four of l40s carry 32, three of them 29, one of them 23.
        ({"h100": 3, "l40s": 4}, {"h100": 1}, {"h100": 3, "l40s": 0}, {"h100": 3, "l40s": 2}),
        # Its own pending ones hold all of h100, though eight of l40s carry the 24 alone.
        ({"h100": 3, "l40s": 8}, {"h100": 2}, {"h100": 0, "l40s": 8}, {"h100": 3, "l40s": 8}),
        # As many that are Ready would idle: the exchange is done.
        ({"h100": 3, "l40s": 8}, {"h100": 1}, {"h100": 0, "l40s": 8}, {"h100": 0, "l40s": 8}),
        # Those of another variant are held by what starts elsewhere alone, which here is given up.
        ({"h100": 4, "l40s": 8}, {"h100": 1}, {"h100": 1, "l40s": 6}, {"h100": 1, "l40s": 6}),
        ({"h100": 3, "l40s": 8}, {"l40s": 1}, {"h100": 1, "l40s": 8}, {"h100": 1, "l40s": 8}),
    ],
)
def test_what_starts_holds_of_others_what_the_ready_ones_do_not_carry(
    current: dict[str, int], pending: dict[str, int], proposed: dict[str, int], after: dict[str, int]
) -> None:
    assert PendingRule().judge(case(proposed, current, pending=pending), proposed).after == after


def test_an_exchange_needs_no_margin_and_less_does() -> None:
    ask = make_ask([Kind("a", 3.0, 4.0, now=2), Kind("b", 1.0, 2.0, now=2)], 8.0)
    claim = claim_of(ask, 0.15)
    standing = claim.carried(claim.keep)
    (part,) = claim.parts
    assert claim.padded(standing * 0.99, part) == pytest.approx(standing)
    assert claim.padded(standing * 0.5, part) == pytest.approx(standing * 0.5 * 1.15)
    assert claim.padded(standing * 2.0, part) == pytest.approx(standing * 2.0)


def test_a_variant_that_never_started_takes_as_long_as_the_others_make_likely() -> None:
    target = make_target((make_variant("h100"), make_variant("l40s", "L40S", low=0)))
    prior = {v.name: default_cold_start(target, v) for v in target.variants}
    assert known_cold_starts(target, {}) == prior
    half = ColdStart(prior["h100"].p50_s / 2.0, prior["h100"].p90_s, 3)
    known = known_cold_starts(target, {"h100": half})
    assert known["h100"] is half
    assert known["l40s"].p50_s == pytest.approx(prior["l40s"].p50_s / 2.0)
    assert known["l40s"].samples == 0
