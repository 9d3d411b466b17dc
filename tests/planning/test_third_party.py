"""The stepper for third parties: the same answers as the production brain, from text alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest
import yaml

from controlplane.domain.observation import Replica, ReplicaPhase
from controlplane.planning.third_party import Answer, ReplicaState, Stepper
from controlplane.simulation.backtest import START_S, apply
from controlplane.simulation.fleet import Fleet
from controlplane.simulation.policies import TidegatePolicy
from controlplane.simulation.scenario import Scenario, load_scenario
from controlplane.simulation.traffic import Trace


def tripling(minutes: int = 20, base_rps: float = 6.0) -> Trace:
    """Poisson requests whose rate triples for the middle third."""
    random = np.random.default_rng(3)
    length_s = minutes * 60.0
    at_s = np.sort(random.uniform(0.0, length_s, random.poisson(3.0 * base_rps * length_s)))
    middle = (at_s >= length_s / 3) & (at_s < 2 * length_s / 3)
    kept = at_s[middle | (random.uniform(size=len(at_s)) < 1 / 3)]
    inputs = random.lognormal(6.5, 0.8, len(kept)).astype(int) + 1
    outputs = random.lognormal(4.9, 0.7, len(kept)).astype(int) + 1
    return Trace(kept, np.minimum(inputs, 16_000), np.minimum(outputs, 2_000))


STATES = {
    ReplicaPhase.READY: "ready",
    ReplicaPhase.PENDING: "Starting",
    ReplicaPhase.TERMINATING: "DRAINING",
    ReplicaPhase.FAILED: "CrashLoopBackOff",
}


def told(replica: Replica, shift_s: float = 0.0, times: bool = True) -> ReplicaState:
    created_s = replica.created_at_s - shift_s if times else None
    ready_s = replica.ready_at_s - shift_s if times and replica.ready_at_s is not None else None
    return ReplicaState(replica.name, replica.variant, STATES[replica.phase], created_s, ready_s)


@dataclass
class Run:
    """A trace through the simulated fleet under a stepper that is fed with text."""

    scenario: Scenario
    trace: Trace
    interval_s: float = 15.0
    cripple: Callable[[str], str] = str
    shift_s: float = 0.0
    times: bool = True
    initial: Mapping[str, int] | None = None
    answers: list[Answer] = field(default_factory=list)
    wanted: list[int] = field(default_factory=list)
    expected: list[Mapping[str, int]] = field(default_factory=list)
    attainment: float = 0.0

    def play(self, compare: bool = False) -> Run:
        fleet = Fleet(
            self.scenario.workloads,
            self.scenario.played(self.trace, START_S),
            self.scenario.inventory,
            START_S,
            self.scenario.seed,
            self.initial,
        )
        stepper = Stepper.from_yaml(yaml.safe_dump_all(self.scenario.manifests))
        peer = TidegatePolicy(self.scenario)
        key = self.scenario.targets[0].key
        while fleet.now_s < START_S + self.trace.duration_s:
            if compare:
                self.expected.append(dict(peer.step(fleet)[key]))
            replicas = fleet.replicas(key)
            pages = {
                r.name: self.cripple(fleet.metrics_page(r.name).decode())
                for r in replicas
                if r.phase is ReplicaPhase.READY
            }
            answer = stepper.step(
                fleet.now_s - self.shift_s,
                [told(r, self.shift_s, self.times) for r in replicas],
                pages,
                inventory=fleet.inventory().gpus,
            )
            self.answers.append(answer)
            self.wanted.append(sum(answer.desired.values()))
            apply(fleet, self.scenario, {key: answer.desired})
            fleet.advance(fleet.now_s + self.interval_s)
        meter = fleet.request_meter(key)
        self.attainment = meter.met / meter.arrived
        return self


@pytest.mark.parametrize("name", ["chat-8b", "league-8b"])
def test_it_answers_as_the_production_brain_does_and_follows_the_load(name: str) -> None:
    run = Run(load_scenario(name), tripling(40 if name == "league-8b" else 20)).play(compare=True)
    assert [a.desired for a in run.answers] == run.expected
    third = len(run.wanted) // 3
    before, peak = run.wanted[third - 1], max(run.wanted[third : 2 * third + 4])
    assert peak >= 1.5 * before
    assert min(run.wanted[2 * third :]) < peak
