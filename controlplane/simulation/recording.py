"""A scenario's generated day under the production brain, as the ticks that a controller would have recorded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from controlplane.domain.decision import Actuation, ActuationResult, Tick
from controlplane.planning.records import ticks_of
from controlplane.planning.self_fitting import SelfFittingStepper
from controlplane.planning.stepper import TargetView
from controlplane.simulation.backtest import START_S, apply
from controlplane.simulation.fleet import Fleet
from controlplane.simulation.scenario import Scenario

INTERVAL_S = 15.0


def recorded(scenario: Scenario, length_s: float, start_s: float = START_S) -> Iterator[list[Tick]]:
    """Group ticks from `start_s` (unix seconds) on, for `length_s`. What is decided is done at once."""
    stock_outs = scenario.stock_outs
    fleet = Fleet(
        scenario.workloads, scenario.generated(), scenario.inventory, start_s, scenario.seed, stock_outs=stock_outs
    )
    groups = {target.group for target in scenario.targets}
    steppers = {group: SelfFittingStepper(group) for group in sorted(groups)}
    while fleet.now_s < start_s + length_s:
        for place, (group, stepper) in enumerate(steppers.items()):
            targets = [target for target in scenario.targets if target.group == group]
            views = [TargetView(t, fleet.desired(t.key), fleet.replicas(t.key), fleet.samples(t.key)) for t in targets]
            step = stepper.step(fleet.now_s, views, fleet.inventory())
            ticks = [_done(tick) for tick in ticks_of(group, step, f"{round(fleet.now_s * 1000.0):012x}{place:020x}")]
            apply(fleet, scenario, {tick.inputs.target.key: tick.decision.desired for tick in ticks})
            yield ticks
        fleet.advance(fleet.now_s + INTERVAL_S)


def _done(tick: Tick) -> Tick:
    before, after = tick.decision.current, tick.decision.desired
    changed = {name: replicas for name, replicas in after.items() if before.get(name, replicas) != replicas}
    done = (Actuation(name, before[name], replicas, ActuationResult.APPLIED) for name, replicas in changed.items())
    return replace(tick, actuations=tuple(done))
