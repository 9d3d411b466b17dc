"""A recorded history as something that can be played."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from controlplane.domain.decision import Calibration, Tick
from controlplane.domain.observation import LENGTH_LEVELS, Load
from controlplane.planning.roofline import StepCost
from controlplane.simulation.comparison import recorded_run
from controlplane.simulation.recorded import (
    LoadPoint,
    PlayedFleet,
    RecordedTraffic,
    learned_step_cost,
    recorded_scenario,
)
from controlplane.simulation.replay_window import Replayed, check_policy, replay_window, under_spec
from controlplane.simulation.scenario import ScenarioError
from tests.ledger_builders import NOW_S, make_load, make_target, make_tick

HOUR_S = 3600.0


def traffic(rate: float, hours: float = 2.0, factor: float = 1.0, load: Load | None = None) -> RecordedTraffic:
    points = tuple(
        LoadPoint(NOW_S + 60 * n, replace(load or make_load(), requests_per_s=rate)) for n in range(int(hours * 60))
    )
    return RecordedTraffic(points, 1, NOW_S + hours * HOUR_S, factor)


def test_as_many_requests_come_as_were_recorded() -> None:
    drawn = traffic(5.0).arrivals(NOW_S, NOW_S + 9 * HOUR_S)
    # 36,000 in the mean, with a standard deviation of 190.
    assert abs(len(drawn) - 36_000) < 4 * math.sqrt(36_000)
    assert drawn.at_s.max() < NOW_S + 2 * HOUR_S
    assert np.mean(drawn.input_tokens) == pytest.approx(1000.0, rel=0.05)
    assert np.mean(drawn.output_tokens) == pytest.approx(200.0, rel=0.05)
    assert drawn.cached_tokens.sum() / drawn.input_tokens.sum() == pytest.approx(0.1, abs=0.01)
    assert abs(len(traffic(5.0, factor=1.5).arrivals(NOW_S, NOW_S + 2 * HOUR_S)) - 54_000) < 4 * math.sqrt(54_000)


def test_the_draw_does_not_depend_on_how_time_is_cut() -> None:
    one = traffic(2.0)
    whole = one.arrivals(NOW_S + 7.0, NOW_S + 500.0)
    cut = one.arrivals(NOW_S + 7.0, NOW_S + 123.4).then(one.arrivals(NOW_S + 123.4, NOW_S + 500.0))
    assert all((a == b).all() for a, b in zip(whole.columns, cut.columns, strict=True))


def test_lengths_follow_the_recorded_quantiles() -> None:
    lengths = tuple(100.0 + 1000.0 * level for level in LENGTH_LEVELS)
    load = replace(make_load(), input_tokens=600.0, input_lengths=lengths)
    drawn = traffic(5.0, load=load).arrivals(NOW_S, NOW_S + 2 * HOUR_S).input_tokens
    assert np.mean(drawn) == pytest.approx(600.0, rel=0.01)
    assert np.quantile(drawn, 0.25) == pytest.approx(350.0, rel=0.03)
    assert np.quantile(drawn, 0.85) == pytest.approx(950.0, rel=0.03)


def test_nothing_comes_where_nothing_was_recorded() -> None:
    gap = RecordedTraffic((LoadPoint(NOW_S, make_load()), LoadPoint(NOW_S + 7200, make_load())), 1, NOW_S + 9000)
    assert len(gap.arrivals(NOW_S, NOW_S + 900)) > 0
    assert len(gap.arrivals(NOW_S + 1000, NOW_S + 7200)) == 0
    assert gap.load_at(NOW_S - 1) is None


def test_what_was_learned_is_what_replicas_cost() -> None:
    prior = StepCost(1.0, 2.0, 3.0, 4.0, 5.0)
    assert learned_step_cost(prior, None) == prior
    assert learned_step_cost(prior, Calibration(1.5, 1.0)) == StepCost(1.5, 3.0, 4.5, 6.0, 7.5)
    learned = learned_step_cost(prior, Calibration(1.0, 1.0, (1.0, 2.0, 0.5, 0.25)))
    assert learned == StepCost(1.0, 4.0, 1.5, 1.0, 10.0)


def ticks(count: int = 40, rate: float = 6.0) -> list[Tick]:
    return [make_tick(f"t{n}", NOW_S + 60 * n, load=make_load(rate), ready=2) for n in range(count)]


def test_the_fleet_is_as_it_was_recorded() -> None:
    scenario = recorded_scenario(ticks(), 1)
    assert [w.initial_replicas for w in scenario.workloads] == [2, 2]
    assert scenario.inventory == {"H100": 16, "L40S": 32}
    stages = scenario.workloads[0].cold_start
    assert stages.node_s + stages.image_s + stages.load_s + stages.warm_up_s == pytest.approx(160.0)
    slower = recorded_scenario(ticks(), 1, PlayedFleet(cold_start_factor=2.0, prices={"h100": 9.0})).workloads[0]
    assert slower.cold_start.load_s == pytest.approx(2 * stages.load_s)
    assert slower.variant.usd_per_replica_hour == 9.0
    with pytest.raises(ScenarioError, match="no recorded decisions"):
        recorded_scenario([], 1)


def test_a_record_is_added_up_tick_by_tick() -> None:
    # 2 h100 at 4 $ and 2 l40s at 1.9 $ for 10 minutes: 11.8 / 6 $, 4 GPUs / 6 h.
    found = recorded_run(ticks(10), NOW_S + 600, 500)
    assert (str(found.cost_usd), found.requests) == ("1.97", 3600)
    assert found.gpu_hours == pytest.approx(4 / 6)
    assert found.attainment == pytest.approx(0.995)


def test_both_are_played_on_the_same_requests_and_held_against_the_record() -> None:
    shares: list[float] = []
    asked = Replayed("static:1", NOW_S, NOW_S + 2400)
    found = replay_window(ticks(), asked, shares.append)
    other, live = found.runs
    assert (other.policy, live.policy) == ("static:1", "live")
    assert other.requests == live.requests
    assert found.savings_usd == other.cost_usd - live.cost_usd
    assert found.error.cost == pytest.approx(float(live.cost_usd) / float(found.recorded.cost_usd) - 1)
    assert found.error.requests == pytest.approx(0.0, abs=0.03)
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
    assert len(live.timeline.at_s) == len(live.timeline.replicas["h100"]) <= 500
    assert replay_window(ticks(), asked, lambda _: None) == found


def test_a_window_that_is_longer_than_its_record_is_played_where_there_is_one() -> None:
    asked = Replayed("live", NOW_S - 6 * HOUR_S, NOW_S + 6 * HOUR_S)
    found = replay_window(ticks(), asked, lambda _: None)
    exact = replay_window(ticks(), Replayed("live", NOW_S, NOW_S + 39 * 60.0 + 300.0), lambda _: None)
    assert (found.since_s, found.until_s) == (NOW_S, NOW_S + 39 * 60.0 + 300.0)
    assert found == exact


def test_what_was_not_watched_costs_nothing() -> None:
    evening = [replace(tick, id=f"e{n}", at_s=tick.at_s + 3 * HOUR_S) for n, tick in enumerate(ticks())]
    asked = Replayed("static:2", NOW_S, NOW_S + 4 * HOUR_S)
    found = replay_window([*ticks(), *evening], asked, lambda _: None)
    other = found.runs[0]
    # Twice 39 minutes and 5 of the last tick's, of 2 and, until the first pods are gone, 4 GPUs.
    assert 2 * 2 * 44 / 60 <= other.gpu_hours <= 2 * 2 * 44 / 60 + 0.3
    assert found.error.gpu_hours is not None
    assert abs(found.error.gpu_hours) < 0.6


def test_a_policy_that_there_is_not_is_named() -> None:
    with pytest.raises(ScenarioError, match=r"'hpa'.*hpa-queue.*dynamo-classic"):
        check_policy("hpa")


def test_a_version_is_played_with_its_bounds_on_the_recorded_variants() -> None:
    def variant(name: str, accelerator: str, most: int) -> dict[str, object]:
        ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"chat-{name}"}
        priced = {"accelerator": accelerator, "pricePerReplicaHour": 3.0}
        return {"name": name, "scaleTargetRef": ref, "minReplicas": 1, "maxReplicas": most, **priced}

    variants = [variant("h100", "H100", 3), variant("l40s", "L40S", 4)]
    slo = {"ttftSeconds": 1.0, "tpotSeconds": 0.05}
    spec: dict[str, object] = {"model": "llama-3.1-8b", "slo": slo, "variants": variants}
    meant = under_spec(make_target(), spec)
    assert (meant.variant("h100").max_replicas, meant.policy.slo.tpot_s) == (3, 0.05)
    zones = [{**one, "failureDomain": zone} for one, zone in zip(variants, "ab", strict=True)]
    spread = under_spec(make_target(), {**spec, "variants": zones, "capacity": {"maxDomainShare": 0.5}})
    assert ([v.failure_domain for v in spread.variants], spread.policy.max_domain_share) == (["a", "b"], 0.5)
    with pytest.raises(ScenarioError, match="cannot be played"):
        under_spec(make_target(), {"model": "none"})
    alone = under_spec(make_target(), {**spec, "variants": [variant("l40s", "L40S", 9)]})
    assert [(v.name, v.min_replicas, v.max_replicas) for v in alone.variants] == [("h100", 0, 0), ("l40s", 1, 9)]
    with pytest.raises(ScenarioError, match=r"its variants are b200; allowed: at least one of .* h100, l40s"):
        under_spec(make_target(), {**spec, "variants": [variant("b200", "B200", 9)]})


def test_a_version_without_a_variant_is_played_without_it() -> None:
    ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat-l40s"}
    spec = {
        "model": "llama-3.1-8b",
        "slo": {"ttftSeconds": 2.0, "tpotSeconds": 0.1},
        "variants": [
            {"name": "l40s", "scaleTargetRef": ref, "accelerator": "L40S", "minReplicas": 1, "maxReplicas": 9}
        ],
    }
    found = replay_window(ticks(), Replayed("version", NOW_S, NOW_S + 2400, spec=spec), lambda _: None)
    wanted = found.runs[0].timeline.replicas
    assert wanted["h100"][-1] == 0
    assert wanted["l40s"][-1] >= 1
