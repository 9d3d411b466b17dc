"""Every peer, with its defaults and with all of its grid, plays a few minutes without an error and within its bounds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from controlplane.simulation.backtest import FleetView, Policy, play
from controlplane.simulation.peers import PEERS, peer_named
from controlplane.simulation.scenario import load_scenario
from controlplane.simulation.traffic import Trace

MINUTES = 5


def small_trace(rps: float, minutes: float = MINUTES) -> Trace:
    """Poisson arrivals of `rps` on average that rise to twice that; 800 tokens in, 150 out."""
    random = np.random.default_rng(5)
    count = int(rps * minutes * 60)
    at_s = np.sort(np.sqrt(random.random(count))) * minutes * 60
    return Trace(at_s, random.poisson(800, count) + 1, random.poisson(150, count) + 1)


class Watched:
    """A policy whose wishes are kept."""

    def __init__(self, policy: Policy) -> None:
        self.name, self.interval_s = policy.name, policy.interval_s
        self._policy = policy
        self.wanted: list[Mapping[str, Mapping[str, int]]] = []

    def step(self, view: FleetView) -> Mapping[str, Mapping[str, int]]:
        self.wanted.append(self._policy.step(view))
        return self.wanted[-1]


@pytest.mark.parametrize("name", PEERS)
def test_each_peer_plays_five_minutes(name: str) -> None:
    scenario = load_scenario("chat-8b")
    policy = peer_named(name, scenario)
    assert policy is not None
    watched = Watched(policy)
    result = play(scenario, small_trace(6.0), watched, lambda _: None, lambda: 0.0)
    assert result.policy == name
    assert result.finished == result.requests > 1000
    for wanted in watched.wanted:
        for variant in scenario.targets[0].variants:
            assert variant.min_replicas <= wanted["default/chat"][variant.name] <= variant.max_replicas
