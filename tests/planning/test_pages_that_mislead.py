"""Pages that stand still, and aborts counted as finished: a fleet under load is not dismantled on either."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from controlplane.domain.observation import FaultKind
from controlplane.planning.third_party import Answer, ReplicaState, Stepper
from tests.planning.five_lines import policy

POLICY = policy(60)
PAGE = """\
vllm:num_requests_running {running}
vllm:num_requests_waiting {waiting}
vllm:prompt_tokens_total {prompt}
vllm:generation_tokens_total {made}
vllm:request_success_total{{finished_reason="stop"}} {done}
vllm:request_success_total{{finished_reason="abort"}} {aborted}
"""
STEP_S, REPLICAS, RPS = 15, 8, 15.0
Counts = dict[str, float]


def answers(page_at: Callable[[int], Counts | None], until_s: int) -> list[tuple[int, Answer]]:
    """The answers for a fleet that stays as it is, whose replicas all have the same page; None: that of before."""
    stepper, page, found = Stepper.from_yaml(POLICY), "", []
    replicas = [ReplicaState(f"pod-{i}", "h100", "Ready") for i in range(REPLICAS)]
    for now_s in range(0, until_s, STEP_S):
        counts = page_at(now_s)
        page = page if counts is None else PAGE.format(**counts)
        pages = {one.name: page for one in replicas}
        found.append((now_s, stepper.step(now_s, replicas, pages, desired={"h100": REPLICAS})))
    return found


def served(seconds: float) -> Counts:
    done = RPS * seconds
    return {"running": 90, "waiting": 0, "prompt": 800 * done, "made": 200 * done, "done": done, "aborted": 0}


@pytest.mark.parametrize("frozen_s", [15, 60, 120])
def test_pages_that_stand_still_take_no_replica(frozen_s: int) -> None:
    still = range(1800, 1800 + frozen_s, STEP_S)
    found = answers(lambda now_s: None if now_s in still else served(now_s), 2400)
    before = next(answer for now_s, answer in found if now_s == still[0] - STEP_S)
    assert before.plan.demand is not None
    for now_s, answer in found:
        if now_s < still[0]:
            continue
        assert answer.plan.demand is not None
        assert answer.plan.demand.requests_per_s > 0.9 * before.plan.demand.requests_per_s, now_s
        assert answer.desired["h100"] >= min(before.desired["h100"], REPLICAS), now_s
        stale = [fault for fault in answer.faults if fault.kind is FaultKind.STALE]
        assert len(stale) == (REPLICAS if now_s in still else 0)


def test_an_outage_in_which_the_queue_gives_up_is_no_load_of_tiny_requests() -> None:
    """Three times as much comes as was answered, and who waits ten seconds goes: lengths were believed to be nought."""

    def page(now_s: int) -> Counts:
        over_s = max(0, now_s - 1800)
        counts = served(now_s)
        # In the outage hardly anything is answered: it is given up while it is read.
        lost = 0.95 * RPS * over_s
        done = counts["done"] - lost
        aborted = lost + 3.0 * RPS * over_s
        waiting = min(40.0 * RPS, 3.0 * RPS * over_s)
        return {
            **counts,
            "waiting": waiting,
            "done": done,
            "aborted": aborted,
            "prompt": 800 * done,
            "made": 200 * done,
        }

    found = answers(page, 3000)
    for now_s, answer in found:
        if now_s < 1800:
            continue
        assert answer.plan.demand is not None
        assert 720.0 < answer.plan.demand.input_tokens < 1600.0, now_s
        assert 180.0 < answer.plan.demand.output_tokens < 400.0, now_s
        assert all(capacity.requests_per_s < 100.0 for capacity in answer.plan.capacities), now_s
        assert answer.desired["h100"] >= REPLICAS or now_s < 1860, now_s
