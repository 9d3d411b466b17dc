"""What is played: a trace's window, scaled to a fleet worth scaling, on a scenario with one cold start."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from controlplane.simulation.league.oracle import cheapest, replicas_of_work
from controlplane.simulation.lifecycle import ColdStartStages
from controlplane.simulation.scenario import Scenario, load_scenario
from controlplane.simulation.traffic import Trace, read_trace

MEAN_REPLICAS = 12.0
"""Of the fluid fleet: a case's rate is scaled to it. With ten replicas and more a whole one is a small step."""
WARM_UP_S = 900.0
"""Not scored: learning what a replica carries, and a fleet of one's own."""
QUICK_REQUESTS = 400_000
STRIDE_S = 300.0
"""Windows begin on multiples of this."""


@dataclass(frozen=True, slots=True)
class Case:
    """One cell of the league's grid. `requests` bounds the window; None plays the whole trace."""

    trace: Path
    scenario: str
    cold_start_s: float
    requests: int | None = QUICK_REQUESTS
    mean_replicas: float = MEAN_REPLICAS

    @property
    def name(self) -> str:
        """Trace, scenario and cold start in words."""
        return f"{trace_name(self.trace)} · {self.scenario_name} · {self.cold_start_s:g} s"

    @property
    def scenario_name(self) -> str:
        """The scenario without the folders of a file."""
        return Path(self.scenario).stem


def trace_name(path: Path) -> str:
    """A trace's file without its endings."""
    return path.name.split(".")[0]


def prepared(case: Case) -> tuple[Scenario, Trace]:
    """The case's scenario and its window, rate-scaled.

    Raises:
        TraceError, ScenarioError: if either cannot be read.
    """
    scenario = with_cold_start(load_scenario(case.scenario), case.cold_start_s)
    trace = read_trace(case.trace)
    lead = cheapest(scenario, trace)
    fluid = sum(float(replicas_of_work(w, trace, scenario).mean()) for w in lead)
    scaled = trace.scaled(min(1000.0, case.mean_replicas / fluid))
    if case.requests is None or len(scaled) <= case.requests:
        return scenario, scaled
    return scenario, liveliest(scaled, scaled.duration_s * case.requests / len(scaled))


def with_cold_start(scenario: Scenario, seconds: float) -> Scenario:
    """The scenario with every cold start of that mean length, its stages in proportion."""

    def stretched(stages: ColdStartStages) -> ColdStartStages:
        factor = seconds / (stages.node_s + stages.image_s + stages.load_s + stages.warm_up_s)
        node_s, image_s, load_s, warm_up_s = (
            factor * s for s in (stages.node_s, stages.image_s, stages.load_s, stages.warm_up_s)
        )
        return ColdStartStages(node_s, image_s, load_s, warm_up_s, stages.jitter)

    return replace(
        scenario, workloads=tuple(replace(w, cold_start=stretched(w.cold_start)) for w in scenario.workloads)
    )


def liveliest(trace: Trace, length_s: float) -> Trace:
    """The window of that length whose five-minute rates differ most: a flat one would judge nobody."""
    edges = np.arange(0.0, trace.duration_s, STRIDE_S)
    rates = np.histogram(trace.at_s, np.append(edges, edges[-1] + STRIDE_S))[0] / STRIDE_S
    bins = max(2, int(length_s / STRIDE_S))
    if bins >= len(rates):
        return trace
    windows = np.lib.stride_tricks.sliding_window_view(rates[:-1], bins)
    first = int(np.argmax(windows.max(axis=1) - windows.min(axis=1)))
    return trace.window(float(edges[first]), length_s)
