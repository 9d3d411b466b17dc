"""The capacity model's share of missed requests beside the simulator's:
`python -m benchmarks.capacity ../shared/traces`.

Twelve replicas (twelve of the role that is looked at, and plenty of the other) get Poisson arrivals at a constant rate,
with lengths drawn from the trace. The model knows the true step cost, so what is compared is the queueing alone.
Utilisation is r*S: the share of a replica's time that its requests' work takes, without the steps' fixed parts.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from controlplane.domain import catalog
from controlplane.domain.decision import Demand
from controlplane.domain.observation import LENGTH_LEVELS
from controlplane.domain.target import Role
from controlplane.planning.queues import Room
from controlplane.planning.roofline import kv_transfer_s
from controlplane.planning.tails import Mix, decode_misses, prefill_misses, whole_misses
from controlplane.simulation.league.oracle import SchedulePolicy, cheapest, usable, work_s
from controlplane.simulation.league.score import play
from controlplane.simulation.lifecycle import Workload
from controlplane.simulation.scenario import Scenario, load_scenario
from controlplane.simulation.traffic import Trace, read_trace

TRACES = ("azure2023_conv", "servegen_mmimage_24h", "mooncake_conversation")
UTILISATIONS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
REPLICAS = 12
AMPLE = 0.3
"""Utilisation of the role that is not looked at."""
WARM_UP_S = 300.0
LENGTH_S = 2700.0
COUNTED = (0.001, 0.3)
"""Shares that are compared: below, a play has too few misses; above, nobody plans."""
SEED = 3


@dataclass(frozen=True, slots=True)
class Cell:
    """Simulated and modelled share of missed requests at a utilisation."""

    trace: str
    scenario: str
    role: Role
    utilisation: float
    simulated: float
    modelled: float

    @property
    def log_ratio(self) -> float | None:
        """log(modelled / simulated) where both are worth comparing."""
        low, high = COUNTED
        if not low <= self.simulated <= high:
            return None
        return math.log(max(self.modelled, low / 10.0) / self.simulated)


def demand_of(trace: Trace) -> Demand:
    """The trace's mix of lengths, as the planner sees it; the rates do not matter."""
    isl, osl = trace.input_tokens.astype(float), trace.output_tokens.astype(float)
    cached = np.zeros_like(isl) if trace.cached_tokens is None else np.minimum(trace.cached_tokens, isl - 1.0)
    return Demand(
        requests_per_s=1.0,
        low_requests_per_s=1.0,
        backlog_rps=0.0,
        input_tokens=float(isl.mean()),
        output_tokens=float(osl.mean()),
        context_tokens_weighted=float((osl * (isl + osl / 2.0)).mean()),
        cached_share=float(cached.sum() / isl.sum()),
        source="benchmark",
        input_tokens_squared=float((isl**2).mean()),
        input_lengths=tuple(np.quantile(isl, LENGTH_LEVELS)),
        output_lengths=tuple(np.quantile(osl, LENGTH_LEVELS)),
    )


def constant(trace: Trace, rate: float) -> Trace:
    """Poisson arrivals at a rate (requests/s) with the trace's requests drawn at random."""
    random = np.random.default_rng(SEED)
    count = int(random.poisson(rate * LENGTH_S))
    rows = random.integers(0, len(trace), count)
    cached = None if trace.cached_tokens is None else trace.cached_tokens[rows]
    at_s = np.sort(random.random(count)) * LENGTH_S
    return Trace(at_s, trace.input_tokens[rows], trace.output_tokens[rows], cached)


def simulated(scenario: Scenario, trace: Trace, rate: float, fleet: dict[str, int]) -> float:
    """Share of the servable requests that miss their SLO on that fleet, by workload."""
    policy = SchedulePolicy("static", scenario, {key: np.array([n]) for key, n in fleet.items()})
    started = {w.key: fleet.get(w.key, 0) for w in scenario.workloads}
    return 1.0 - play(scenario, constant(trace, rate), policy, WARM_UP_S, started).attainment


def modelled(
    scenario: Scenario, workload: Workload, mix: Mix, demand: Demand, rate: float, replicas: int = REPLICAS
) -> float:
    """The same share by the capacity model, at `rate` requests/s a replica."""
    slo, limits = scenario.targets[0].policy.slo, workload.limits
    room = Room(float(limits.kv_blocks * limits.block_tokens), float(limits.max_num_seqs), replicas)
    match workload.variant.role:
        case Role.PREFILL:
            gpu = catalog.accelerator(workload.variant.accelerator)
            moved_s = kv_transfer_s(catalog.model(scenario.targets[0].model), demand.input_tokens, gpu, gpu)
            return prefill_misses(workload.cost, mix, rate, slo.ttft_s - moved_s, replicas)
        case Role.DECODE:
            return decode_misses(workload.cost, mix, rate, slo, room)
    return whole_misses(workload.cost, mix, rate, slo, room)


def cells(scenario: Scenario, trace: Trace, name: str, replicas: int, heard: Callable[[Cell], None]) -> None:
    """Every utilisation of every role that serves the trace, on so many replicas of it."""
    lead, demand = cheapest(scenario, trace), demand_of(trace)
    mix = Mix.of(demand)
    seconds = {w.key: float(work_s(w, trace).mean()) for w in lead}
    for workload in lead:
        for share in UTILISATIONS:
            if share >= usable(workload, scenario, trace):
                continue
            rate = share / seconds[workload.key]
            fleet = {
                w.key: replicas if w is workload else math.ceil(rate * replicas * seconds[w.key] / AMPLE) for w in lead
            }
            missed = simulated(scenario, trace, rate * replicas, fleet)
            heard(
                Cell(
                    trace=name,
                    scenario=scenario.name,
                    role=workload.variant.role,
                    utilisation=share,
                    simulated=missed,
                    modelled=modelled(scenario, workload, mix, demand, rate, replicas),
                )
            )


def table(found: list[Cell]) -> str:
    """A line for each trace, scenario and role; simulated / modelled in per cent."""
    head = " | ".join(f"{share:g}" for share in UTILISATIONS)
    lines = [f"| trace | scenario | role | {head} |", f"|---|---|---|{'---|' * len(UTILISATIONS)}"]
    for key in dict.fromkeys((c.trace, c.scenario, c.role) for c in found):
        own = {c.utilisation: c for c in found if (c.trace, c.scenario, c.role) == key}
        shares = [own.get(share) for share in UTILISATIONS]
        texts = ["-" if c is None else f"{c.simulated:.2%} / {c.modelled:.2%}" for c in shares]
        lines.append(f"| {' | '.join((*key, *texts))} |")
    return "\n".join(lines)


def summary(found: list[Cell]) -> str:
    """How far the model is off, over the cells that are counted."""
    ratios = np.array([c.log_ratio for c in found if c.log_ratio is not None])
    if not len(ratios):
        return "no cell with a share that is counted"
    off = np.exp(np.median(np.abs(ratios))), np.exp(np.abs(ratios).max())
    return (
        f"{len(ratios)} cells with a simulated share of {COUNTED[0]:.1%} to {COUNTED[1]:.0%}: off by a factor of "
        f"{off[0]:.2f} in the median, {off[1]:.2f} at worst, {np.exp(np.median(ratios)):.2f} of it one-sided"
    )


def main(folder: Path, scenarios: list[str], replicas: int) -> None:
    """Print the table, and how far the model is off."""
    found: list[Cell] = []
    for scenario in scenarios:
        for name in TRACES:
            cells(load_scenario(scenario), read_trace(folder / f"{name}.csv.gz"), name, replicas, found.append)
    print(table(found))
    print()
    for role in dict.fromkeys(c.role for c in found):
        print(f"{role}: {summary([c for c in found if c.role is role])}")
    print(f"all: {summary(found)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scenario", nargs="+", default=["league-8b", "league-70b", "league-70b-pd"])
    parser.add_argument("--replicas", type=int, default=REPLICAS)
    options = parser.parse_args()
    main(options.folder, options.scenario, options.replicas)
