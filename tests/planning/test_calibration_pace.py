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


def after(steps_s: list[float], interval_s: float = 15.0) -> Calibration:
    """After observations of a steady rate whose step took so long."""
    target = make_target((make_variant(),))
    target = replace(target, policy=replace(target.policy, interval_s=interval_s))
    seen = make_observation(target, 5.0)
    memory = Memory()
    for step_s in steps_s:
        busy = replace(seen.variants[0], step_time_s=step_s, generation_tokens_per_s=1000.0, prompt_tokens_per_s=5000.0)
        inputs = make_inputs(target, replace(seen, variants=(busy,)))
        memory = Memory(calibrations=calibrations(replace(inputs, memory=memory)))
    return memory.calibrations["h100"]


def test_minutes_in_which_the_step_moves_teach_little() -> None:
    steady, ramp = [0.012] * 20, [0.016, 0.024, 0.034, 0.026, 0.018]
    factors = after(steady).factors
    assert after(steady + ramp).factors == pytest.approx(factors, rel=0.03)
    # The same times without the jumps between them are believed.
    risen = [0.012 * 1.025**i for i in range(43)]
    assert after(steady + risen).factors[1] > 1.3 * factors[1]


def test_unrest_fades_within_a_window_so_a_new_level_is_learned() -> None:
    before = after([0.012] * 20)
    jumped = after([0.012] * 20 + [0.03])
    settled = after([0.012] * 20 + [0.03] * 40)
    assert jumped.unrest == pytest.approx(1.5)
    assert jumped.factors == pytest.approx(before.factors, rel=0.02)
    assert settled.unrest < 0.01
    assert settled.factors[1] > 1.5 * before.factors[1]
