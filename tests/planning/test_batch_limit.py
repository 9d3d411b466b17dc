"""A batch that takes fewer sequences than the engine's default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from controlplane.domain.decision import Calibration, CapacityBound, Memory, TargetInputs
from controlplane.domain.observation import Surroundings
from controlplane.planning.calibration import calibrations
from controlplane.planning.capacity import SEQUENCES_SHARE, capacity, steady_batch
from controlplane.planning.demand import demand
from controlplane.planning.third_party import Answer, ReplicaState, Stepper
from tests.builders import make_inputs, make_observation, make_target
from tests.planning.five_lines import PAGE, policy


def learned(known: float | None = None, queued: float | None = None, **seen: float | None) -> float | None:
    """The limit after one observation of two H100s that hold 100 requests."""
    target = make_target()
    observation = make_observation(target, 10.0, {"h100": 2})
    first, *others = observation.variants
    first = replace(first, **{"running": 100.0, **seen})
    inputs: TargetInputs = make_inputs(
        target,
        replace(observation, variants=(first, *others)),
        None,
        Memory(calibrations={"h100": Calibration(1.0, 0.0, sequences=known)}),
    )
    inputs = replace(inputs, surroundings=Surroundings(waiting_requests=queued))
    return calibrations(inputs)["h100"].sequences


def test_it_is_what_replicas_stood_still_at_while_requests_waited() -> None:
    assert learned() is None
    assert learned(full_batch=64.0) == 64.0
    assert learned(known=64.0, full_batch=48.0) == 48.0


def test_at_a_gateway_it_is_what_each_holds_while_others_wait_there() -> None:
    assert learned(pinned_batch=64.0) is None
    assert learned(pinned_batch=64.0, queued=1.0) is None, "one may be on its way"
    assert learned(pinned_batch=64.0, queued=50.0) == 64.0


def test_it_is_kept_while_batches_are_smaller_and_given_up_for_a_larger_one() -> None:
    assert learned(known=64.0) == 64.0
    assert learned(known=64.0, running=140.0) is None


@pytest.mark.parametrize("limit", [8.0, 16.0, 32.0])
def test_a_replica_carries_what_its_batch_takes(limit: float) -> None:
    target = make_target()
    wanted = demand(make_inputs(target, make_observation(target, 100.0)))
    assert wanted is not None
    free = capacity(target, target.variants[0], wanted, Calibration(1.0, 0.0))
    bound = capacity(target, target.variants[0], wanted, Calibration(1.0, 0.0, sequences=limit))
    known = Calibration(1.0, 0.0, sequences=limit)
    assert bound.requests_per_s < free.requests_per_s
    assert bound.bound in (CapacityBound.SEQUENCES, CapacityBound.TTFT)
    held = steady_batch(target, target.variants[0], wanted, known, bound.requests_per_s)
    assert 0.4 * limit < held <= SEQUENCES_SHARE * limit * (1.0 + 1e-9)


POLICY = policy(20)


def stepped(rates: Sequence[float], most: float = 1e9) -> Answer:
    """The last answer where so many requests/s came to each of four replicas, 15 s after 15 s, of which a batch takes
    `most` at a time; each runs for 4 s."""
    stepper, finished, waiting = Stepper.from_yaml(POLICY), 0.0, 0.0
    for step, rate in enumerate(rates):
        running = min(most, 4.0 * rate)
        waiting = max(0.0, waiting + 4.0 * rate - running)
        finished += running / 4.0 * 15.0
        page = PAGE.format(
            running=running, waiting=waiting, prompt=900 * finished, answer=150 * finished, finished=finished
        )
        names = [f"pod-{i}" for i in range(4)]
        answer = stepper.step(
            15.0 * step, [ReplicaState(n, "h100", "Ready") for n in names], dict.fromkeys(names, page)
        )
    return answer


def test_pages_of_replicas_that_stand_full_teach_it() -> None:
    breathing = np.random.default_rng(1).uniform(10.0, 20.0, 60).tolist()
    full, free = (stepped(breathing, most).only.inputs for most in (40.0, 1e9))
    assert full.observation.variants[0].full_batch == 40.0
    assert full.memory.calibrations["h100"].sequences == 40.0
    assert free.observation.variants[0].full_batch is None
    assert free.memory.calibrations["h100"].sequences is None


def test_pages_of_a_noisy_load_have_a_level() -> None:
    minutes = np.random.default_rng(2).normal(15.0, 4.0, 45).clip(5.0)
    noisy = stepped(np.repeat(minutes, 4).tolist()).only.inputs.forecast
    assert noisy is not None
    assert noisy.level is not None
    assert noisy.level.load.requests_per_s == pytest.approx(60.0, rel=0.2)
    steady = stepped([15.0] * 180).only.inputs.forecast
    assert steady is not None
    assert steady.level is None
