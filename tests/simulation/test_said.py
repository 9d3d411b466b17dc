"""A recording with a pin in its middle, played again: the pin holds in every play from when it was heard to its end,
and the simulated live policy stays beside what really happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from controlplane.adapters.clock import monotonic_s
from controlplane.domain.decision import Tick
from controlplane.domain.target import Freeze, FreezeDirection, Origin, Override, OverrideKind, Target
from controlplane.planning.self_fitting import SelfFittingStepper
from controlplane.planning.stepper import Step, TargetView
from controlplane.simulation.backtest import START_S, FleetView, play
from controlplane.simulation.comparison import Comparison, Run
from controlplane.simulation.replay_window import VERSION, Replayed, replay_window
from controlplane.simulation.said import Obeying, Said
from controlplane.simulation.scenario import load_scenario
from controlplane.simulation.traffic import read_trace
from tests.ledger_builders import NOW_S, make_target, make_tick

TRACE = Path(__file__).resolve().parents[2] / ".." / "shared" / "traces" / "azure2023_conv.csv.gz"
LENGTH_S, PINNED_S = 2400.0, (900.0, 1500.0)
PIN = Override(OverrideKind.PIN, 6, "h100", START_S + PINNED_S[1], "ada", "test", Origin.API, "pin-1", START_S)
SPEC = {
    "model": "llama-3.1-8b",
    "slo": {"ttftSeconds": 2.0, "tpotSeconds": 0.1},
    "variants": [
        {
            "name": name,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"chat-{name}"},
            "accelerator": accelerator,
            "minReplicas": 0,
            "maxReplicas": 16,
        }
        for name, accelerator in (("h100", "H100"), ("l40s", "L40S"))
    ],
}


class Recorder:
    """The production stepper on a fleet, with every step kept as the controller keeps it."""

    name, interval_s = "recorder", 15.0

    def __init__(self, target: Target) -> None:
        self._target, self._stepper = target, SelfFittingStepper(target.group)
        self.ticks: list[Tick] = []

    def step(self, view: FleetView) -> Mapping[str, Mapping[str, int]]:
        heard = PINNED_S[0] <= view.now_s - START_S < PINNED_S[1]
        policy = replace(self._target.policy, overrides=(PIN,) if heard else ())
        target = replace(self._target, policy=policy)
        seen = TargetView(target, view.desired(target.key), view.replicas(target.key), view.samples(target.key))
        step = self._stepper.step(view.now_s, [seen], view.inventory())
        self.ticks.append(_tick(step))
        return {target.key: step.outcome.decisions[0].desired}


def _tick(step: Step) -> Tick:
    return Tick(
        id=uuid4().hex,
        group_tick_id=uuid4().hex,
        group=step.inputs.group,
        at_s=step.inputs.now_s,
        planner_version=step.outcome.planner_version,
        inputs=step.inputs.targets[0],
        inventory=step.inputs.inventory,
        spool_writable=True,
        plan=step.outcome.plans[0],
        decision=step.outcome.decisions[0],
        validation=None,
        actuations=(),
    )


@pytest.fixture(scope="module")
def recorded() -> list[Tick]:
    """Forty minutes of a real trace, as they happened to a fleet that Tidegate scaled."""
    if not TRACE.exists():
        pytest.skip(f"{TRACE} is not here")
    scenario = load_scenario("chat-8b")
    recorder = Recorder(scenario.targets[0])
    trace = read_trace(TRACE).scaled_window(2.0, 600.0, LENGTH_S)
    play(scenario, trace, recorder, lambda _: None, monotonic_s)
    return [tick for tick in recorder.ticks if tick.at_s < START_S + LENGTH_S]


@pytest.fixture(scope="module")
def compared(recorded: list[Tick]) -> Comparison:
    """Another version's play beside the live policy's."""
    return _replayed(recorded, VERSION)


def _replayed(recorded: list[Tick], policy: str) -> Comparison:
    spec = SPEC if policy == VERSION else None
    return replay_window(recorded, Replayed(policy, START_S, START_S + LENGTH_S, spec=spec), lambda _: None)


def _h100(run: Run, from_s: float, until_s: float) -> set[int]:
    placed = zip(run.timeline.at_s, run.timeline.replicas["h100"], strict=True)
    return {count for at_s, count in placed if from_s <= at_s - START_S < until_s}


def test_the_simulated_live_policy_is_beside_what_really_happened(compared: Comparison) -> None:
    error = compared.error
    assert error.requests == pytest.approx(0.0, abs=0.03)
    assert error.attainment == pytest.approx(0.0, abs=0.02)
    # Forty minutes, of which the play needs the first to learn what the recorded one knew.
    assert error.gpu_hours == pytest.approx(0.0, abs=0.2)
    assert error.cost == pytest.approx(0.0, abs=0.2)


def test_a_pin_holds_in_both_plays_while_it_was_heard_and_in_none_after(compared: Comparison) -> None:
    for run in compared.runs:
        assert _h100(run, PINNED_S[0] + 15, PINNED_S[1]) == {6}, run.policy
        assert 6 not in _h100(run, 0, PINNED_S[0]), run.policy
        assert min(_h100(run, PINNED_S[1] + 300, LENGTH_S)) < 6, run.policy


def test_a_peer_is_overruled_as_tidegate_was(recorded: list[Tick]) -> None:
    peer, _ = _replayed(recorded, "static:2").runs
    assert _h100(peer, 0, PINNED_S[0]) == {2}
    assert _h100(peer, PINNED_S[0] + 15, PINNED_S[1]) == {6}
    assert _h100(peer, PINNED_S[1] + 15, LENGTH_S) == {2}


def _said(at_s: float, *overrides: Override, freezes: tuple[Freeze, ...] = ()) -> Tick:
    target = make_target()
    policy = replace(target.policy, overrides=overrides, freezes=freezes)
    return make_tick(f"t{at_s}", at_s, target=replace(target, policy=policy))


def test_what_a_resource_says_stays_and_what_was_said_comes_and_goes() -> None:
    own = Override(OverrideKind.FLOOR, 2, None, None, "git", "night")
    said = Said.of(
        [_said(NOW_S, own), _said(NOW_S + 60, own, PIN), _said(NOW_S + 120, own, PIN), _said(NOW_S + 180, own)]
    )
    assert said.at_s == (NOW_S + 60, NOW_S + 180)
    last = _said(NOW_S + 240, own, PIN).inputs.target
    for at_s, heard in ((0, [own]), (60, [own, PIN]), (179, [own, PIN]), (180, [own]), (9999, [own])):
        assert list(said.over(last, NOW_S + at_s).policy.overrides) == heard


class _Wants:
    """A peer that wants so many, on a fleet of other sizes; both in one."""

    name, interval_s, now_s = "wants", 15.0, NOW_S + 1

    def __init__(self, current: dict[str, int], wanted: dict[str, int]) -> None:
        self._current, self._wanted = current, wanted

    def step(self, view: FleetView) -> Mapping[str, Mapping[str, int]]:
        return {"default/chat": self._wanted}

    def desired(self, target: str) -> Mapping[str, int]:
        return self._current


@pytest.mark.parametrize(
    ("direction", "after"),
    [(FreezeDirection.BOTH, {"h100": 3, "l40s": 3}), (FreezeDirection.DOWN, {"h100": 5, "l40s": 3})],
)
def test_a_freeze_holds_a_peer_too(direction: FreezeDirection, after: dict[str, int]) -> None:
    freeze = Freeze(direction, NOW_S, NOW_S + 600, "ada", "launch", "freeze-1")
    peer = _Wants({"h100": 3, "l40s": 3}, {"h100": 5, "l40s": 1})
    obeying = Obeying(peer, make_target(), Said.of([_said(NOW_S, freezes=(freeze,))]))
    assert obeying.step(peer)["default/chat"] == after  # type: ignore[arg-type]
