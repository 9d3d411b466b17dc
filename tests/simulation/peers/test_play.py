"""Every peer, with its defaults and with all of its grid, plays a few minutes without an error and within its bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from controlplane.simulation.backtest import FleetView, Policy, play
from controlplane.simulation.peers import PEERS, peer_named
from controlplane.simulation.scenario import Scenario, load_scenario
from controlplane.simulation.traffic import Trace
from tests.simulation.peers.views import T0, FakeView, sample

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


def played(name: str, scenario: Scenario, trace: Trace) -> tuple[Watched, int]:
    """What a peer wanted, and how many requests were answered; all of them must be."""
    policy = peer_named(name, scenario)
    assert policy is not None
    watched = Watched(policy)
    result = play(scenario, trace, watched, lambda _: None, lambda: 0.0)
    assert result.policy == name
    assert result.finished == result.requests == len(trace)
    return watched, result.finished


def assert_within_bounds(watched: Watched, scenario: Scenario) -> None:
    for wanted in watched.wanted:
        for target in scenario.targets:
            for variant in target.variants:
                assert variant.min_replicas <= wanted[target.key][variant.name] <= variant.max_replicas


@pytest.mark.parametrize("name", PEERS)
def test_each_peer_plays_five_minutes(name: str) -> None:
    scenario = load_scenario("chat-8b")
    watched, _ = played(name, scenario, small_trace(6.0))
    assert_within_bounds(watched, scenario)


def split_scenario() -> Scenario:
    """The demo's 70B model alone: prefill and decode, each on two GPU types, one of which has no replica."""
    demo = load_scenario("demo")
    workloads = tuple(w for w in demo.workloads if w.target.name == "assistant")
    return replace(demo, targets=demo.targets[1:2], workloads=workloads, shapes={})


@pytest.mark.parametrize("name", PEERS)
def test_each_peer_plays_split_roles(name: str) -> None:
    scenario = split_scenario()
    watched, _ = played(name, scenario, small_trace(1.5))
    assert_within_bounds(watched, scenario)


@pytest.mark.parametrize("name", PEERS)
def test_every_setting_of_a_grid_makes_a_policy(name: str) -> None:
    scenario = load_scenario("chat-8b")
    for settings in (PEERS[name].defaults, *PEERS[name].grid):
        pages = [sample(f"h100-{i}", running=20.0, waiting=9.0, kv_usage=0.6) for i in range(2)]
        wanted = PEERS[name].policy(scenario, settings).step(FakeView(T0, {"h100": 2, "l40s": 1}, pages=pages))
        assert set(wanted["default/chat"]) == {"h100", "l40s"}


@pytest.mark.parametrize("name", ["hpa-concurrency", "kpa", "keda-slo", "ray-serve", "dynamo-load"])
def test_a_burst_is_followed_up_and_the_calm_after_it_down(name: str) -> None:
    """Five minutes at 30 requests/s, then twenty at one: more replicas than before, and later fewer."""
    random = np.random.default_rng(1)
    busy, calm = np.sort(random.random(9000)) * 300, 300 + np.sort(random.random(1200)) * 1200
    at_s = np.concatenate([busy, calm])
    trace = Trace(at_s, np.full(len(at_s), 900), np.full(len(at_s), 180))
    chat = load_scenario("chat-8b")
    h100 = replace(chat.workloads[0], initial_replicas=1)
    target = replace(h100.target, variants=(h100.variant,))
    scenario = replace(chat, targets=(target,), workloads=(replace(h100, target=target),))
    counts = [wanted["default/chat"]["h100"] for wanted in played(name, scenario, trace)[0].wanted]
    assert max(counts) > counts[0]
    assert counts[-1] < max(counts)
