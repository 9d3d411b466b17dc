"""A fleet of which nobody is Ready any more still has its load."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlplane.domain.decision import Verdict
from controlplane.domain.observation import Observation, Surroundings
from controlplane.domain.target import CapacityType
from controlplane.planning import decide
from controlplane.planning.demand import bereft_load, demand
from controlplane.planning.explain import sentences
from tests.builders import (
    NOW_S,
    make_forecast,
    make_group,
    make_inputs,
    make_observation,
    make_target,
    make_tick,
    make_variant,
)

SPOT = replace(make_variant("spot", low=0, high=20), capacity_type=CapacityType.SPOT, usd_per_replica_hour=2.0)
OWN = make_variant("own", low=0, high=20)
TARGET = make_target((SPOT, OWN))


def gone(pending: int = 8, waits_s: float = 60.0) -> Observation:
    """Nobody is Ready, so nothing is told of the load; so many of the Spot pool are asked for."""
    seen = make_observation(TARGET, None, {"spot": 0, "own": 0}, {"spot": pending} if pending else {}, coverage=None)
    waiting = tuple(replace(v, oldest_pending_s=waits_s) if v.pending else v for v in seen.variants)
    return replace(seen, variants=waiting)


def test_what_came_is_what_comes() -> None:
    inputs = make_inputs(TARGET, gone(), make_forecast(TARGET, 40.0))
    found = bereft_load(inputs)
    assert found is not None
    assert (found.requests_per_s, found.input_tokens, found.output_tokens) == (40.0, 1.0, 1.0)
    planned = demand(inputs)
    assert planned is not None
    assert planned.requests_per_s >= 40.0, "the forecast and the margin, as ever"


@pytest.mark.parametrize(
    ("seen", "forecast", "waiting"),
    [
        (gone(pending=0), True, None),  # asleep, or scaled to zero by a person
        (gone(waits_s=901.0), True, None),  # longer than anybody waits for a replica
        (gone(), False, None),  # never seen to serve
        (gone(), True, 0.0),  # a gateway knows better
        (make_observation(TARGET, None, {"spot": 1, "own": 0}, {"spot": 7}), True, None),  # one serves, and is silent
    ],
)
def test_where_it_may_be_otherwise_nothing_is_taken_to_come(
    seen: Observation, forecast: bool, waiting: float | None
) -> None:
    inputs = make_inputs(TARGET, seen, make_forecast(TARGET, 40.0) if forecast else None)
    assert bereft_load(replace(inputs, surroundings=Surroundings(waiting_requests=waiting))) is None


def test_what_a_gateway_tells_goes_before() -> None:
    inputs = make_inputs(TARGET, gone(), make_forecast(TARGET, 40.0))
    known = make_observation(TARGET, 7.0, {"spot": 1}).load
    woken = replace(
        inputs,
        memory=replace(inputs.memory, mix=known),
        surroundings=Surroundings(waiting_requests=30.0, arriving_rps=12.0),
    )
    assert bereft_load(woken) is not None
    found = demand(woken)
    assert found is not None
    assert found.input_tokens >= 900.0, "prompts as long as those seen last, and not the one token of the forecast"


@pytest.mark.parametrize(("waits_s", "own"), [(200.0, 0), (240.0, 1)])
def test_a_reclaimed_pool_that_does_not_come_back_is_stood_in_for(waits_s: float, own: int) -> None:
    """Starts take up to 190 s: who waits for a quarter longer, with nobody Ready, is late."""
    inputs = make_inputs(TARGET, gone(pending=2, waits_s=waits_s), make_forecast(TARGET, 9.0))
    inputs = replace(inputs, memory=replace(inputs.memory, first_seen_at_s=NOW_S - 3600.0))
    (decision,) = decide(make_group(inputs)).decisions
    assert min(decision.desired["own"], 1) == own
    assert decision.desired["spot"] >= 2, "nothing goes down while nothing is known"
    assert decision.verdict is not Verdict.ABSTAIN


def test_a_person_reads_whose_word_it_is() -> None:
    lines = sentences(make_tick(inputs=make_group(make_inputs(TARGET, gone(), make_forecast(TARGET, 40.0)))))
    assert lines[0].startswith("Seen: Nobody is Ready to tell the load, so what was likely before counts")
    asleep = sentences(make_tick(inputs=make_group(make_inputs(TARGET, gone(0), make_forecast(TARGET, 40.0)))))
    assert asleep[0].startswith("Seen: The load is not known")
