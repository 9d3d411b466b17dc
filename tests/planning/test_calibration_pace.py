"""How sure the calibration becomes does not depend on how often it is asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlplane.domain.decision import Calibration, Memory
from controlplane.planning.calibration import PRIOR, calibrations
from tests.builders import make_inputs, make_observation, make_target, make_variant


def learned(interval_s: float, length_s: float = 1800.0) -> Calibration:
    """After half an hour of one steady batch, seen every `interval_s`."""
    target = make_target((make_variant(),))
    target = replace(target, policy=replace(target.policy, interval_s=interval_s))
    seen = make_observation(target, 5.0)
    busy = replace(seen.variants[0], step_time_s=0.012, generation_tokens_per_s=1000.0, prompt_tokens_per_s=5000.0)
    inputs = make_inputs(target, replace(seen, variants=(busy,)))
    memory = Memory()
    for _ in range(int(length_s / interval_s)):
        memory = Memory(calibrations=calibrations(replace(inputs, memory=memory)))
    return memory.calibrations["h100"]


@pytest.mark.parametrize("interval_s", [1.0, 5.0, 30.0, 60.0])
def test_certainty_follows_time_and_not_the_number_of_looks(interval_s: float) -> None:
    usual, other = learned(15.0), learned(interval_s)
    assert other.factors == pytest.approx(usual.factors, rel=0.02)
    assert other.covariance[::5] == pytest.approx(usual.covariance[::5], rel=0.05)
    assert other.weight == pytest.approx(usual.weight, abs=60.0)


def test_a_look_at_the_same_time_teaches_nothing() -> None:
    target = make_target((make_variant(),))
    target = replace(target, policy=replace(target.policy, interval_s=0.0))
    seen = make_observation(target, 5.0)
    busy = replace(seen.variants[0], step_time_s=0.02, generation_tokens_per_s=1000.0, prompt_tokens_per_s=5000.0)
    inputs = make_inputs(target, replace(seen, variants=(busy,)))
    assert calibrations(inputs)["h100"] == PRIOR


@pytest.mark.parametrize("interval_s", [600.0, 3600.0])
def test_a_long_interval_is_no_more_than_five_minutes_of_evidence(interval_s: float) -> None:
    known = learned(interval_s, 4 * interval_s)
    assert 0 < known.weight <= 900.0
    assert known.ratio == pytest.approx(learned(15.0).ratio, rel=1e-6)
