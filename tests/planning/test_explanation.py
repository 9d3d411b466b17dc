"""One decision whole, and what came of it."""

from __future__ import annotations

from dataclasses import replace
from math import log

import pytest

from controlplane.domain.decision import Actuation, ActuationResult, Tick, Validation, Verdict
from controlplane.domain.target import Mode, Policy, Slo
from controlplane.planning.explanation import explanation, proposed, undone
from controlplane.planning.outcome import later_outcome
from controlplane.planning.promise import promised_attainment
from tests.builders import NOW_S, make_forecast, make_group, make_inputs, make_observation, make_target, make_tick
from tests.planning.test_counterfactuals import group


def later(tick: Tick, after_s: float, rps: float | None, attainment: float | None = 0.99) -> Tick:
    target = tick.inputs.target
    seen = make_observation(target, rps, at_s=NOW_S + after_s)
    seen = replace(seen, attainment=attainment)
    return replace(tick, id=f"t{after_s}", at_s=NOW_S + after_s, inputs=replace(tick.inputs, observation=seen))


@pytest.fixture
def tick() -> Tick:
    target = make_target()
    # Peaks by level: p10 6, p50 10, p75 12.5, p90 14, p95 14.5, p99 14.9 requests/s over 240 s.
    return make_tick(
        inputs=make_group(make_inputs(target, make_observation(target, 8.0), make_forecast(target, 10.0, spread=10.0)))
    )


def test_a_forecast_that_held(tick: Tick) -> None:
    assert tick.plan.demand is not None
    found = later_outcome(
        tick, [later(tick, 60.0, 9.0, 1.0), later(tick, 120.0, 12.0, 0.97), later(tick, 236.0, 3.0, None)]
    )
    assert found.forecast is not None
    assert (found.complete, found.ticks, found.until_s) == (True, 3, NOW_S + 240.0)
    assert (found.forecast.realised_peak_rps, found.forecast.realised_quantile, found.forecast.held) == (
        12.0,
        0.75,
        True,
    )
    # (9 x 1.00 + 12 x 0.97) / 21
    assert found.attainment == pytest.approx(0.98286, abs=1e-5)
    assert found.slo_met is False
    assert found.forecast.expected_peak_rps["p50"] == 10.0


def test_a_peak_is_a_minutes_mean_as_its_forecast(tick: Tick) -> None:
    found = later_outcome(tick, [later(tick, 60.0, 18.0), later(tick, 75.0, 6.0), later(tick, 236.0, 11.0)])
    assert found.forecast is not None
    assert (found.forecast.realised_peak_rps, found.forecast.realised_quantile) == (12.0, 0.75)


def test_a_peak_beyond_the_plan_is_known_before_the_horizon_ends(tick: Tick) -> None:
    found = later_outcome(tick, [later(tick, 60.0, 40.0)])
    assert found.forecast is not None
    assert (found.complete, found.forecast.held, found.forecast.realised_quantile) == (False, False, None)


def test_nothing_is_said_before_anything_came(tick: Tick) -> None:
    found = later_outcome(tick, [later(tick, 400.0, 9.0)])
    assert found.forecast is not None
    assert (found.ticks, found.forecast.held, found.attainment, found.slo_met) == (0, None, None, None)
    unseen = later_outcome(tick, [later(tick, 30.0, None, None)])
    assert unseen.forecast is not None
    assert unseen.forecast.realised_peak_rps is None


def test_what_was_refused_has_its_price(tick: Tick) -> None:
    found = explanation([tick], tick.id, [])
    assert found.reproduced
    assert found.would_change
    for one in found.rejected:
        assert one.extra_usd_per_hour == pytest.approx(one.alternative.usd_per_hour - found.plan.usd_per_hour)
    with pytest.raises(KeyError, match="allowed: t1"):
        explanation([tick], "t2", [])


def test_a_fleet_promises_what_it_carries_of_the_peaks_that_may_come(tick: Tick) -> None:
    capacities = tuple(replace(c, requests_per_s=5.0) for c in tick.plan.capacities)
    five_each = replace(tick, plan=replace(tick.plan, capacities=capacities))
    assert promised_attainment(five_each, {"h100": 3}) == 1.0
    # Of 5: 0.1 x 5/6 below p10, the mean of 5/x from 6 to 14.9 (0.5 x ln(14.9/6)), 0.01 x 5/14.9 above p99.
    assert promised_attainment(five_each, {"h100": 1}) == pytest.approx(
        0.5 / 6 + 0.5 * log(14.9 / 6) + 0.05 / 14.9, abs=2e-3
    )
    assert promised_attainment(five_each, {}) == 0.0
    unforeseen = replace(five_each, inputs=replace(tick.inputs, forecast=None))
    assert promised_attainment(unforeseen, {"h100": 1}) == pytest.approx(5.0 / 8.0)
    unknown = replace(five_each, plan=replace(tick.plan, capacities=()))
    assert promised_attainment(unknown, {"h100": 1}) is None
    assert explanation([tick], tick.id, []).plan.expected_attainment is not None


def held() -> Tick:
    return make_tick(inputs=group(23.5, {"h100": 3, "l40s": 1}, {"h100": 4, "l40s": 1}))


def test_a_down_that_a_rule_held_is_told() -> None:
    assert proposed(held()) is Verdict.DOWN
    said = undone(held(), Verdict.DOWN)
    assert said is not None
    assert said.startswith("the plan wanted one fewer l40s, but rule stabilization (hold)")
    assert undone(held(), Verdict.UP) is None


def down(**changes: object) -> Tick:
    tick = held()
    desired = {**tick.decision.current, "l40s": 0}
    moved = replace(tick, decision=replace(tick.decision, verdict=Verdict.DOWN, desired=desired))
    return replace(moved, **changes)  # type: ignore[arg-type]


def test_a_down_that_was_refused_or_failed_or_is_a_shadows() -> None:
    observation = held().inputs.observation
    refused = down(validation=Validation(False, "the queue grew", observation))
    assert "the last check refused it: the queue grew" in str(undone(refused, Verdict.DOWN))
    failed = down(actuations=(Actuation("l40s", 1, 0, ActuationResult.CONFLICT, "409"),))
    assert "l40s 1 -> 0 conflict (409)" in str(undone(failed, Verdict.DOWN))
    shadow = make_target(policy=Policy(Mode.SHADOW, Slo(2.0, 0.1)))
    watched = down(inputs=replace(held().inputs, target=shadow))
    assert "nothing is patched in Shadow" in str(undone(watched, Verdict.DOWN))


def test_a_down_that_was_done_is_not_undone() -> None:
    done = down(actuations=(Actuation("l40s", 1, 0, ActuationResult.APPLIED),))
    assert undone(done, Verdict.DOWN) is None
