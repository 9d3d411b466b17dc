"""The stepper for third parties: the same answers as the production brain, from text alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest
import yaml

from controlplane.domain.decision import Verdict
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
    run = Run(load_scenario(name), tripling(40 if name == "league-8b" else 50)).play(compare=True)
    assert [a.desired for a in run.answers] == run.expected
    third = len(run.wanted) // 3
    before, peak = run.wanted[third - 1], max(run.wanted[third : 2 * third + 4])
    assert peak >= 1.5 * before
    assert min(run.wanted[2 * third :]) < peak


def less(*families: str) -> Callable[[str], str]:
    """Pages without those families."""

    def cut(page: str) -> str:
        lines = page.split("\n")
        return "\n".join(line for line in lines if not line.startswith(tuple(f"vllm:{name}" for name in families)))

    return cut


def keep(*families: str) -> Callable[[str], str]:
    """Pages with those families alone, without TYPE lines."""

    def cut(page: str) -> str:
        return "\n".join(line for line in page.split("\n") if line.startswith(tuple(f"vllm:{n}" for n in families)))

    return cut


LENGTHS = ("request_prompt_tokens", "request_generation_tokens")
COUNTERS = ("prompt_tokens_total", "generation_tokens_total", "request_success")
GAUGES = ("num_requests_running", "num_requests_waiting")


@pytest.fixture(scope="module")
def whole() -> Run:
    return league().play()


def league(**changes: object) -> Run:
    options = {"initial": {"default/chat-h100": 3}, **changes}
    return Run(load_scenario("league-8b"), tripling(16, 20.0), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "cripple",
    [
        *(pytest.param(less(name), id=f"without {name}") for name in (*COUNTERS, *LENGTHS, "num_requests_running")),
        *(pytest.param(less(n), id=f"without {n}") for n in ("time_to_first", "inter_token", "iteration_tokens")),
        pytest.param(less(*LENGTHS, "request_success"), id="without lengths and finished"),
        pytest.param(less(*COUNTERS), id="without counters"),
        pytest.param(keep(*GAUGES, *COUNTERS), id="five lines"),
        pytest.param(
            lambda page: page.replace("kv_cache_usage", "gpu_cache_usage").replace(
                "inter_token_latency", "time_per_output_token"
            ),
            id="old names",
        ),
    ],
)
def test_a_page_that_lacks_a_family_scales_nearly_as_a_whole_one(whole: Run, cripple: Callable[[str], str]) -> None:
    run = league(cripple=cripple).play()
    load = run.answers[20].targets[0].inputs.observation.load
    assert load is not None
    assert load.requests_per_s == pytest.approx(20.0, rel=0.2)
    assert (load.input_tokens, load.output_tokens) == (pytest.approx(915, rel=0.1), pytest.approx(170, rel=0.1))
    assert sum(run.wanted) == pytest.approx(sum(whole.wanted), rel=0.15)
    assert run.attainment >= whole.attainment - 0.05


def test_gauges_alone_do_not_tell_the_load() -> None:
    run = league(cripple=keep(*GAUGES, "kv_cache_usage_perc")).play()
    assert {a.verdict for a in run.answers} == {Verdict.ABSTAIN}
    assert set(run.wanted) == {3}


@pytest.mark.parametrize("interval_s", [4.0, 10.0, 30.0, 60.0])
def test_the_distance_of_steps_changes_little(whole: Run, interval_s: float) -> None:
    run = league(interval_s=interval_s).play()
    assert sum(run.wanted) * interval_s == pytest.approx(sum(whole.wanted) * 15.0, rel=0.2)
    sure, usual = (r.answers[-1].targets[0].inputs.memory.calibrations["h100"] for r in (run, whole))
    assert sum(sure.covariance[::5]) == pytest.approx(sum(usual.covariance[::5]), rel=0.25)
    assert sure.weight <= 16 * 60.0


@pytest.mark.parametrize("times", [True, False])
def test_a_clock_from_nought_changes_nothing(whole: Run, times: bool) -> None:
    run = league(shift_s=START_S, times=times).play()
    if times:
        assert run.wanted == whole.wanted
    assert sum(run.wanted) == pytest.approx(sum(whole.wanted), rel=0.1)
    started = run.answers[-1].targets[0].inputs.cold_starts["h100"]
    assert started.samples >= 3
    assert started.p50_s == pytest.approx(175.0, abs=15.0)


def test_it_starts_from_nothing() -> None:
    run = league(initial={"default/chat-h100": 0}, shift_s=START_S, times=False).play()
    assert run.wanted[0] == 1
    assert "wake" in [r.rule for r in run.answers[0].trail if r.effect == "limit"]
    assert max(run.wanted) >= 6


@pytest.mark.parametrize("name", ["league-70b-pd", "league-8b-mixed"])
def test_roles_and_accelerators_of_every_kind_are_scaled(name: str) -> None:
    run = Run(load_scenario(name), tripling(16, 15.0)).play()
    first, most = run.answers[0].desired, max(run.answers, key=lambda a: sum(a.desired.values())).desired
    assert sum(most.values()) >= sum(first.values()) + 3
    assert all(any(count for count in answer.desired.values()) for answer in run.answers)
    if name.endswith("pd"):
        assert all(most[role] > first[role] for role in first)
