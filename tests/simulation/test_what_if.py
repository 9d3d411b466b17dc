"""Recorded decisions, made again under a change."""

from __future__ import annotations

import pytest

from controlplane.domain.decision import Tick
from controlplane.domain.target import Slo
from controlplane.simulation.scenario import ScenarioError
from controlplane.simulation.what_if import Changed, VariantOut, WhatIfResult, step_of, what_if
from tests.ledger_builders import NOW_S, make_load, make_tick

STEP_S = 180.0
STEPS = 40
UNTIL_S = NOW_S + STEPS * STEP_S


def ticks(rate: float = 12.0) -> list[Tick]:
    rates = [rate * (0.6 if n < 10 else 1.4 if n < 25 else 0.8) for n in range(STEPS)]
    return [make_tick(f"t{n}", NOW_S + STEP_S * n, load=make_load(r), ready=3) for n, r in enumerate(rates)]


def ask(changed: Changed) -> WhatIfResult:
    return what_if(ticks(), NOW_S, UNTIL_S, changed, lambda _: None)


def test_no_change_changes_nothing() -> None:
    found = ask(Changed())
    assert found.first_at_s is None
    assert found.unchanged.timeline == found.changed.timeline
    assert (found.difference.cost_usd, found.difference.scale_events) == (0, 0)


def test_more_load_costs_more_and_says_so() -> None:
    found = ask(Changed(load_factor=2.0))
    assert found.changed.requests == pytest.approx(2 * found.unchanged.requests, abs=2)
    assert found.difference.cost_usd > 0
    assert found.first_at_s is not None
    assert found.sentence.startswith(f"It would have cost +{found.difference.cost_usd} $")


def test_a_tighter_slo_costs_more() -> None:
    assert ask(Changed(slo=Slo(2.0, 0.04))).difference.gpu_hours > 0


def test_a_dear_variant_is_left() -> None:
    usual, dear = ask(Changed(load_factor=2.0)), ask(Changed(load_factor=2.0, prices={"h100": 40.0}))
    assert sum(dear.changed.timeline.replicas["h100"]) < sum(usual.changed.timeline.replicas["h100"])


def test_nothing_becomes_ready_in_a_stock_out() -> None:
    out = tuple(VariantOut(name, NOW_S, UNTIL_S + 1) for name in ("h100", "l40s"))
    changed = Changed(load_factor=3.0, stock_outs=out)
    found = ask(changed)
    assert found.changed.attainment is not None
    assert found.changed.attainment < ask(Changed(load_factor=3.0)).changed.attainment  # type: ignore[operator]


def test_a_longer_cold_start_leaves_more_waiting() -> None:
    quick, slow = ask(Changed(load_factor=3.0)), ask(Changed(load_factor=3.0, cold_start_factor=8.0))
    assert slow.changed.attainment < quick.changed.attainment  # type: ignore[operator]


def test_a_variant_that_there_is_not_is_named() -> None:
    with pytest.raises(ScenarioError, match=r"'b200'; allowed: h100, l40s"):
        ask(Changed(prices={"b200": 1.0}))
    with pytest.raises(ScenarioError, match="no recorded decisions"):
        what_if([], NOW_S, UNTIL_S, Changed(), lambda _: None)


def test_a_day_is_some_hundred_steps() -> None:
    assert step_of(0.0, 86_400.0) == 180.0
    assert step_of(0.0, 3600.0) == 60.0
