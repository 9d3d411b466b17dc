"""What is told of LoRA adapters is kept with a tick, and ticks from before it are read as ever."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from controlplane.domain.decision import Tick
from controlplane.domain.observation import LoraUse
from controlplane.planning import replay_group
from controlplane.store.codec import TICK
from controlplane.store.deltas import decode, encode
from controlplane.store.ledger import PostgresLedger
from tests.builders import make_group, make_inputs, make_observation, make_target
from tests.builders import make_tick as decided

USE = LoraUse(4, 9, 3.21, 0.0512, 0.0487)


def tick_with_adapters() -> Tick:
    """Decided where slots are the limit, so that its memory and its plan tell of them too."""
    target = make_target()
    observation = make_observation(target)
    variants = tuple(replace(v, lora=USE) if v.ready else v for v in observation.variants)
    return decided(inputs=make_group(make_inputs(target, replace(observation, variants=variants))))


def as_json(tick: Tick) -> Any:
    return json.loads(json.dumps(TICK.dump_python(tick, mode="json")))


def without(value: Any, *names: str) -> Any:
    """As written before those fields were there."""
    if isinstance(value, dict):
        return {key: without(inner, *names) for key, inner in value.items() if key not in names}
    return [without(one, *names) for one in value] if isinstance(value, list) else value


def test_a_tick_comes_back_to_the_last_digit(recording: PostgresLedger) -> None:
    tick = tick_with_adapters()
    assert {c.bound.value for c in tick.plan.capacities} == {"LoraSlots"}
    recording.append([tick])
    read = recording.last_ticks()[tick.inputs.target.key]
    assert read == tick
    assert read.inputs.observation.variants[0].lora == USE
    assert all(result.reproduced for result in replay_group([read]))


def test_old_rows_are_read_and_are_bases_of_new_ones() -> None:
    plain = decided()
    old, new = without(as_json(plain), "lora", "lora_at_s"), as_json(tick_with_adapters())
    assert TICK.validate_python(old) == plain
    assert decode(old, encode(old, new)) == new
    assert all(result.reproduced for result in replay_group([TICK.validate_python(old)]))
