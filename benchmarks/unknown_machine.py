"""A fleet of H100s beside an A100 that nobody has seen serve, and what finding out costs and earns:

    python -m benchmarks.unknown_machine ../shared/traces/azure2023_conv.csv.gz

The A100 is offered at a price at which it does the work for about as much as the H100, were both as their datasheets
say. Each row is another truth: what their steps take, over what they are told to. Played from H100s alone, with trials
of what may be cheaper and without, and by each machine alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

import controlplane.planning.trials as trials
from benchmarks.ablations import changed
from controlplane.domain import catalog
from controlplane.domain.target import Target
from controlplane.planning.roofline import prior
from controlplane.simulation.league.cases import QUICK_REQUESTS, WARM_UP_S, Case, prepared
from controlplane.simulation.league.oracle import first_replicas
from controlplane.simulation.league.score import Score, play
from controlplane.simulation.policies import TidegatePolicy
from controlplane.simulation.scenario import Scenario, Workload
from controlplane.simulation.traffic import Trace

A100_USD = 1.7
TRUTHS = ((1.3, 0.75), (1.15, 0.85), (1.0, 1.0), (1.0, 1.15), (0.85, 1.3))
"""Of the H100 and of the A100."""


def main() -> None:
    """Play every truth on every trace."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("traces", nargs="+", type=Path)
    parser.add_argument("--cold-start", type=float, default=180.0)
    parser.add_argument("--requests", type=int, default=QUICK_REQUESTS, help="of the window, in the mean")
    options = parser.parse_args()
    console = Console(width=140)
    for path in options.traces:
        table = Table("H100", "A100", "TRIALS", "NONE", "H100 ALONE", "A100 ALONE", title=path.name.split(".")[0])
        case = Case(path, "league-8b-mixed", options.cold_start, options.requests)
        for truth in TRUTHS:
            table.add_row(*(f"{share:.2f}" for share in truth), *_row(case, truth))
        console.print(table)


def _row(case: Case, truth: tuple[float, float]) -> list[str]:
    scenario, trace = prepared(case)
    both = _offered(scenario, dict(zip(("h100", "a100"), truth, strict=True)))
    found = [_played(both, trace)]
    with changed(((trials, "WORTH", 0.0),)):
        found.append(_played(both, trace))
    found += [
        _played(_offered(scenario, {name: share}), trace) for name, share in zip(("h100", "a100"), truth, strict=True)
    ]
    return [f"{score.attainment:.2%} ${score.cost_usd:.1f}" for score in found]


def _played(scenario: Scenario, trace: Trace) -> Score:
    """From the first workload alone, as many as carry the first minutes."""
    alone = _only(scenario, scenario.workloads[:1])
    first = {w.key: 0 for w in scenario.workloads} | first_replicas(alone, trace)
    return play(scenario, trace, TidegatePolicy(scenario), min(WARM_UP_S, 0.25 * trace.duration_s), first)


def _offered(scenario: Scenario, truths: dict[str, float]) -> Scenario:
    """The scenario with these variants alone, at these shares of the prior's times."""
    made = []
    for name, share in truths.items():
        workload = next(w for w in scenario.workloads if w.variant.name == name)
        variant = workload.variant if name == "h100" else replace(workload.variant, usd_per_replica_hour=A100_USD)
        told = prior(catalog.model(workload.target.model), catalog.accelerator(variant.accelerator), 1)
        made.append(replace(workload, variant=variant, cost=told.times(share, share, share, share)))
    return _only(scenario, made)


def _only(scenario: Scenario, workloads: Sequence[Workload]) -> Scenario:
    target: Target = replace(scenario.targets[0], variants=tuple(w.variant for w in workloads))
    return replace(scenario, targets=(target,), workloads=tuple(replace(w, target=target) for w in workloads))


if __name__ == "__main__":
    main()
