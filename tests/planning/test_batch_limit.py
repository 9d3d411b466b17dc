"""A batch that takes fewer sequences than the engine's default."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlplane.domain.decision import Calibration, CapacityBound, Memory, TargetInputs
from controlplane.domain.observation import Surroundings
from controlplane.planning.calibration import calibrations
from controlplane.planning.capacity import capacity
from controlplane.planning.demand import demand
from tests.builders import make_inputs, make_observation, make_target


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


@pytest.mark.parametrize("limit", [16.0, 32.0, 64.0])
def test_a_replica_carries_what_its_batch_takes(limit: float) -> None:
    target = make_target()
    wanted = demand(make_inputs(target, make_observation(target, 100.0)))
    assert wanted is not None
    free = capacity(target, target.variants[0], wanted, Calibration(1.0, 0.0))
    bound = capacity(target, target.variants[0], wanted, Calibration(1.0, 0.0, sequences=limit))
    assert bound.requests_per_s < free.requests_per_s
    if limit < 64.0:
        assert bound.bound in (CapacityBound.SEQUENCES, CapacityBound.TTFT)
    # Little: so many places, each taken for an answer's tokens times a step that is no shorter than an idle engine's.
    assert bound.requests_per_s < limit / (wanted.output_tokens * 0.005)
