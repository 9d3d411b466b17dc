"""What a play is worth: attainment of what could be served at all, the worst hour, GPU-hours, dollars, flaps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from controlplane.domain.target import Role
from controlplane.simulation.backtest import DRAIN_LIMIT_S, Policy, apply
from controlplane.simulation.fleet import Fleet
from controlplane.simulation.lifecycle import Workload
from controlplane.simulation.scenario import Scenario
from controlplane.simulation.traffic import Trace

HOUR_S = 3600.0
HOUR_REQUESTS = 1000
"""An hour with fewer requests says little of its attainment, and is not the worst."""
START_S = 1_767_600_000.0
"""Virtual time of a play's first request: 2026-01-05 08:00 UTC."""


@dataclass(frozen=True, slots=True)
class Score:
    """One play, from the end of its warm-up to its last arrival. `attainment` is over the requests whose prompt an
    unloaded replica reads within the TTFT limit; `worst_hour` the least over an hour of at least 1,000 such requests,
    None where no hour has so many."""

    requests: int
    attainment: float
    worst_hour: float | None
    goodput_rps: float
    gpu_hours: float
    cost_usd: float
    scale_ups: int
    scale_downs: int
    flaps: int


def play(
    scenario: Scenario,
    trace: Trace,
    policy: Policy,
    warm_up_s: float,
    replicas: Mapping[str, int],
    heard: Callable[[float], None] = lambda _: None,
) -> Score:
    """Play the trace from a fleet of `replicas` (by workload), and score what came after the warm-up (seconds)."""
    fleet = Fleet(
        scenario.workloads,
        scenario.played(trace, START_S),
        scenario.inventory,
        START_S,
        scenario.seed,
        replicas,
        scenario.stock_outs,
    )
    meter = fleet.request_meter(scenario.targets[0].key)
    meter.keep = True
    warm_s, end_s = START_S + warm_up_s, START_S + trace.duration_s
    _run(fleet, scenario, policy, warm_s)
    before = _spent(fleet, scenario)
    _run(fleet, scenario, policy, end_s, heard)
    spent = _spent(fleet, scenario) - before
    while meter.in_system and fleet.now_s < end_s + DRAIN_LIMIT_S:
        fleet.advance(fleet.now_s + policy.interval_s)
    arrived = int(np.searchsorted(trace.at_s, trace.duration_s) - np.searchsorted(trace.at_s, warm_up_s))
    return _score(scenario, meter.over, warm_s, end_s, arrived, trace, warm_up_s, spent)


def _run(
    fleet: Fleet, scenario: Scenario, policy: Policy, until_s: float, heard: Callable[[float], None] = lambda _: None
) -> None:
    while fleet.now_s < until_s:
        apply(fleet, scenario, policy.step(fleet))
        fleet.advance(min(fleet.now_s + policy.interval_s, until_s))
        heard(fleet.now_s)


def _spent(fleet: Fleet, scenario: Scenario) -> np.ndarray:
    """GPU-hours, dollars, ups, downs, flaps so far of the first target: a trace is its."""
    meters = [fleet.meters[w.key] for w in scenario.workloads if w.target is scenario.targets[0]]
    columns = ("gpu_hours", "cost_usd", "scale_ups", "scale_downs", "flaps")
    return np.array([sum(getattr(m, name) for m in meters) for name in columns], float)


def _score(
    scenario: Scenario,
    over: list[np.ndarray],
    warm_s: float,
    end_s: float,
    arrived: int,
    trace: Trace,
    warm_up_s: float,
    spent: np.ndarray,
) -> Score:
    longest = servable_tokens(scenario)
    rows = np.concatenate([np.empty((0, 3)), *over])
    met = rows[(rows[:, 0] >= warm_s) & (rows[:, 1] <= longest) & (rows[:, 2] > 0), 0]
    asked = START_S + trace.at_s[(trace.at_s >= warm_up_s) & (trace.input_tokens <= longest)]
    gpu_hours, cost_usd, ups, downs, flaps = spent.tolist()
    return Score(
        requests=arrived,
        attainment=len(met) / max(len(asked), 1),
        worst_hour=_worst_hour(asked - warm_s, met - warm_s),
        goodput_rps=len(met) / (end_s - warm_s),
        gpu_hours=gpu_hours,
        cost_usd=cost_usd,
        scale_ups=int(ups),
        scale_downs=int(downs),
        flaps=int(flaps),
    )


def _worst_hour(asked_s: np.ndarray, met_s: np.ndarray) -> float | None:
    hours = int(asked_s[-1] // HOUR_S) + 1 if len(asked_s) else 0
    edges = np.arange(hours + 1) * HOUR_S
    asked, met = np.histogram(asked_s, edges)[0], np.histogram(met_s, edges)[0]
    counted = asked >= HOUR_REQUESTS
    return float((met[counted] / asked[counted]).min()) if counted.any() else None


def servable_tokens(scenario: Scenario) -> float:
    """The longest prompt that the fastest unloaded replica reads within the TTFT limit; half a step is left for what
    may be under way."""
    target = scenario.targets[0]
    readers = [w for w in scenario.workloads if w.target is target and w.variant.role is not Role.DECODE]
    return max(_longest(w, target.policy.slo.ttft_s) for w in readers)


def _longest(workload: Workload, limit_s: float) -> float:
    cost, chunk = workload.cost, workload.limits.max_batched_tokens
    low, high = 0.0, 4e6
    while high - low > 1.0:
        tokens = (low + high) / 2.0
        read_s = cost.a_s * np.ceil(tokens / chunk) + cost.b_s_per_token * tokens
        read_s += cost.e_s_per_token_pair * tokens * tokens / 2.0
        low, high = (tokens, high) if read_s <= limit_s else (low, tokens)
    return low
