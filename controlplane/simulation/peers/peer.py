"""What a peer is: a way to make its policy, its documented settings, and others to search for its best."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from controlplane.simulation.backtest import Policy
from controlplane.simulation.scenario import Scenario

S = TypeVar("S")


@dataclass(frozen=True)
class Peer(Generic[S]):
    """An autoscaler to be measured against. `grid` holds the defaults' alternatives, so that none is strangled."""

    name: str
    make: Callable[[Scenario, S], Policy]
    defaults: S
    grid: tuple[S, ...]

    def policy(self, scenario: Scenario, settings: S | None = None) -> Policy:
        """Its policy for a scenario, by default with the documented settings.

        Raises:
            TypeError: if the settings are another peer's.
        """
        chosen = self.defaults if settings is None else settings
        if type(chosen) is not type(self.defaults):
            raise TypeError(
                f"settings of {self.name} is a {type(chosen).__name__}; allowed: {type(self.defaults).__name__}"
            )
        return self.make(scenario, chosen)
