"""Stock-outs and failures: remembered, left alone ever longer, tried again, cleared."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlplane.domain.decision import GroupOutcome, Memory, Outage, OutageKind, Recommendation
from controlplane.domain.observation import Surroundings
from controlplane.planning import decide
from controlplane.planning.outages import back_off_s, outages
from tests.builders import NOW_S, make_group, make_inputs, make_observation, make_target, make_variant

TARGET = make_target((make_variant(high=9), make_variant("l40s", "L40S", high=30)))


def outcome(
    memory: Memory | None = None,
    ready: int = 1,
    pending: int = 0,
    failed: int = 0,
    age_s: float = 30.0,
    at_s: float = NOW_S,
    rps: float = 30.0,
    **around: object,
) -> GroupOutcome:
    seen = make_observation(TARGET, rps, {"h100": ready}, {"h100": pending}, at_s=at_s, pending_age_s=age_s)
    first = replace(seen.variants[0], desired=ready + pending + failed, failed=failed, failing="CrashLoopBackOff")
    inputs = make_inputs(TARGET, replace(seen, variants=(first, seen.variants[1])), None, memory)
    inputs = replace(inputs, surroundings=Surroundings(**around))  # type: ignore[arg-type]
    return decide(replace(make_group(inputs), now_s=at_s))


@pytest.mark.parametrize(("strikes", "minutes"), [(1, 2), (2, 4), (3, 8), (4, 16), (5, 30), (50, 30)])
def test_back_off_doubles_up_to_half_an_hour(strikes: int, minutes: float) -> None:
    assert back_off_s(strikes) == minutes * 60.0


def test_a_stock_out_is_remembered_tried_again_and_cleared() -> None:
    out = outcome(pending=3, age_s=901.0)
    memory = out.memories[0]
    assert memory.outages["h100"] == Outage(OutageKind.STOCK_OUT, NOW_S + 120.0, 1, 1)
    assert out.plans[0].replicas["h100"] == 1
    assert out.plans[0].replicas["l40s"] > 0
    # Taken back, and not asked for again before the back-off is over.
    assert outcome(memory, at_s=NOW_S + 119.0).plans[0].replicas["h100"] == 1
    tried = outcome(memory, at_s=NOW_S + 121.0)
    assert tried.plans[0].replicas["h100"] == 2
    again = outcome(memory, pending=1, age_s=901.0, at_s=NOW_S + 1100.0).memories[0]
    assert again.outages["h100"] == Outage(OutageKind.STOCK_OUT, NOW_S + 1100.0 + 240.0, 2, 1)
    assert outcome(again, ready=2, at_s=NOW_S + 1200.0).memories[0].outages == {}
    assert outcome(again, at_s=NOW_S + 1340.0 + 3601.0).memories[0].outages == {}


def test_what_cannot_be_had_is_taken_back_at_once() -> None:
    (decision,) = outcome(pending=3, age_s=901.0).decisions
    assert decision.desired["h100"] == 1
    assert decision.desired["l40s"] > 0
    (said,) = [r.reason for r in decision.trail if r.rule == "availability"]
    assert "h100 is stocked out, so no more is asked for until" in said
    assert "3 of h100 that cannot be had are taken back" in said


def test_failing_replicas_are_no_stock_out_and_no_more_of_them_are_added() -> None:
    out = outcome(failed=2)
    assert out.memories[0].outages["h100"].kind is OutageKind.FAILED
    assert out.plans[0].replicas["h100"] == 1
    assert out.plans[0].replicas["l40s"] > 0
    assert "h100 fails (CrashLoopBackOff)" in next(r.reason for r in out.decisions[0].trail if r.rule == "availability")
    # Once they are taken away nothing fails, and still none is added until the back-off is over.
    assert outcome(out.memories[0], at_s=NOW_S + 60.0).plans[0].replicas["h100"] == 1


def test_what_fails_may_recover_before_it_is_taken_away() -> None:
    known = Memory((Recommendation(NOW_S - 400.0, {"h100": 1, "l40s": 9}),), first_seen_at_s=NOW_S - 4000.0)
    first = outcome(known, ready=2, failed=1)
    assert first.plans[0].replicas["h100"] == 2
    assert first.decisions[0].desired["h100"] == 3
    assert "1 of h100 are left to recover" in str(first.decisions[0].trail)
    # A restart that went well ends it; one that did not is a second strike, and the replica is given up.
    assert outcome(first.memories[0], ready=3).memories[0].outages == {}
    second = outcome(replace(first.memories[0], recommendations=()), ready=2, failed=1, at_s=NOW_S + 121.0)
    assert second.memories[0].outages["h100"].strikes == 2
    assert "left to recover" not in str(second.decisions[0].trail)
    # It holds nobody else: with little to do the fleet shrinks beside it.
    assert outcome(known, ready=8, failed=1, rps=10.0).decisions[0].desired["h100"] == 1


def test_replicas_that_still_load_are_waited_for() -> None:
    seen = make_observation(TARGET, 30.0, {"h100": 1}, {"h100": 3}, pending_age_s=800.0)
    assert outages(make_inputs(TARGET, seen), NOW_S) == {}


def test_a_quota_caps_the_plan_and_is_named() -> None:
    limits = {"h100": "ResourceQuota gpus has 2 of 4 left", "l40s": "no node has L40S"}
    plan = outcome(most_replicas={"h100": 2, "l40s": 0}, limits=limits, rps=300.0).plans[0]
    assert plan.replicas == {"h100": 2, "l40s": 0}
    assert not plan.feasible
    assert "2 of h100 at the most: ResourceQuota gpus has 2 of 4 left" in plan.binding


def test_a_rollouts_surge_that_waits_is_no_stock_out() -> None:
    seen = make_observation(TARGET, 30.0, {"h100": 3}, {"h100": 1}, pending_age_s=2000.0)
    surging = replace(seen.variants[0], desired=3)
    assert outages(make_inputs(TARGET, replace(seen, variants=(surging, seen.variants[1]))), NOW_S) == {}
