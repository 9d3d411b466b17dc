"""Two zones through the stepper: a load that ripples moves no replica from one to the other."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from controlplane.simulation.scenario import Scenario, parse_scenario
from controlplane.simulation.traffic import Trace
from tests.planning.test_third_party import Run

ZONE = """
    - name: {zone}
      scaleTargetRef: {{name: chat-{zone}}}
      role: Both
      accelerator: H100
      failureDomain: zone-{zone}
      pricePerReplicaHour: {usd}
      minReplicas: 0
      maxReplicas: 40"""
SCENARIO = """
name: zones
seed: 7
coefficientError: 0.3
inventory: {{H100: 80}}
autoscalers:
- apiVersion: tidegate.io/v1alpha1
  kind: InferenceAutoscaler
  metadata: {{name: chat, namespace: default}}
  spec:
    model: llama-3.1-8b
    mode: Live
    slo: {{ttftSeconds: 2.0, tpotSeconds: 0.1, attainment: 0.99}}
    capacity: {{maxDomainShare: 0.5}}
    variants:{zones}
workloads:
  default/chat-a: {{initialReplicas: 5}}
  default/chat-b: {{initialReplicas: 5}}
"""


SETTLED_TICKS = 66
"""Sixteen minutes and a half: a quarter of an hour of acquaintance, since no start was seen, and what the fleet takes
to shrink."""


def two_zones(other_usd: float) -> Scenario:
    zones = "".join(ZONE.format(zone=zone, usd=usd) for zone, usd in (("a", 3.4), ("b", other_usd)))
    return parse_scenario(SCENARIO.format(zones=zones), "two zones")


def rippling(minutes: int = 25, base_rps: float = 80.0) -> Trace:
    """Poisson requests whose rate goes up and down by 8 % every seven minutes."""
    random = np.random.default_rng(5)
    length_s = minutes * 60.0
    at_s = np.sort(random.uniform(0.0, length_s, random.poisson(1.1 * base_rps * length_s)))
    kept = at_s[random.uniform(size=len(at_s)) < (1.0 + 0.08 * np.sin(2 * np.pi * at_s / 400.0)) / 1.1]
    inputs = random.lognormal(6.5, 0.8, len(kept)).astype(int) + 1
    outputs = random.lognormal(4.9, 0.7, len(kept)).astype(int) + 1
    return Trace(kept, np.minimum(inputs, 16_000), np.minimum(outputs, 2_000))


@pytest.mark.parametrize("other_usd", [3.4, 4.0])
def test_a_ripple_moves_nothing_from_zone_to_zone(other_usd: float) -> None:
    run = Run(two_zones(other_usd), rippling()).play()
    fleets = [(answer.desired["a"], answer.desired["b"]) for answer in run.answers]
    steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(fleets)]
    assert all(abs(a - b) <= 1 for a, b in fleets)
    # What comes and goes is the load's alone: no zone gives a replica while the other gets one.
    assert sum(abs(a) + abs(b) for a, b in steps) == sum(abs(a + b) for a, b in steps)
    assert {a + b for a, b in fleets[SETTLED_TICKS:]} <= {6, 7, 8}
    assert run.attainment >= 0.99
