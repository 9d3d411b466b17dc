"""What is played: a trace's window, scaled to a fleet worth scaling, on a scenario with one cold start."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from controlplane.simulation.league.oracle import cheapest, replicas_of_work
from controlplane.simulation.lifecycle import ColdStartStages
from controlplane.simulation.scenario import Scenario, load_scenario
from controlplane.simulation.traffic import COPIES_WITHIN_S, Trace, read_trace

MEAN_REPLICAS = 12.0
"""Of the fluid fleet: a case's rate is scaled to it. With ten replicas and more a whole one is a small step."""
WARM_UP_S = 900.0
"""Not scored: learning what a replica carries, and a fleet of one's own."""
QUICK_REQUESTS = 400_000
STRIDE_S = 300.0
"""Windows begin on multiples of this."""


@dataclass(frozen=True, slots=True)
class Case:
    """One cell of the league's grid. `requests` bounds the window; None plays the whole trace. `copies_within_s`: see
    `Trace`."""

    trace: Path
    scenario: str
    cold_start_s: float
    requests: int | None = QUICK_REQUESTS
    mean_replicas: float = MEAN_REPLICAS
    copies_within_s: float = COPIES_WITHIN_S

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
    trace = replace(read_trace(case.trace), copies_within_s=case.copies_within_s)
    lead = cheapest(scenario, trace)
    fluid = sum(float(replicas_of_work(w, trace, scenario).mean()) for w in lead)
    rate = min(1000.0, case.mean_replicas / fluid)
    return scenario, trace.scaled(rate) if case.requests is None else _window(trace, rate, case.requests)


def _window(trace: Trace, rate: float, requests: int) -> Trace:
    """The scaled trace, or so much of it that it has that many requests in the mean, where it differs most."""
    ends_s, counts = zip(*((float(at_s.max(initial=0.0)), len(at_s)) for at_s, _ in trace.copies(rate)), strict=True)
    if sum(counts) <= requests:
        return trace.scaled(rate)
    duration_s = max(ends_s) + 1e-6
    length_s = duration_s * requests / sum(counts)
    edges = _edges(duration_s)
    rates = sum((np.histogram(at_s, edges)[0] for at_s, _ in trace.copies(rate)), np.zeros(len(edges) - 1))
    first = _liveliest(rates, length_s)
    return trace.scaled(rate) if first is None else trace.scaled_window(rate, float(edges[first]), length_s)


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
    edges = _edges(trace.duration_s)
    first = _liveliest(np.histogram(trace.at_s, edges)[0], length_s)
    return trace if first is None else trace.window(float(edges[first]), length_s)


def _edges(duration_s: float) -> np.ndarray:
    """Of the five minutes that a trace touches."""
    starts = np.arange(0.0, duration_s, STRIDE_S)
    return np.append(starts, starts[-1] + STRIDE_S)


def _liveliest(counts: np.ndarray, length_s: float) -> int | None:
    """The five minutes with which the liveliest window begins; None where it is the whole."""
    bins = max(2, int(length_s / STRIDE_S))
    if bins >= len(counts):
        return None
    windows = np.lib.stride_tricks.sliding_window_view(counts[:-1], bins)
    return int(np.argmax(windows.max(axis=1) - windows.min(axis=1)))
