"""One policy on one case: who plays, what it costs to play, and the row that comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass

import numpy as np

from controlplane.simulation.backtest import Policy
from controlplane.simulation.league.cases import WARM_UP_S, Case, trace_name
from controlplane.simulation.league.oracle import (
    SMOOTHINGS,
    SchedulePolicy,
    cheapest,
    first_replicas,
    fluid_usd,
    oracle,
    static_best,
)
from controlplane.simulation.league.rows import ORACLE, Row
from controlplane.simulation.league.score import Score, play
from controlplane.simulation.peers import PEERS, peer_named
from controlplane.simulation.policies import TidegatePolicy, static_replicas
from controlplane.simulation.scenario import Scenario, ScenarioError
from controlplane.simulation.traffic import Trace

STATIC_BEST = "static-best"
TUNED = "*"
"""Ends the name of a peer with the best setting of its grid, found on the very window that it is scored on."""
WARM_UP_SHARE = 0.25
"""Of a window at most: a short one is not all warm-up."""
PLAYS_OF_A_SEARCH = 5
"""Of a bisection over a dozen or two of utilisations or fleets: for the progress bar."""


@dataclass(frozen=True, slots=True)
class Task:
    """One row to be played."""

    case: Case
    policy: str

    @property
    def key(self) -> tuple[str, str, float, str]:
        """Of the row that it makes."""
        return trace_name(self.case.trace), self.case.scenario_name, self.case.cold_start_s, self.policy

    @property
    def plays(self) -> int:
        """About how often the window is played."""
        if self.policy == ORACLE:
            return len(SMOOTHINGS) * PLAYS_OF_A_SEARCH
        if self.policy == STATIC_BEST:
            return PLAYS_OF_A_SEARCH
        return 1 + (len(PEERS[self.policy.removesuffix(TUNED)].grid) if self.policy.endswith(TUNED) else 0)


def policy_names(static: str) -> list[str]:
    """All that play by default; `static` is the constant fleet among them."""
    return [ORACLE, TidegatePolicy.name, static, STATIC_BEST, *PEERS]


def check_policy(name: str) -> None:
    """Refuse before anything is played what could not be.

    Raises:
        ScenarioError: naming the policies that there are.
    """
    tuned = name.endswith(TUNED) and name.removesuffix(TUNED) in PEERS
    if name not in policy_names(STATIC_BEST) and not tuned and static_replicas(name) is None:
        allowed = ", ".join(("tidegate", "static:N", STATIC_BEST, *PEERS, ORACLE))
        raise ScenarioError(
            f"policy is {name!r}; allowed: {allowed}, and a peer's name with {TUNED} for its best setting"
        )


def tasks_of(cases: Sequence[Case], policies: Sequence[str], tuned: bool) -> list[Task]:
    """Every case's, together, the longest first. The oracle always plays: the others are compared with it."""
    names = dict.fromkeys([ORACLE, *policies, *(f"{p}{TUNED}" for p in policies if tuned and p in PEERS)])
    return [
        task
        for case in cases
        for task in sorted((Task(case, name) for name in names), key=lambda t: t.plays, reverse=True)
    ]


@dataclass(frozen=True, slots=True)
class Bench:
    """A case, prepared, and what every policy on it shares."""

    case: Case
    scenario: Scenario
    trace: Trace

    @property
    def warm_up_s(self) -> float:
        """Seconds that are played and not scored."""
        return min(WARM_UP_S, WARM_UP_SHARE * self.trace.duration_s)

    @property
    def attainment(self) -> float:
        """Of the scenario's SLO."""
        return self.scenario.targets[0].policy.slo.attainment

    def played(self, policy: Policy, replicas: Mapping[str, int] | None = None) -> Score:
        """A policy's play, from the fleet that all begin with or from `replicas`, by workload."""
        started = first_replicas(self.scenario, self.trace) if replicas is None else replicas
        return play(self.scenario, self.trace, policy, self.warm_up_s, started)


def play_task(bench: Bench, policy: str, stopwatch: Callable[[], float]) -> Row:
    """The row of a policy on a prepared case. `stopwatch` gives real seconds.

    Raises:
        ScenarioError: naming the policies that there are.
    """
    check_policy(policy)
    began_s = stopwatch()
    score, settings = _scored(bench, policy)
    return _row(bench, policy, score, settings, stopwatch() - began_s)


def _scored(bench: Bench, name: str) -> tuple[Score, Mapping[str, str] | None]:
    replicas = static_replicas(name)
    if replicas is not None:
        return _constant(bench, name, replicas), None
    if name == ORACLE:
        return oracle(bench.scenario, bench.trace, bench.warm_up_s, bench.attainment), None
    if name == STATIC_BEST:
        fleet, score = static_best(bench.scenario, bench.trace, bench.warm_up_s, bench.attainment)
        return score, {workload: str(count) for workload, count in fleet.items()}
    if name.endswith(TUNED):
        return _tuned(bench, name.removesuffix(TUNED))
    return bench.played(_default(bench.scenario, name)), None


def _default(scenario: Scenario, name: str) -> Policy:
    peer = peer_named(name, scenario)
    return TidegatePolicy(scenario) if peer is None else peer


def _constant(bench: Bench, name: str, replicas: int) -> Score:
    """So many of the cheapest workload, or of each role's."""
    fleet = {w.key: replicas for w in cheapest(bench.scenario, bench.trace)}
    policy = SchedulePolicy(name, bench.scenario, {key: np.array([replicas]) for key in fleet})
    return bench.played(policy, {w.key: fleet.get(w.key, 0) for w in bench.scenario.workloads})


def _tuned(bench: Bench, name: str) -> tuple[Score, Mapping[str, str]]:
    """A peer's best of its defaults and its grid, in hindsight: the cheapest that reaches the attainment, else the one
    that attains most."""
    peer = PEERS[name]
    tried = [(s, bench.played(peer.policy(bench.scenario, s))) for s in (peer.defaults, *peer.grid)]
    reached = [t for t in tried if t[1].attainment >= bench.attainment]
    settings, score = (
        min(reached, key=lambda t: t[1].cost_usd) if reached else max(tried, key=lambda t: t[1].attainment)
    )
    return score, dict(_differences(peer.defaults, settings))


def _differences(before: object, after: object, place: str = "") -> Iterator[tuple[str, str]]:
    """The fields whose values differ, nested ones by a dotted name."""
    if not is_dataclass(before) or type(before) is not type(after):
        if before != after:
            yield place, str(after)
        return
    for field in fields(before):
        dotted = f"{place}.{field.name}" if place else field.name
        yield from _differences(getattr(before, field.name), getattr(after, field.name), dotted)


def _row(bench: Bench, policy: str, score: Score, settings: Mapping[str, str] | None, wall_s: float) -> Row:
    return Row(
        trace=trace_name(bench.case.trace),
        scenario=bench.case.scenario_name,
        cold_start_s=bench.case.cold_start_s,
        policy=policy,
        requests=score.requests,
        attainment=score.attainment,
        worst_hour=score.worst_hour,
        goodput_rps=score.goodput_rps,
        gpu_hours=score.gpu_hours,
        cost_usd=score.cost_usd,
        cost_vs_oracle=None,
        scale_ups=score.scale_ups,
        scale_downs=score.scale_downs,
        flaps=score.flaps,
        wall_s=wall_s,
        slo_attainment=bench.attainment,
        fluid_usd=fluid_usd(bench.scenario, bench.trace, bench.warm_up_s),
        warm_up_s=bench.warm_up_s,
        window_requests=bench.case.requests,
        settings=settings,
        copies_within_s=bench.case.copies_within_s,
    )


def compile_core(scenario: Scenario) -> None:
    """Play a few requests, so that processes that are started afterwards find the core compiled."""
    few = Trace(np.arange(40.0), np.full(40, 100), np.full(40, 10))
    started = {w.key: 1 for w in scenario.workloads}
    policy = SchedulePolicy("static:1", scenario, {key: np.array([1]) for key in started})
    play(scenario, few, policy, 0.0, started)
