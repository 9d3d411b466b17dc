"""Policies that a backtest can play: a constant fleet, and Tidegate itself."""

from __future__ import annotations

from collections.abc import Mapping

from controlplane.simulation.backtest import FleetView
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
