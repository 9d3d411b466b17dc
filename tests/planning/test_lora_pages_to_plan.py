"""From vLLM's LoRA lines to replicas: the stepper on a simulated fleet whose pages tell of adapters.

The simulator plays no adapters: what is looked at is what the plan makes of the lines, not what became of requests.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

import pytest

from controlplane.domain.decision import CapacityBound
from controlplane.domain.observation import LoraUse
from controlplane.planning.third_party import Answer
from controlplane.simulation.backtest import START_S
from controlplane.simulation.scenario import load_scenario
from tests.planning.test_third_party import Run, tripling

GAUGE = re.compile(r"^vllm:num_requests_(?:running|waiting)\{.*\} (\S+)$", re.MULTILINE)


class Tenants:
    """Adds the lines of a replica whose requests are spread evenly over `adapters`."""

    def __init__(self, adapters: int, slots: int) -> None:
        self.adapters, self.slots = adapters, slots
        self._random = Random(1)
        self._states: dict[str, float] = {}
        self._now_s = START_S

    def __call__(self, page: str) -> str:
        self._now_s += 1.0
        requests = int(sum(float(value) for value in GAUGE.findall(page)))
        names = sorted({f"tenant-{self._random.randrange(self.adapters)}" for _ in range(min(requests, 500))})
        self._random.shuffle(names)  # who is in and who waits takes turns
        running, waiting = ",".join(names[: self.slots]), ",".join(names[self.slots :])
        labels = f'max_lora="{self.slots}",running_lora_adapters="{running}",waiting_lora_adapters="{waiting}"'
        self._states[labels] = self._now_s
        return page + "".join(f"vllm:lora_requests_info{{{ls}}} {at_s!r}\n" for ls, at_s in self._states.items())


def play(tell: Callable[[str], str] = str) -> Run:
    return Run(load_scenario("league-8b"), tripling(8, 20.0), cripple=tell, initial={"default/chat-h100": 3}).play()


@pytest.fixture(scope="module")
def plain() -> Run:
    return play()


def use(answer: Answer) -> LoraUse:
    (seen,) = answer.targets[0].inputs.observation.variants
    assert seen.lora is not None
    return seen.lora


def test_a_fleet_with_a_slot_for_every_adapter_decides_as_one_without_adapters(plain: Run) -> None:
    run = play(Tenants(4, 4))
    assert use(run.answers[-1]).adapters == 4
    assert run.wanted == plain.wanted
    assert [a.plan for a in run.answers] == [a.plan for a in plain.answers]
    assert [a.sentences for a in run.answers] == [a.sentences for a in plain.answers]


def test_few_slots_for_many_adapters_need_more_replicas_and_the_reason_is_told(plain: Run) -> None:
    run = play(Tenants(20, 8))
    last = run.answers[-1]
    assert use(last).rest == pytest.approx(1 / 20, rel=0.2)
    assert use(last).share == pytest.approx(1 / 20, rel=0.2)
    (carried,), (free,) = last.plan.capacities, plain.answers[-1].plan.capacities
    assert carried.bound is CapacityBound.LORA_SLOTS
    assert carried.requests_per_s < 0.5 * free.requests_per_s
    assert sum(run.wanted) > 1.5 * sum(plain.wanted)
    assert "(limit LoraSlots: 20 adapters on 8 slots, " in "".join(last.sentences)
    known = last.targets[0].inputs.memory.calibrations["h100"]
    assert (known.lora is not None, known.lora_at_s is not None) == (True, True)
