"""One policy on one case: who plays, from which fleet, and what the row says."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from controlplane.simulation.backtest import Policy
from controlplane.simulation.league.cases import Case, with_cold_start
from controlplane.simulation.league.rows import Row
from controlplane.simulation.league.runner import Bench, Task, check_policy, play_task, policy_names, tasks_of
from controlplane.simulation.peers import PEERS
from controlplane.simulation.peers.hpa_peers import HpaSettings
from controlplane.simulation.policies import policy_named
from controlplane.simulation.scenario import ScenarioError, load_scenario
from controlplane.simulation.traffic import Trace

ISSUE = (
    "tidegate, static:12, static-best, hpa-queue, hpa-concurrency, hpa-kv, kpa, wva-v1, wva-v2, keda-slo, "
    "aibrix-kpa, aibrix-apa, ray-serve, dynamo-classic, dynamo-load, oracle"
)


def bench(scenario: str = "league-8b", requests: int = 3000, seconds: float = 1200.0) -> Bench:
    """A wave that asks for one replica in its valleys and for a few at its top."""
    random = np.random.default_rng(3)
    at_s = np.sort(seconds * random.beta(2.0, 2.0, requests))
    trace = Trace(at_s - at_s[0], random.integers(500, 3000, requests), random.integers(50, 300, requests))
    return Bench(Case(Path("wave.csv.gz"), scenario, 60.0), with_cold_start(load_scenario(scenario), 60.0), trace)


def played(policy: str, on: Bench) -> Row:
    ticks = itertools.count()
    return play_task(on, policy, lambda: 2.5 * next(ticks))


def test_the_default_policies_are_those_of_the_league() -> None:
    assert set(policy_names("static:12")) == set(ISSUE.split(", "))


@pytest.mark.parametrize("name", ["hpa", "static:0", "static:x", "tidegate*", "static-best*", "nope*", ""])
def test_an_unknown_policy_is_refused_with_those_that_there_are(name: str) -> None:
    with pytest.raises(ScenarioError, match=r"policy is .*; allowed: .*static:N"):
        check_policy(name)


@pytest.mark.parametrize("name", sorted(PEERS))
def test_a_backtest_takes_every_peer_by_its_name(name: str) -> None:
    policy: Policy = policy_named(name, load_scenario("league-8b"))
    assert policy.name == name


def test_tasks_come_by_case_with_the_oracle_and_once_each() -> None:
    cases = [Case(Path("a.csv"), "league-8b", s) for s in (60.0, 180.0)]
    tasks = tasks_of(cases, ["kpa", "static:3", "kpa"], tuned=True)
    assert [t.key for t in tasks[:4]] == [("a", "league-8b", 60.0, p) for p in ("oracle", "kpa*", "kpa", "static:3")]
    assert [t.case for t in tasks] == [cases[0]] * 4 + [cases[1]] * 4
    assert Task(cases[0], "kpa*").plays == 1 + len(PEERS["kpa"].grid)


def test_a_constant_fleet_costs_its_hours_from_the_end_of_the_warm_up() -> None:
    on = bench()
    row = played("static:2", on)
    scored_h = (on.trace.duration_s - on.warm_up_s) / 3600.0
    assert on.warm_up_s == pytest.approx(on.trace.duration_s / 4.0)
    assert row.gpu_hours == pytest.approx(2.0 * scored_h)
    assert row.requests == int((on.trace.at_s >= on.warm_up_s).sum())
    assert (row.key, row.wall_s) == (("wave", "league-8b", 60.0, "static:2"), 2.5)
    assert (row.scale_ups, row.scale_downs, row.cost_vs_oracle) == (0, 0, None)
    assert row.slo_attainment == 0.99


def test_a_constant_fleet_of_two_roles_has_so_many_of_each() -> None:
    on = bench("league-70b-pd", 300)
    assert played("static:2", on).gpu_hours == pytest.approx(
        2 * 2 * 4 * (on.trace.duration_s - on.warm_up_s) / 3600.0, rel=1e-6
    )


def test_a_constant_fleet_is_of_the_cheapest_of_three_variants() -> None:
    on = bench("league-8b-mixed", 300)
    usd_per_hour = [w.variant.usd_per_replica_hour for w in on.scenario.workloads]
    row = played("static:2", on)
    paid = row.cost_usd / ((on.trace.duration_s - on.warm_up_s) / 3600.0) / 2.0
    assert any(paid == pytest.approx(usd) for usd in usd_per_hour)


def test_the_oracle_attains_and_is_no_cheaper_than_the_work() -> None:
    row = played("oracle", bench())
    assert row.attained
    assert row.cost_usd >= row.fluid_usd


def test_the_best_constant_fleet_attains_and_says_its_size() -> None:
    row = played("static-best", bench())
    assert row.attained
    assert set(row.settings or {}) == {"default/chat-h100"}


def test_a_tuned_peer_is_at_least_as_good_as_its_defaults_and_says_what_was_changed() -> None:
    on = bench(requests=1500)
    plain, tuned = played("hpa-queue", on), played("hpa-queue*", on)
    assert (tuned.attained, -tuned.cost_usd) >= (plain.attained, -plain.cost_usd) or not tuned.attained
    assert tuned.attainment >= plain.attainment or tuned.attained
    defaults = PEERS["hpa-queue"].defaults
    assert isinstance(defaults, HpaSettings)
    assert set(tuned.settings or {}) <= {"target", "tolerance", "interval_s", *_nested("up"), *_nested("down")}


def _nested(rules: str) -> set[str]:
    return {f"{rules}.{name}" for name in ("stabilization_window_s", "policies", "select_policy")}


def test_plays_are_the_same_every_time() -> None:
    on = bench(requests=1000)
    first, second = played("tidegate", on), played("tidegate", on)
    assert first == replace(second, wall_s=first.wall_s)
