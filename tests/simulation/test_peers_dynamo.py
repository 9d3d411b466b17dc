"""Dynamo's planner code as a policy: what it is told, on hand-made samples, and the planner itself where installed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from controlplane.domain.observation import Histogram, Inventory, Replica, ReplicaPhase, Sample
from controlplane.simulation.peers_dynamo import DynamoCodePolicy, TickMaker, forward_pass, installed, traffic
from controlplane.simulation.scenario import ScenarioError, load_scenario

SCENARIO = load_scenario("chat-8b")
TARGET = SCENARIO.targets[0]
FIRST = TARGET.variants[0].name


def histogram(total: float, count: float) -> Histogram:
    return Histogram((1.0,), (count,), total, count)


def sample(at_s: float, finished: float, running: float, waiting: float, replica: str = "a") -> Sample:
    return Sample(
        replica,
        FIRST,
        at_s,
        running=running,
        waiting=waiting,
        kv_usage=0.25,
        kv_capacity_tokens=40_000.0,
        prompt_tokens_total=finished * 1000.0,
        finished_total=finished,
        ttft_s=histogram(finished * 0.2, finished),
        tpot_s=histogram(finished * 0.03, finished),
        itl_s=histogram(finished * 100 * 0.03, finished * 100),
        prompt_tokens=histogram(finished * 1000.0, finished),
        generation_tokens=histogram(finished * 100.0, finished),
        iteration_tokens=histogram(finished * 100.0, finished * 10),
    )


class View:
    """A fleet of one replica that never changes but for its counters."""

    now_s = 1000.0

    def samples(self, target: str) -> Sequence[Sample]:
        return [sample(self.now_s, self.now_s - 1000.0, 4.0, 0.0)]

    def replicas(self, target: str) -> Sequence[Replica]:
        return [
            Replica("a", FIRST, ReplicaPhase.READY, 0.0, 10.0),
            Replica("b", FIRST, ReplicaPhase.PENDING, 990.0),
        ]

    def desired(self, target: str) -> Mapping[str, int]:
        return {FIRST: 2}

    def inventory(self) -> Inventory:
        return Inventory()


class FakeAdapter:
    """Asks for three at its first tick, and to be asked again in 5 s."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def initial_tick_ms(self) -> float:
        return 5000.0

    def on_tick(self, result: dict[str, Any]) -> Mapping[str, float | int | None]:
        self.told.append(result)
        wanted = 3 if len(self.told) == 1 else None
        return {"target_prefill": None, "target_decode": wanted, "next_tick_ms": result["now_ms"] + 5000.0}


def test_a_pass_is_the_mean_step_since_the_last_tick_and_the_queue_now() -> None:
    told = forward_pass(7, sample(20.0, finished=30.0, running=6.0, waiting=2.0), sample(10.0, 10.0, 4.0, 0.0))
    assert told["worker_id"] == 7
    assert told["wall_time"] == pytest.approx(0.03)
    assert told["sum_prefill_tokens"] == 100  # 20 prompts of 1,000 tokens in 200 steps
    assert (told["num_decode_requests"], told["num_queued_prefill"]) == (6, 2)
    assert told["sum_queued_prefill_tokens"] == 2000
    assert told["sum_decode_kv_tokens"] == 10_000


def test_arrivals_are_what_was_finished_and_what_more_is_held() -> None:
    told = traffic(10.0, [(sample(20.0, 30.0, 6.0, 2.0), sample(10.0, 10.0, 4.0, 0.0))])
    assert told["num_req"] == pytest.approx(20.0 + 4.0)
    assert told["shape_count"] == 20.0
    assert (told["avg_isl"], told["avg_osl"]) == pytest.approx((1000.0, 100.0))
    assert (told["avg_ttft_ms"], told["avg_itl_ms"]) == pytest.approx((200.0, 30.0))


def test_a_quiet_time_has_counts_of_nought() -> None:
    still = sample(20.0, 30.0, 0.0, 0.0)
    told = traffic(10.0, [(still, still)])
    assert (told["num_req"], told["ttft_count"], told["itl_count"]) == (0.0, 0.0, 0.0)


def test_workers_keep_their_numbers() -> None:
    maker = TickMaker(FIRST)
    maker.make(5.0, [], [sample(5.0, 1.0, 1.0, 0.0, "a"), sample(5.0, 1.0, 1.0, 0.0, "b")])
    tick = maker.make(10.0, [], [sample(10.0, 2.0, 1.0, 0.0, "b")])
    assert tick["active_decode_ids"] == [1]
    assert tick["tick_ordinal"] == 1


def test_it_is_asked_when_it_wants_to_be_and_keeps_what_it_asked_for() -> None:
    adapter, view = FakeAdapter(), View()
    policy = DynamoCodePolicy(SCENARIO, adapter)
    answers = []
    for now_s in (1000.0, 1005.0, 1010.0, 1012.0):
        view.now_s = now_s
        answers.append(policy.step(view)[TARGET.key][FIRST])
    assert answers == [2, 3, 3, 3]
    assert [t["now_ms"] for t in adapter.told] == [5000.0, 10_000.0]
    assert adapter.told[0]["starting_decode_ids"] == [1]
    assert adapter.told[0]["non_draining_decode_count"] == 2


@pytest.mark.skipif(installed(), reason="Dynamo's planner is installed")
def test_without_dynamo_the_error_says_what_to_install() -> None:
    with pytest.raises(ScenarioError, match=r"pip install --no-deps ai-dynamo==1\.5\.1"):
        DynamoCodePolicy(SCENARIO)


@pytest.mark.skipif(not installed(), reason="needs Dynamo's planner: pip install --no-deps ai-dynamo==1.5.1")
def test_dynamo_s_own_code_goes_up_where_requests_queue() -> None:
    class Queueing(View):
        def replicas(self, target: str) -> Sequence[Replica]:
            return [Replica("a", FIRST, ReplicaPhase.READY, 0.0, 10.0)]

        def samples(self, target: str) -> Sequence[Sample]:
            return [sample(self.now_s, self.now_s - 1000.0, 64.0, 600.0)]

        def desired(self, target: str) -> Mapping[str, int]:
            return {FIRST: 1}

    view, policy = Queueing(), DynamoCodePolicy(SCENARIO)
    for now_s in range(1000, 1031, 5):
        view.now_s = float(now_s)
        wanted = policy.step(view)[TARGET.key][FIRST]
    assert wanted > 1
