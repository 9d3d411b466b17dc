"""Policies that a backtest can play: a constant fleet, Tidegate itself, and its peers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from controlplane.domain.decision import ColdStart
from controlplane.domain.target import Target
from controlplane.planning.self_fitting import SelfFittingStepper
from controlplane.planning.stepper import TargetView
from controlplane.simulation.backtest import FleetView, Policy
from controlplane.simulation.peers import PEERS, peer_named
from controlplane.simulation.peers_dynamo import DynamoCodePolicy
from controlplane.simulation.scenario import Scenario, ScenarioError


class StaticPolicy:
    """So many replicas of the first variant of each role, always; none of the others."""

    interval_s = 15.0

    def __init__(self, scenario: Scenario, replicas: int) -> None:
        self.name = f"static:{replicas}"
        self._wanted: dict[str, dict[str, int]] = {}
        for target in scenario.targets:
            seen = set()
            wanted = self._wanted[target.key] = {}
            for variant in target.variants:
                wanted[variant.name] = 0 if variant.role in seen else replicas
                seen.add(variant.role)

    def step(self, view: FleetView) -> Mapping[str, Mapping[str, int]]:  # noqa: ARG002 (a constant looks at nothing)
        """See `Policy`."""
        return self._wanted


def static_replicas(name: str) -> int | None:
    """N of `static:N`; None for another policy's name.

    Raises:
        ScenarioError: if N is not a whole number of at least 1.
    """
    kind, _, number = name.partition(":")
    if kind != "static":
        return None
    if not number.isdigit() or int(number) < 1:
        raise ScenarioError(f"policy is {name!r}; allowed: static:N with N of at least 1")
    return int(number)


def _nobody(target: Target, _: float) -> Target:
    return target


class TidegatePolicy:
    """The production brain: the same stepper, and so the same planning code, that the controller drives.

    `people` puts what people say at a time over a target; `cold_starts` are those that were measured before, by target
    and variant.
    """

    name = "tidegate"
    interval_s = 15.0

    def __init__(
        self,
        scenario: Scenario,
        people: Callable[[Target, float], Target] = _nobody,
        cold_starts: Mapping[str, Mapping[str, ColdStart]] | None = None,
    ) -> None:
        self._targets, self._people = scenario.targets, people
        self._steppers = {target.group: SelfFittingStepper(target.group, cold_starts) for target in scenario.targets}

    def step(self, view: FleetView) -> Mapping[str, Mapping[str, int]]:
        """See `Policy`."""
        wanted: dict[str, Mapping[str, int]] = {}
        for group, stepper in self._steppers.items():
            mine = [self._people(target, view.now_s) for target in self._targets if target.group == group]
            views = [_view(view, target) for target in mine]
            outcome = stepper.step(view.now_s, views, view.inventory()).outcome
            wanted.update((decision.target, decision.desired) for decision in outcome.decisions)
        return wanted


def _view(view: FleetView, target: Target) -> TargetView:
    return TargetView(target, view.desired(target.key), view.replicas(target.key), view.samples(target.key))


def policy_named(name: str, scenario: Scenario) -> Policy:
    """The policy of that name for a scenario.

    Raises:
        ScenarioError: naming the policies that there are.
    """
    if name == TidegatePolicy.name:
        return TidegatePolicy(scenario)
    if name == DynamoCodePolicy.name:
        return DynamoCodePolicy(scenario)
    peer = peer_named(name, scenario)
    if peer is not None:
        return peer
    replicas = static_replicas(name)
    if replicas is None:
        allowed = ", ".join(("tidegate", "static:N", *PEERS, DynamoCodePolicy.name))
        raise ScenarioError(f"policy is {name!r}; allowed: {allowed}")
    return StaticPolicy(scenario, replicas)
